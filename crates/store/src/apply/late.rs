//! Purged accounts that have not come back. What a stream, or a job that was under way, still brings of them is no news, and is
//! not kept for other purposes either.

use std::collections::HashMap;

use tokio_postgres::Client;
use types::{Batch, Change, Did, Tid};

use crate::{StoreError, archive::Entry};

/// Such accounts, and up to which revision they were purged. Few: all are in memory.
#[derive(Default)]
pub(super) struct Purged(HashMap<Did, Tid>);

impl Purged {
    /// Goes on from what earlier writers purged.
    pub async fn load(client: &Client) -> Result<Self, StoreError> {
        let gone =
            "SELECT did, floor_rev FROM actor WHERE purged_at IS NOT NULL AND NOT active AND floor_rev IS NOT NULL";
        let rows = client.query(gone, &[]).await?;
        let accounts = rows.iter().map(|row| Ok((row.get::<_, &str>(0).parse()?, row.get::<_, &str>(1).parse()?)));
        Ok(Self(accounts.collect::<Result<_, StoreError>>()?))
    }

    /// Forgets those of whom a batch speaks and who are back: others than the writer learn of it.
    pub async fn look_again(&mut self, client: &Client, batch: &Batch) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let named = batch.changes.iter().map(Change::did);
        let named = named.chain(batch.arrivals.iter().filter_map(|arrival| arrival.did.as_ref()));
        let named = named.chain(batch.rejects.iter().filter_map(|reject| reject.did.as_ref()));
        let named: Vec<&str> = named.filter(|did| self.0.contains_key(*did)).map(Did::as_str).collect();
        if named.is_empty() {
            return Ok(());
        }
        let back = "SELECT did FROM actor WHERE did = ANY($1) AND (active OR purged_at IS NULL)";
        for row in client.query(back, &[&named]).await? {
            self.0.remove(&row.get::<_, &str>(0).parse::<Did>()?);
        }
        Ok(())
    }

    /// Whether an event has nothing that is newer than the purge of its account.
    pub fn is_late(&self, event: &Entry) -> bool {
        let purged = event.did.as_ref().and_then(|did| self.0.get(did));
        purged.is_some_and(|floor| event.parts.iter().all(|part| part.rev.is_none_or(|rev| rev <= *floor)))
    }

    /// Whether what is refused of an account is not kept.
    pub fn holds(&self, did: Option<&Did>) -> bool {
        did.is_some_and(|did| self.0.contains_key(did))
    }

    /// Remembers whom an applied batch purged.
    pub fn add(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::Purge { did, rev } = change {
                let floor = self.0.entry(did.clone()).or_insert(*rev);
                *floor = (*floor).max(*rev);
            }
        }
    }
}
