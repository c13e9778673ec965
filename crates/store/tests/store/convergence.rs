//! The index is a function of the set of records, whatever the order, number and batching of commits.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::Value;
use types::{Change, Collection, RecordId};

use crate::harness::{ALICE, BOB, Index, delete, id, manifest, page, put, star, tag};

/// One commit to one record: which record, and what it becomes.
#[derive(Clone, Debug)]
struct Op {
    record: u8,
    content: Option<u8>,
}

fn address(record: u8) -> RecordId {
    let did = if record.is_multiple_of(2) { ALICE } else { BOB };
    match record / 2 % 5 {
        0 => id(did, Collection::Manifest, "m1"),
        1 => id(did, Collection::Manifest, "m2"),
        2 => id(did, Collection::Tag, "t"),
        3 => id(did, Collection::Star, "s"),
        _ => id(did, Collection::Page, "app"),
    }
}

fn content(id: &RecordId, n: u8) -> Value {
    let did = id.did.as_str();
    let repository = if n.is_multiple_of(3) { "other" } else { "app" };
    if n.is_multiple_of(7) {
        return serde_json::json!({"nonsense": n});
    }
    match id.collection {
        Collection::Manifest => manifest(repository, n),
        Collection::Tag => tag(did, repository, "latest", if n.is_multiple_of(2) { "m1" } else { "m2" }, n),
        Collection::Star => star(ALICE, repository, n.is_multiple_of(2)),
        _ => page(repository, &format!("Text {n}.")),
    }
}

fn change(n: usize, op: &Op) -> Change {
    let id = address(op.record);
    let rev = n as u64 + 1;
    match op.content {
        Some(c) => put(rev, id.clone(), &content(&id, c)),
        None => delete(rev, id),
    }
}

type History = (Vec<Op>, Vec<prop::sample::Index>, Vec<u8>);

fn history() -> impl Strategy<Value = History> {
    let op = (0u8..10, prop::option::weighted(0.75, 0u8..30)).prop_map(|(record, content)| Op { record, content });
    (1usize..25).prop_flat_map(move |n| {
        (
            prop::collection::vec(op.clone(), n),
            prop::collection::vec(any::<prop::sample::Index>(), n * 2),
            prop::collection::vec(1u8..6, n * 3),
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn any_order_duplication_and_batching_gives_the_same_index() {
    let (mut ordered, mut shuffled) = (Index::new().await, Index::new().await);
    let mut runner = TestRunner::deterministic();
    for case in 0..40 {
        let (ops, swaps, sizes) = history().new_tree(&mut runner).unwrap().current();
        for index in [&ordered, &shuffled] {
            wipe(index).await;
        }
        let changes: Vec<Change> = ops.iter().enumerate().map(|(n, op)| change(n, op)).collect();
        for one in &changes {
            ordered.apply(vec![one.clone()]).await;
        }
        // Every change at least once, some twice, in any order, in batches of any size.
        let mut mixed = changes.clone();
        mixed.extend(swaps.iter().take(ops.len()).map(|pick| pick.get(&changes).clone()));
        for (i, pick) in swaps.iter().enumerate() {
            let (i, j) = (i % mixed.len(), pick.index(mixed.len()));
            mixed.swap(i, j);
        }
        let mut rest = mixed.as_slice();
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(usize::from(*sizes.next().unwrap()).min(rest.len()));
            shuffled.apply(batch.to_vec()).await;
            rest = later;
        }
        assert_eq!(ordered.dump().await, shuffled.dump().await, "case {case}: {ops:?}");
        assert_eq!(
            ordered.reader.records_fingerprint().await.unwrap(),
            shuffled.reader.records_fingerprint().await.unwrap()
        );
    }
}

async fn wipe(index: &Index) {
    index
        .client
        .batch_execute(
            "TRUNCATE record, fingerprint, manifest, layer, platform, tag, star, star_edge, hold, crew, hold_stats, scan,
                      profile, page, repository, job;
             -- The rows of accounts stay for ever: writers remember who has one.
             UPDATE actor SET active = true, floor_rev = NULL",
        )
        .await
        .unwrap();
}
