//! The index is a function of the set of records: histories with every collection, both generations, lies and losses are
//! applied as an uninterrupted stream tells them, and in any order, duplication, batching and mixture of origins. Both
//! indexes have the same digests, and both show what a fold in memory, written from the records' description, expects.
//!
//! `CROWSNEST_TEST_SEED` chooses the histories; without it they are always the same, or random with `--full`.

mod apply;
pub mod cid;
mod content;
mod facts;
pub mod generate;
pub mod history;
mod oracle;
mod shown;
mod shrink;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::harness::{full, passed};
use apply::Index;
use history::History;

/// How many histories there are.
const HISTORIES: u32 = 1_000;

/// The histories that are tried.
fn seed() -> Result<u64> {
    Ok(match std::env::var("CROWSNEST_TEST_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) if full() => rand::random::<u32>().into(),
        Err(_) => 1,
    })
}

#[tokio::test]
async fn the_index_is_a_function_of_the_records() -> Result<()> {
    let seed = seed()?;
    println!("{HISTORIES} histories, CROWSNEST_TEST_SEED={seed}");
    let histories: Vec<History> = (1..=HISTORIES).map(|number| generate::history(seed, number)).collect();
    let (mut plain, mut mixed) = (Index::new().await?, Index::new().await?);
    let (mut random, mut other) = (StdRng::seed_from_u64(seed), StdRng::seed_from_u64(!seed));
    tokio::try_join!(
        plain.apply(&mut random, histories.iter().map(History::plainly).collect()),
        mixed.apply(&mut other, histories.iter().map(History::as_delivered).collect()),
    )?;
    let numbers: BTreeSet<u32> = histories.iter().map(|history| history.number).collect();
    let (in_order, in_disorder) = tokio::try_join!(plain.shown(&numbers), mixed.shown(&numbers))?;
    let mut wrong = Vec::new();
    for history in &histories {
        let expected = oracle::expected(history);
        for (way, shown) in [("in order", &in_order), ("as delivered", &in_disorder)] {
            let differences = expected.differences(&shown[&history.number]);
            if !differences.is_empty() {
                wrong.push((history, way, differences));
            }
        }
    }
    let mut kinds: BTreeSet<&str> = BTreeSet::new();
    for (history, way, differences) in &wrong {
        // One example of each kind of fact.
        let new =
            differences.iter().filter(|difference| kinds.insert(difference.split(' ').next().unwrap_or_default()));
        if new.count() > 0 {
            println!("history {}, {way}:\n  {}", history.number, differences.join("\n  "));
        }
    }
    if let Some((history, ..)) = wrong.first() {
        println!("{}", shrink::smallest(history).await?);
    }
    ensure!(wrong.is_empty(), "{} indexes of histories are wrong, CROWSNEST_TEST_SEED={seed}", wrong.len());
    let records = oracle::digest(histories.iter());
    let (in_order, in_disorder) = (plain.digests().await?, mixed.digests().await?);
    println!("records {} ({}), view {}", records.0, records.1, in_order.view.digest);
    assert_eq!(
        (&in_order.records.digest, in_order.records.rows),
        (&records.0, records.1),
        "CROWSNEST_TEST_SEED={seed}"
    );
    assert_eq!(in_order, in_disorder, "CROWSNEST_TEST_SEED={seed}");
    passed()
}

/// What an index of one history gets wrong, applied in both ways.
async fn differences(history: &History) -> Result<Vec<String>> {
    let expected = oracle::expected(history);
    let mut found = Vec::new();
    for (way, steps) in [("in order", history.plainly()), ("as delivered", history.as_delivered())] {
        let mut index = Index::new().await?;
        index.apply(&mut StdRng::seed_from_u64(0), vec![steps]).await?;
        let shown: BTreeMap<_, _> = index.shown(&BTreeSet::from([history.number])).await?;
        let differences = expected.differences(&shown[&history.number]);
        found.extend(differences.into_iter().map(|difference| format!("{way}: {difference}")));
    }
    Ok(found)
}
