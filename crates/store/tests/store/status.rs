//! What the index says of itself.

use store::sources;

use crate::harness::Index;

const URL: &str = "wss://a.example/subscribe";

async fn state(index: &Index) -> Option<String> {
    index.reader.status().await.unwrap().sources.remove(0).state
}

/// What the indexer said last is worth nothing once it is gone, or hears nothing.
#[tokio::test]
async fn a_source_is_as_the_indexer_says_only_while_one_runs() {
    let index = Index::new().await;
    sources::announce(&index.client, &[(URL, "jetstream_v1")], "standby").await.unwrap();
    sources::set_state(&index.client, URL, "connected").await.unwrap();
    // It may have been connected this moment, and heard before.
    let heard = |at: &'static str| index.client.execute(at, &[]);
    heard("UPDATE source SET heard_at = now() - interval '1 hour'").await.unwrap();
    assert_eq!(state(&index).await.as_deref(), Some("connected"));
    heard("UPDATE source SET changed_at = now() - interval '1 hour'").await.unwrap();
    assert_eq!(state(&index).await.as_deref(), Some("stalled"));
    sources::heard(&index.client, Some(chrono::Utc::now().timestamp_millis())).await.unwrap();
    assert_eq!(state(&index).await.as_deref(), Some("connected"));
    // What was heard long ago, by whoever was the writer then, is no news.
    sources::heard(&index.client, Some(1_000)).await.unwrap();
    assert_eq!(state(&index).await.as_deref(), Some("connected"));
    let Index { writer, reader, database: _database, .. } = index;
    drop(writer);
    // The session ends by itself in a moment.
    for _ in 0..500 {
        let source = reader.status().await.unwrap().sources.remove(0);
        if source.state.as_deref() == Some("stopped") {
            assert!(source.heard_at.is_some());
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it is said to be connected, and nobody runs");
}
