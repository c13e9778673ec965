//! The ledger: which changes are news, and the newest bytes of every record.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio_postgres::{Transaction, types::Type};
use types::{
    Batch, Change, Cid, Did, DropReason, Put, RecordId, Tid,
    records::{DECODER, Record, Refusal},
};

use super::{
    Applied, Verdict,
    copy::{Table, copy, row},
    decide::{Known, News, decide},
};
use crate::StoreError;

/// The temporary table of the writer's connection, through which rows reach the ledger.
const INCOMING: Table = Table {
    name: "incoming",
    columns: &[
        ("did", Type::TEXT),
        ("collection", Type::TEXT),
        ("rkey", Type::TEXT),
        ("rev", Type::TEXT),
        ("cid", Type::BYTEA),
        ("state", Type::TEXT),
        ("decoder", Type::INT4),
        ("reason", Type::TEXT),
        ("raw", Type::BYTEA),
        ("verification", Type::TEXT),
    ],
};

/// What a batch wrote into the ledger.
#[derive(Default)]
pub(crate) struct Written<'a> {
    /// Records whose projection has to be made anew (`Some`) or removed (`None`).
    pub projected: BTreeMap<RecordId, Option<&'a Record>>,
    /// What the fingerprint loses and gains: (before, after) of each record, `None` where there is none.
    pub contents: BTreeMap<RecordId, (Option<Cid>, Option<Cid>)>,
    /// Accounts whose repository has to be read again.
    pub conflicts: BTreeSet<Did>,
}

impl<'a> Written<'a> {
    /// Takes in what a later step of the same transaction wrote.
    pub fn merge(&mut self, later: Written<'a>) {
        self.projected.extend(later.projected);
        for (id, (before, after)) in later.contents {
            let entry = self.contents.entry(id).or_insert((before, after));
            entry.1 = after;
        }
        self.conflicts.extend(later.conflicts);
    }
}

/// A change of one record: what the two verbs have in common.
struct Candidate<'a> {
    id: &'a RecordId,
    news: News,
    put: Option<&'a Put>,
}

impl<'a> Candidate<'a> {
    fn of(change: &'a Change) -> Option<Self> {
        match change {
            Change::Put(put) => {
                Some(Self { id: &put.id, news: News { rev: put.rev, cid: Some(put.cid) }, put: Some(put) })
            }
            Change::Delete { id, rev } => Some(Self { id, news: News { rev: *rev, cid: None }, put: None }),
            Change::Snapshot { .. } | Change::Look { .. } => None,
        }
    }
}

/// Decides on every put and delete in order, and writes what is news.
pub(crate) async fn write<'a>(
    tx: &Transaction<'_>,
    batch: &'a Batch,
    applied: &mut Applied,
) -> Result<Written<'a>, StoreError> {
    let candidates: Vec<Candidate<'a>> = batch.changes.iter().filter_map(Candidate::of).collect();
    let mut written = Written::default();
    if candidates.is_empty() {
        return Ok(written);
    }
    let mut known = load(tx, &candidates).await?;
    let floors = load_floors(tx, &candidates).await?;
    let mut rows: BTreeMap<&RecordId, (News, Option<&Put>)> = BTreeMap::new();
    for candidate in candidates {
        let Candidate { id, news, put } = candidate;
        let before = known.get(id).and_then(|known| known.cid);
        let verdict = decide(known.get(id), floors.get(id.did.as_str()).copied(), news, batch.origin, DECODER);
        applied.count(verdict);
        match verdict {
            Verdict::Dropped(DropReason::Conflict) => {
                written.conflicts.insert(id.did.clone());
            }
            Verdict::Dropped(_) => {}
            Verdict::Applied | Verdict::Advanced => {
                known.insert(id.clone(), Known { rev: news.rev, cid: news.cid, decoder: DECODER });
                rows.insert(id, (news, put));
                written.contents.entry(id.clone()).or_insert((before, None)).1 = news.cid;
                if verdict == Verdict::Applied {
                    if put.is_some_and(|put| matches!(put.record, Err(Refusal::Forged(_)))) {
                        applied.count_forged();
                    }
                    let record = put.and_then(|put| put.record.as_ref().ok());
                    written.projected.insert(id.clone(), record);
                }
            }
        }
    }
    save(tx, &rows).await?;
    Ok(written)
}

async fn load(tx: &Transaction<'_>, candidates: &[Candidate<'_>]) -> Result<HashMap<RecordId, Known>, StoreError> {
    let ids: BTreeSet<&RecordId> = candidates.iter().map(|candidate| candidate.id).collect();
    let dids: Vec<&str> = ids.iter().map(|id| id.did.as_str()).collect();
    let collections: Vec<&str> = ids.iter().map(|id| id.collection.as_str()).collect();
    let rkeys: Vec<&str> = ids.iter().map(|id| id.rkey.as_str()).collect();
    let rows = tx
        .query(
            "SELECT did, collection, rkey, rev, cid, decoder FROM record
             JOIN unnest($1::text[], $2::text[], $3::text[]) AS key (did, collection, rkey) USING (did, collection, rkey)",
            &[&dids, &collections, &rkeys],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let id = RecordId {
                did: row.get::<_, &str>("did").parse()?,
                collection: row.get::<_, &str>("collection").parse()?,
                rkey: row.get::<_, &str>("rkey").parse()?,
            };
            let cid: Option<&[u8]> = row.get("cid");
            let cid = cid.map(Cid::from_bytes).transpose().map_err(|error| StoreError::Statement(Box::new(error)))?;
            let rev: Tid = row.get::<_, &str>("rev").parse()?;
            Ok((id, Known { rev, cid, decoder: row.get("decoder") }))
        })
        .collect()
}

async fn load_floors(tx: &Transaction<'_>, candidates: &[Candidate<'_>]) -> Result<HashMap<String, Tid>, StoreError> {
    let dids: BTreeSet<&str> = candidates.iter().map(|candidate| candidate.id.did.as_str()).collect();
    let dids: Vec<&str> = dids.into_iter().collect();
    let rows =
        tx.query("SELECT did, floor_rev FROM actor WHERE did = ANY($1) AND floor_rev IS NOT NULL", &[&dids]).await?;
    rows.iter().map(|row| Ok((row.get("did"), row.get::<_, &str>("floor_rev").parse()?))).collect()
}

async fn save(tx: &Transaction<'_>, rows: &BTreeMap<&RecordId, (News, Option<&Put>)>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = rows
        .iter()
        .map(|(id, (news, put))| {
            let reason = put
                .and_then(|put| put.record.as_ref().err())
                .map(|refusal| refusal.to_string().replace('\0', "\u{fffd}"));
            let state = match (put, &reason) {
                (None, _) => "deleted",
                (Some(_), Some(_)) => "invalid",
                (Some(_), None) => "ok",
            };
            let (rev, cid) = (news.rev.to_string(), news.cid.map(Cid::to_bytes));
            let raw = put.map(|put| &*put.raw);
            let verification = put.map(|put| put.verification.as_str());
            row![
                id.did.as_str(),
                id.collection.as_str(),
                id.rkey.as_str(),
                rev,
                cid,
                state,
                DECODER,
                reason,
                raw,
                verification
            ]
        })
        .collect();
    copy(tx, &INCOMING, &rows).await?;
    tx.execute(
        "INSERT INTO record SELECT * FROM incoming ON CONFLICT (did, collection, rkey) DO UPDATE
         SET rev = excluded.rev, cid = excluded.cid, state = excluded.state, decoder = excluded.decoder,
             reason = excluded.reason, raw = excluded.raw, verification = excluded.verification",
        &[],
    )
    .await?;
    Ok(())
}
