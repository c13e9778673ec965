//! An index of its own for a way of delivery.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, rngs::StdRng, seq::SliceRandom as _};
use service::postgres::testing::TestDatabase;
use store::{
    Reader, Writer,
    fingerprint::{self, Fingerprint},
    observe::{self, ActorSeen, Status},
};
use tokio_postgres::Client;
use types::{Change, Did, Origin};

use super::facts::Facts;
use super::history::{Step, batch};
use super::shown;

/// The most changes of a batch; most are much smaller.
const MOST_CHANGES: usize = 400;

/// A database with its writer. Fields are dropped in this order: the database last.
pub struct Index {
    writer: Writer,
    reader: Reader,
    client: Client,
    generation: i32,
    _database: TestDatabase,
}

impl Index {
    pub async fn new() -> Result<Self> {
        let database = TestDatabase::create().await?;
        let generation = store::prepare(database.url()).await?;
        let writer = Writer::try_acquire(database.url(), generation).await?.context("somebody else writes")?;
        let reader = Reader::connect(database.url(), generation).await?;
        let client = store::connect(database.url(), Some(generation)).await?.client;
        Ok(Self { writer, reader, client, generation, _database: database })
    }

    /// Applies the steps of histories, each in its order, mixed at random: what one batch holds of a history is one step of it.
    pub async fn apply(&mut self, random: &mut StdRng, histories: Vec<Vec<Step>>) -> Result<()> {
        let mut todo: Vec<VecDeque<Step>> = histories.into_iter().map(VecDeque::from).collect();
        loop {
            todo.retain(|steps| !steps.is_empty());
            if todo.is_empty() {
                return Ok(());
            }
            // Not in turn: some histories are done before others have begun.
            todo.shuffle(random);
            let some = random.random_range(1..=todo.len());
            let mut batches: BTreeMap<&str, (Origin, Vec<Change>)> = BTreeMap::new();
            for steps in &mut todo[..some] {
                match steps.pop_front() {
                    Some(Step::Apply(origin, changes)) => {
                        let waiting = batches.entry(origin.as_str()).or_insert((origin, Vec::new()));
                        waiting.1.extend(changes);
                        if waiting.1.len() >= random.random_range(1..MOST_CHANGES) {
                            let (origin, changes) = std::mem::replace(waiting, (origin, Vec::new()));
                            self.writer.apply(batch(origin, changes)).await?;
                        }
                    }
                    Some(Step::Observe(did, active)) => self.observe(did, active).await?,
                    None => {}
                }
            }
            for (origin, changes) in batches.into_values() {
                self.writer.apply(batch(origin, changes)).await?;
            }
        }
    }

    async fn observe(&mut self, did: Did, active: bool) -> Result<()> {
        let name = if active { "active" } else { "deactivated" }.to_owned();
        let status = Some(Status { active, name });
        let seen = ActorSeen { did, handle: None, pds: None, hold_endpoint: None, status };
        Ok(observe::actor(&mut self.client, &seen, self.generation).await?)
    }

    /// Both digests; fails if those that are kept are not those of the ledger.
    pub async fn digests(&mut self) -> Result<Fingerprint> {
        let recount = fingerprint::recount(&mut self.client).await?;
        ensure!(recount.wrong.is_empty(), "the kept sums of {:?} are wrong", recount.wrong);
        Ok(fingerprint::take(&mut self.client).await?)
    }

    pub async fn shown(&self, numbers: &BTreeSet<u32>) -> Result<BTreeMap<u32, Facts>> {
        shown::shown(&self.client, &self.reader, numbers).await
    }
}
