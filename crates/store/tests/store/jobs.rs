use std::time::Duration;

use store::{
    backfill,
    jobs::{self, JobKind},
};

use tokio::time::sleep;

use crate::harness::Index;

#[tokio::test]
async fn a_job_is_claimed_once_and_gone_when_done() {
    let index = Index::new().await;
    jobs::enqueue(&index.client, JobKind::Actor, &["did:plc:a".into(), "did:plc:b".into()]).await.unwrap();
    jobs::enqueue(&index.client, JobKind::Actor, &["did:plc:a".into(), "did:plc:a".into()]).await.unwrap();
    let claimed = jobs::claim(&index.client, &JobKind::ALL, 10).await.unwrap();
    assert_eq!(claimed.len(), 2);
    assert!(jobs::claim(&index.client, &JobKind::ALL, 10).await.unwrap().is_empty());
    for job in &claimed {
        jobs::finish(&index.client, job).await.unwrap();
    }
    assert_eq!(index.count("SELECT count(*) FROM job").await, 0);
}

#[tokio::test]
async fn work_that_comes_up_while_it_is_done_is_done_again() {
    let index = Index::new().await;
    jobs::enqueue(&index.client, JobKind::Resync, &["did:plc:a".into()]).await.unwrap();
    let job = jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().remove(0);
    jobs::enqueue(&index.client, JobKind::Resync, &["did:plc:a".into()]).await.unwrap();
    jobs::finish(&index.client, &job).await.unwrap();
    let again = jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap();
    assert_eq!(again.len(), 1);
    jobs::finish(&index.client, &again[0]).await.unwrap();
    assert!(jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().is_empty());
}

/// Whoever queues it is still in a transaction when the job ends.
#[tokio::test]
async fn work_that_comes_up_at_the_last_moment_is_not_left_claimed() {
    let index = Index::new().await;
    jobs::enqueue(&index.client, JobKind::Resync, &["did:plc:a".into()]).await.unwrap();
    let job = jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().remove(0);
    let mut other = store::connect(index.database.url(), Some(1)).await.unwrap().client;
    let transaction = other.transaction().await.unwrap();
    jobs::enqueue(&transaction, JobKind::Resync, &["did:plc:a".into()]).await.unwrap();
    let (finished, ()) = tokio::join!(jobs::finish(&index.client, &job), async {
        sleep(Duration::from_millis(200)).await;
        transaction.commit().await.unwrap();
    });
    finished.unwrap();
    assert_eq!(jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_job_waits_and_tells_why() {
    let index = Index::new().await;
    jobs::enqueue(&index.client, JobKind::Manifest, &["did:plc:a/m".into()]).await.unwrap();
    let job = jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().remove(0);
    jobs::retry(&index.client, &job, "no \0 answer").await.unwrap();
    assert!(jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().is_empty());
    let due = jobs::next_due(&index.client, &JobKind::ALL).await.unwrap().unwrap();
    assert!(due.as_secs_f64() > 0.1 && due.as_secs() < 3, "{due:?}");
    assert_eq!(index.count("SELECT count(*) FROM job WHERE error = 'no  answer'").await, 1);
}

#[tokio::test]
async fn what_was_put_off_is_not_due() {
    let index = Index::new().await;
    let keys: Vec<String> = (0..3).map(|n| format!("did:plc:a{n}")).collect();
    jobs::enqueue(&index.client, JobKind::Actor, &keys).await.unwrap();
    let job = jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().remove(0);
    assert_eq!(jobs::due(&index.client, JobKind::Actor).await.unwrap(), 3);
    jobs::retry(&index.client, &job, "no answer").await.unwrap();
    assert_eq!(jobs::due(&index.client, JobKind::Actor).await.unwrap(), 2);
    assert_eq!(jobs::due(&index.client, JobKind::Resync).await.unwrap(), 0);
}

#[tokio::test]
async fn the_urgent_comes_first() {
    let index = Index::new().await;
    jobs::enqueue(&index.client, JobKind::Resync, &["did:plc:a".into()]).await.unwrap();
    jobs::enqueue(&index.client, JobKind::Manifest, &["did:plc:a/m".into()]).await.unwrap();
    assert_eq!(jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap()[0].kind, JobKind::Manifest);
}

#[tokio::test]
async fn the_kinds_that_are_not_asked_for_wait() {
    let index = Index::new().await;
    jobs::enqueue(&index.client, JobKind::Resync, &["did:plc:a".into()]).await.unwrap();
    assert!(jobs::claim(&index.client, &JobKind::SHORT, 1).await.unwrap().is_empty());
    assert!(jobs::next_due(&index.client, &JobKind::SHORT).await.unwrap().is_none());
    assert_eq!(jobs::claim(&index.client, &JobKind::LONG, 1).await.unwrap()[0].kind, JobKind::Resync);
}

#[tokio::test]
async fn a_job_that_was_put_back_has_not_failed() {
    let index = Index::new().await;
    jobs::enqueue(&index.client, JobKind::Actor, &["did:plc:a".into()]).await.unwrap();
    let job = jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().remove(0);
    jobs::put_back(&index.client, &job, Duration::from_secs(60)).await.unwrap();
    assert!(jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap().is_empty());
    assert_eq!(index.count("SELECT count(*) FROM job WHERE attempts = 0 AND error IS NULL").await, 1);
    jobs::put_back(&index.client, &job, Duration::ZERO).await.unwrap();
    assert_eq!(jobs::claim(&index.client, &JobKind::ALL, 1).await.unwrap()[0].attempts, 1);
}

#[tokio::test]
async fn a_backfill_that_is_asked_for_again_lists_again() {
    let index = Index::new().await;
    backfill::start(&index.client).await.unwrap();
    let job = jobs::claim(&index.client, &JobKind::LONG, 1).await.unwrap().remove(0);
    // While the listing runs.
    backfill::start(&index.client).await.unwrap();
    backfill::listed(&index.client, &[]).await.unwrap();
    jobs::finish(&index.client, &job).await.unwrap();
    backfill::refresh(&index.client).await.unwrap();
    assert_eq!(index.count("SELECT count(*) FROM backfill WHERE finished_at IS NULL").await, 1);
    let job = jobs::claim(&index.client, &JobKind::LONG, 1).await.unwrap().remove(0);
    jobs::retry(&index.client, &jobs::Job { attempts: 10, ..job }, "no relay").await.unwrap();
    assert!(jobs::claim(&index.client, &JobKind::LONG, 1).await.unwrap().is_empty());
    // While it waits for another day.
    backfill::start(&index.client).await.unwrap();
    let job = jobs::claim(&index.client, &JobKind::LONG, 1).await.unwrap().remove(0);
    assert_eq!(job.attempts, 1);
    backfill::listed(&index.client, &[]).await.unwrap();
    jobs::finish(&index.client, &job).await.unwrap();
    backfill::refresh(&index.client).await.unwrap();
    assert_eq!(index.count("SELECT count(*) FROM backfill WHERE finished_at IS NULL").await, 0);
}
