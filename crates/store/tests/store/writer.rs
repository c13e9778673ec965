use store::{StoreError, Writer};
use types::{Batch, Collection, CursorMove, Origin};

use crate::harness::{ALICE, Index, bad_manifest, id, manifest, put};

#[tokio::test]
async fn there_is_one_writer() {
    let index = Index::new().await;
    assert!(Writer::try_acquire(index.database.url(), 1).await.unwrap().is_none());
}

#[tokio::test]
async fn a_writer_that_was_replaced_is_fenced() {
    let mut index = Index::new().await;
    // What a standby does once the lock is free, while the old writer still believes that it holds it.
    index.client.execute("UPDATE writer SET epoch = epoch + 1", &[]).await.unwrap();
    let mut batch = Batch::new(Origin::Stream);
    batch.changes.push(put(1, id(ALICE, Collection::Manifest, "m"), &manifest("app", 1)));
    let refused = index.writer.apply(batch).await;
    assert!(matches!(refused, Err(StoreError::Fenced { ours: 1, theirs: 2 })), "{refused:?}");
    assert_eq!(index.count("SELECT count(*) FROM record").await, 0);
}

#[tokio::test]
async fn a_standby_takes_over_when_the_writer_goes() {
    let index = Index::new().await;
    let Index { database, writer, .. } = index;
    drop(writer);
    for _ in 0..100 {
        if Writer::try_acquire(database.url(), 1).await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nobody took over within 5 s");
}

/// Whether and when a standby gets in, asked as the indexer asks.
async fn take_over(url: &str) -> std::time::Duration {
    let began = std::time::Instant::now();
    while Writer::try_acquire(url, 1).await.unwrap().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert!(began.elapsed().as_secs() < 30, "nobody took over");
    }
    began.elapsed()
}

#[tokio::test]
async fn a_writer_that_falls_silent_is_replaced_and_one_that_beats_is_not() {
    let index = Index::new().await;
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_millis(3500) {
        index.writer.beat().await.unwrap();
        assert!(Writer::try_acquire(index.database.url(), 1).await.unwrap().is_none());
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    // The session stays open, and nothing is heard of it.
    let took = take_over(index.database.url()).await;
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    let refused = index.writer.beat().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_writer_that_stops_amid_a_copy_is_replaced() {
    let index = Index::new().await;
    // What a process does that is stopped while it sends rows: the server waits for more of them.
    let client = index.writer.client();
    client.batch_execute("BEGIN; UPDATE writer SET epoch = epoch").await.unwrap();
    let copy: tokio_postgres::CopyInSink<bytes::Bytes> = client.copy_in("COPY incoming FROM STDIN").await.unwrap();
    let took = take_over(index.database.url()).await;
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    drop(copy);
}

#[tokio::test]
async fn three_bad_rows_of_two_thousand_stand_alone() {
    let mut index = Index::new().await;
    let mut batch = Batch::new(Origin::Stream);
    for n in 0..2_000u64 {
        let rkey = id(ALICE, Collection::Manifest, &format!("m{n}"));
        let change = match n {
            7 | 1_000 | 1_999 => bad_manifest(n, &format!("m{n}")),
            _ => put(n, rkey, &manifest("app", (n % 200) as u8)),
        };
        batch.changes.push(change);
    }
    batch.cursor = Some(CursorMove { source: "s".into(), to: 9, safe_time: None });
    let applied = index.writer.apply(batch).await.unwrap();
    assert_eq!((applied.refused, applied.verdicts["applied"]), (3, 2_000));
    assert_eq!(index.count("SELECT count(*) FROM manifest").await, 1_997);
    assert_eq!(
        index.count("SELECT count(*) FROM record WHERE state = 'invalid' AND reason LIKE 'unstorable%'").await,
        3
    );
    assert_eq!(index.count("SELECT manifests::bigint FROM repository WHERE name = 'app'").await, 1_997);
    assert_eq!(index.count("SELECT position FROM cursor").await, 9);
    assert_eq!(index.count("SELECT events::bigint FROM archive").await, 2_000);
}
