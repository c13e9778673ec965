use store::{StoreError, Writer};
use types::{Batch, Collection, Origin};

use crate::harness::{ALICE, Index, id, manifest, put};

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
