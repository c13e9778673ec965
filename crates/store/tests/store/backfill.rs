use chrono::{DateTime, Utc};
use store::{
    backfill::{self, Ended},
    gaps::{self, Gap, Settled},
    jobs::{self, Job, JobKind},
};

use crate::harness::{ALICE, BOB, Index};

const MADE_UP: &str = "did:web:nobody.example";

fn gap() -> Gap {
    let since = DateTime::<Utc>::from_timestamp(1_700_000_000, 0);
    Gap {
        source: "wss://a.example".into(),
        reason: "outdated",
        from_position: Some(7),
        to_position: None,
        since,
        until: None,
    }
}

impl Index {
    /// A reading of the whole network, of which these are the jobs; those that count are listed.
    async fn reading(&self, dids: &[&str], listed: &[&str]) {
        let strings = |dids: &[&str]| dids.iter().map(|did| (*did).to_owned()).collect::<Vec<_>>();
        backfill::start(&self.client).await.unwrap();
        let discover = jobs::claim(&self.client, &[JobKind::Discover], 1).await.unwrap().remove(0);
        jobs::enqueue(&self.client, JobKind::Resync, &strings(dids)).await.unwrap();
        backfill::listed(&self.client, &strings(listed)).await.unwrap();
        jobs::finish(&self.client, &discover).await.unwrap();
    }

    /// Claims one job, whenever it is due.
    async fn claim(&self, did: &str) -> Job {
        let first = "UPDATE job SET run_at = '2000-01-01' WHERE key = $1";
        self.client.execute(first, &[&did]).await.unwrap();
        let job = jobs::claim(&self.client, &[JobKind::Resync], 1).await.unwrap().remove(0);
        assert_eq!(job.key, did);
        job
    }

    async fn fail(&self, did: &str, times: usize) {
        for _ in 0..times {
            let job = self.claim(did).await;
            jobs::retry(&self.client, &job, "no answer").await.unwrap();
        }
    }

    /// Total, done, failed, and whether it is finished.
    async fn stands(&self) -> (Option<i64>, i64, i64, bool) {
        backfill::refresh(&self.client).await.unwrap();
        let progress = backfill::progress(&self.client).await.unwrap();
        (progress.total, progress.done, progress.failed, progress.finished)
    }
}

fn settled(missing: i64, before: Option<i64>) -> Vec<Settled> {
    vec![Settled { source: "wss://a.example".into(), missing, before }]
}

#[tokio::test]
async fn a_gap_is_repaired_only_when_everybody_was_read() {
    let index = Index::new().await;
    assert!(gaps::record(&index.client, &gap()).await.unwrap());
    index.reading(&[ALICE, BOB], &[ALICE, BOB]).await;
    jobs::finish(&index.client, &index.claim(ALICE).await).await.unwrap();
    index.fail(BOB, 2).await;
    // The last try is under way.
    let last = index.claim(BOB).await;
    assert_eq!(index.stands().await, (Some(2), 1, 0, false));
    assert!(gaps::settle(&index.client).await.unwrap().is_empty());
    jobs::retry(&index.client, &last, "no answer").await.unwrap();
    assert_eq!(index.stands().await, (Some(2), 1, 1, true));
    assert_eq!(gaps::settle(&index.client).await.unwrap(), settled(1, None));
    assert!(gaps::settle(&index.client).await.unwrap().is_empty(), "it is told once");
    let shown = index.reader.status().await.unwrap().gaps.remove(0);
    assert_eq!((shown.missing, shown.repaired_at), (Some(1), None));
    assert_eq!(store::gauges::gauges(&index.client).await.unwrap().gap_missing, 1);
    // It is tried again, and read in the end.
    let again = index.claim(BOB).await;
    assert_eq!(index.stands().await, (Some(2), 1, 1, true));
    jobs::finish(&index.client, &again).await.unwrap();
    assert_eq!(gaps::settle(&index.client).await.unwrap(), settled(0, Some(1)));
    assert_eq!(index.stands().await, (Some(2), 2, 0, true));
    assert!(index.reader.status().await.unwrap().gaps[0].repaired_at.is_some());
    assert_eq!(store::gauges::gauges(&index.client).await.unwrap().gap_missing, 0);
}

#[tokio::test]
async fn an_attempt_that_a_restart_cut_off_has_not_failed() {
    let index = Index::new().await;
    index.reading(&[BOB], &[BOB]).await;
    index.fail(BOB, 2).await;
    index.claim(BOB).await;
    jobs::release_claims(&index.client).await.unwrap();
    assert_eq!(index.stands().await, (Some(1), 0, 0, false));
    index.fail(BOB, 1).await;
    let progress = backfill::progress(&index.client).await.unwrap();
    assert_eq!((progress.unread[0].did.as_str(), progress.unread[0].reason.as_str()), (BOB, "no answer"));
    // A later reading tries everybody afresh.
    index.reading(&[BOB], &[BOB]).await;
    index.fail(BOB, 2).await;
    assert_eq!(index.stands().await, (Some(1), 0, 0, false));
}

/// Whoever is on no list and left no record has nothing to be read.
#[tokio::test]
async fn who_is_made_up_leaves_no_gap_open() {
    let index = Index::new().await;
    gaps::record(&index.client, &gap()).await.unwrap();
    index.reading(&[ALICE, MADE_UP], &[ALICE]).await;
    index.fail(MADE_UP, 3).await;
    jobs::finish(&index.client, &index.claim(ALICE).await).await.unwrap();
    assert_eq!(index.stands().await, (Some(1), 1, 0, true));
    assert_eq!(gaps::settle(&index.client).await.unwrap(), settled(0, None));
}

/// Nobody serves the one whom somebody made up, nor the other, who is listed.
#[tokio::test]
async fn who_is_made_up_is_nobody_to_be_missed() {
    let index = Index::new().await;
    index.reading(&[BOB, MADE_UP], &[BOB]).await;
    for did in [BOB, MADE_UP] {
        let job = index.claim(did).await;
        backfill::unserved(&index.client, did, "it does not exist").await.unwrap();
        jobs::finish(&index.client, &job).await.unwrap();
    }
    let progress = backfill::progress(&index.client).await.unwrap();
    let unread: Vec<_> = progress.unread.iter().map(|of| of.did.as_str()).collect();
    assert_eq!((progress.unserved, unread), (1, vec![BOB]));
    let ended = backfill::refresh(&index.client).await.unwrap();
    assert_eq!(ended, Some(Ended { total: 1, failed: 0, unserved: 1 }));
    assert_eq!(backfill::refresh(&index.client).await.unwrap(), None, "it is told once");
    // Whoever was read before the list was made counts as the list says.
    index.reading(&[BOB], &[]).await;
    let job = index.claim(BOB).await;
    backfill::unserved(&index.client, BOB, "it does not exist").await.unwrap();
    jobs::finish(&index.client, &job).await.unwrap();
    assert_eq!(backfill::progress(&index.client).await.unwrap().unserved, 0);
    backfill::listed(&index.client, &[BOB.into()]).await.unwrap();
    assert_eq!(backfill::progress(&index.client).await.unwrap().unserved, 1);
    // Who asks for one alone is told.
    let asked = backfill::progress_of(&index.client, &[MADE_UP.into()]).await.unwrap();
    assert_eq!((asked.failed, asked.unread.len()), (1, 1));
}

/// A source that has no cursor yet may be connected to many times.
#[tokio::test]
async fn a_reading_is_not_begun_anew_while_one_is_under_way() {
    let index = Index::new().await;
    let discovers = "SELECT count(*) FROM job WHERE kind = 'discover'";
    index.reading(&[ALICE], &[ALICE]).await;
    assert!(!backfill::start_once(&index.client).await.unwrap());
    for _ in 0..2 {
        assert!(!backfill::start_or_follow(&index.client).await.unwrap());
    }
    assert_eq!((index.stands().await, index.count(discovers).await), ((Some(1), 0, 0, false), 0));
    jobs::finish(&index.client, &index.claim(ALICE).await).await.unwrap();
    // Another follows, once.
    assert!(backfill::refresh(&index.client).await.unwrap().is_some());
    assert_eq!((index.stands().await, index.count(discovers).await), ((None, 0, 0, false), 1));
    index.reading(&[], &[]).await;
    assert_eq!(index.stands().await, (Some(0), 0, 0, true));
    assert!(!backfill::start_once(&index.client).await.unwrap(), "servers have what came since");
    index.client.execute("UPDATE backfill SET started_at = now() - interval '25 hours'", &[]).await.unwrap();
    assert!(backfill::start_once(&index.client).await.unwrap());
    index.reading(&[], &[]).await;
    index.stands().await;
    assert!(backfill::start_or_follow(&index.client).await.unwrap());
}

#[tokio::test]
async fn a_gap_that_is_found_again_is_the_same() {
    let index = Index::new().await;
    assert!(gaps::record(&index.client, &gap()).await.unwrap());
    index.reading(&[], &[]).await;
    assert_eq!(index.stands().await, (Some(0), 0, 0, true));
    assert!(!gaps::record(&index.client, &gap()).await.unwrap());
    assert!(gaps::settle(&index.client).await.unwrap().is_empty(), "what was listed before may lack something");
    index.reading(&[], &[]).await;
    index.stands().await;
    assert_eq!(gaps::settle(&index.client).await.unwrap(), settled(0, None));
    assert!(gaps::record(&index.client, &gap()).await.unwrap(), "another incident");
    assert_eq!(index.count("SELECT count(*) FROM gap").await, 2);
}

#[tokio::test]
async fn what_became_of_those_that_were_asked_for() {
    let index = Index::new().await;
    let dids = [ALICE, BOB, MADE_UP].map(str::to_owned);
    backfill::some(&index.client, &dids).await.unwrap();
    // One is over its quota: it is read, and again on another day.
    let alice = index.claim(ALICE).await;
    jobs::enqueue(&index.client, JobKind::Resync, &dids[..1]).await.unwrap();
    let tomorrow = "UPDATE job SET run_at = now() + interval '1 day' WHERE kind = 'resync' AND key = $1";
    index.client.execute(tomorrow, &[&dids[0]]).await.unwrap();
    jobs::finish(&index.client, &alice).await.unwrap();
    let bob = index.claim(BOB).await;
    backfill::unserved(&index.client, BOB, "it does not exist").await.unwrap();
    assert!(!backfill::progress_of(&index.client, &dids).await.unwrap().finished);
    jobs::finish(&index.client, &bob).await.unwrap();
    for _ in 0..3 {
        let job = index.claim(MADE_UP).await;
        jobs::retry(&index.client, &job, "no answer").await.unwrap();
    }
    let progress = backfill::progress_of(&index.client, &dids).await.unwrap();
    assert_eq!((progress.done, progress.failed, progress.put_off, progress.finished), (1, 2, 1, true));
    assert!(progress.put_off_until.is_some_and(|until| until > Utc::now()));
    let unread: Vec<_> = progress.unread.iter().map(|of| (of.did.as_str(), of.reason.as_str())).collect();
    assert_eq!(unread, [(BOB, "it does not exist"), (MADE_UP, "no answer")]);
    // Asked for again, it is another question.
    backfill::some(&index.client, &dids).await.unwrap();
    let progress = backfill::progress_of(&index.client, &dids).await.unwrap();
    assert_eq!((progress.done, progress.failed, progress.put_off, progress.finished), (0, 0, 0, false));
}
