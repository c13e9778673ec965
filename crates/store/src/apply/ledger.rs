//! The ledger: which changes are news, and the newest bytes of every record.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use futures::future::try_join;
use tokio_postgres::types::Type;
use types::{
    Change, Cid, Did, DropReason, Origin, Put, RecordId, Tid, Verification,
    records::{DECODER, Record},
};

use super::{
    Transaction, Verdict,
    copy::{Rows, Table},
    decide::{Known, News, decide},
    quota::Quotas,
};
use crate::{StoreError, records::record_id};

const COLUMNS: &[(&str, Type)] = &[
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
];
/// Records that are new go straight into the ledger.
const RECORD: Table = Table { name: "record", columns: COLUMNS };
/// The temporary table of the writer's connection, through which others replace what the ledger has of them.
const INCOMING: Table = Table { name: "incoming", columns: COLUMNS };

/// What a batch wrote into the ledger.
#[derive(Default)]
pub(crate) struct Written<'a> {
    /// Records whose projection has to be made anew (`Some`) or removed (`None`).
    pub projected: BTreeMap<RecordId, Option<Cow<'a, Record>>>,
    /// What the fingerprint loses and gains: (before, after) of each record, `None` where there is none.
    pub contents: BTreeMap<RecordId, (Option<Cid>, Option<Cid>)>,
    /// Accounts whose repository has to be read again.
    pub conflicts: BTreeSet<Did>,
    /// Accounts whose repository has to be asked for what a stream could not prove; nothing is wrong meanwhile.
    pub unproved: BTreeSet<Did>,
    /// Accounts whose repository has to be read tomorrow: they wrote more than is taken in a day.
    pub put_off: BTreeSet<Did>,
    /// Whether this comes of reading a repository, which also mends what the index has lost of itself.
    is_reading: bool,
    /// Accounts that a snapshot or a purge was the first to name.
    pub met: BTreeSet<String>,
}

impl<'a> Written<'a> {
    /// Whether the index may have rows of a record from before.
    pub fn replaces(&self, id: &RecordId) -> bool {
        self.is_reading || self.contents.get(id).is_none_or(|(before, _)| before.is_some())
    }

    /// Takes in what a later step of the same transaction wrote.
    pub fn merge(&mut self, later: Written<'a>) {
        self.projected.extend(later.projected);
        for (id, (before, after)) in later.contents {
            let entry = self.contents.entry(id).or_insert((before, after));
            entry.1 = after;
        }
        self.conflicts.extend(later.conflicts);
        self.unproved.extend(later.unproved);
        self.put_off.extend(later.put_off);
        self.met.extend(later.met);
    }

    /// What the network has to be asked, now that `verdict` is what became of a change.
    fn note(&mut self, did: &Did, verdict: Verdict, news: News, origin: Origin) {
        match (verdict, news.verification) {
            (Verdict::Dropped(DropReason::Conflict), _) => drop(self.conflicts.insert(did.clone())),
            (Verdict::Dropped(DropReason::Quota), _) => drop(self.put_off.insert(did.clone())),
            // What the repository itself says was asked already.
            _ if origin == Origin::Backfill => {}
            (Verdict::Applied, Some(Verification::Mismatch)) => drop(self.conflicts.insert(did.clone())),
            (Verdict::Applied, Some(Verification::Unverifiable)) => drop(self.unproved.insert(did.clone())),
            _ => {}
        }
    }
}

/// A change of one record: what the two verbs have in common.
struct Candidate<'a> {
    /// Its place among the changes.
    at: usize,
    id: &'a RecordId,
    news: News,
    put: Option<&'a Put>,
}

impl<'a> Candidate<'a> {
    fn of((at, change): (usize, &'a Change)) -> Option<Self> {
        match change {
            Change::Put(put) => {
                let news = News { rev: put.rev, cid: Some(put.cid), verification: Some(put.verification) };
                Some(Self { at, id: &put.id, news, put: Some(put) })
            }
            Change::Delete { id, rev } => {
                Some(Self { at, id, news: News { rev: *rev, cid: None, verification: None }, put: None })
            }
            Change::Snapshot { .. } | Change::Purge { .. } | Change::Look { .. } => None,
        }
    }
}

/// The ledger's rows that a batch writes.
#[derive(Default)]
pub(crate) struct Entries<'a> {
    whole: BTreeMap<&'a RecordId, Entry<'a>>,
    /// Only the revision moves.
    revs: BTreeMap<&'a RecordId, Tid>,
}

struct Entry<'a> {
    news: News,
    put: Option<Cow<'a, Put>>,
    /// Whether the ledger had a row of it before the batch.
    is_known: bool,
}

/// What a record says, if it can be believed.
fn readable<'a>(put: &Cow<'a, Put>) -> Option<Cow<'a, Record>> {
    if put.verification == Verification::Mismatch {
        return None;
    }
    match put {
        Cow::Borrowed(put) => put.record.as_ref().ok().map(Cow::Borrowed),
        Cow::Owned(put) => put.record.as_ref().ok().cloned().map(Cow::Owned),
    }
}

/// Content that is projected anew keeps the better check that it had. Where what came was not hashed itself, that check was
/// not of its bytes: those of the ledger are read again in its place.
fn keep_the_better<'a>(known: &Known, news: &mut News, put: &mut Option<Cow<'a, Put>>) {
    if known.cid != news.cid || known.verification <= news.verification {
        return;
    }
    let Some(came) = put.as_ref().filter(|put| put.verification < Verification::CidChecked) else {
        news.verification = known.verification;
        return;
    };
    // What is too large was not kept.
    let kept = known.raw.clone().filter(|raw| !raw.is_empty());
    if let (Some(raw), Some(verification)) = (kept, known.verification) {
        let decoded = Put::decode(came.id.clone(), news.rev, came.cid, raw, verification);
        news.verification = known.verification;
        *put = Some(Cow::Owned(decoded));
    }
}

/// Decides on every put and delete in order: what that means for the index, and the ledger's rows to [write](save). Verdicts
/// are told by the change's place.
pub(crate) async fn decide_all<'a>(
    tx: &Transaction<'_>,
    origin: Origin,
    changes: &'a [Change],
    quotas: &mut Quotas,
    mut tell: impl FnMut(usize, Verdict),
) -> Result<(Written<'a>, Entries<'a>), StoreError> {
    let candidates: Vec<Candidate<'a>> = changes.iter().enumerate().filter_map(Candidate::of).collect();
    let mut written = Written { is_reading: origin == Origin::Backfill, ..Written::default() };
    let mut entries = Entries::default();
    if candidates.is_empty() {
        return Ok((written, entries));
    }
    let (mut known, floors) = try_join(load(tx, &candidates), load_floors(tx, &candidates)).await?;
    let is_old: HashSet<&RecordId> = known.keys().copied().collect();
    let is_live = matches!(origin, Origin::Stream | Origin::Hold);
    for Candidate { at, id, mut news, put } in candidates {
        let old = known.get(id);
        let before = old.and_then(|known| known.cid);
        let mut put = put.map(Cow::Borrowed);
        let mut verdict = decide(old, floors.get(id.did.as_str()).copied(), news, origin, DECODER);
        // A repository that is read has its own bounds.
        // The deletion of a known record leaves less than was there.
        let is_written = matches!(verdict, Verdict::Applied | Verdict::Verified) && (put.is_some() || old.is_none());
        let bytes = put.as_ref().map_or(0, |put| put.raw.len());
        if is_written && is_live && !quotas.take_record(&id.did, old.is_none(), bytes) {
            verdict = Verdict::Dropped(DropReason::Quota);
        }
        if let (Verdict::Applied, Some(old)) = (verdict, old) {
            keep_the_better(old, &mut news, &mut put);
        }
        tell(at, verdict);
        written.note(&id.did, verdict, news, origin);
        match verdict {
            Verdict::Dropped(_) => {}
            Verdict::Advanced => {
                if let Some(known) = known.get_mut(id) {
                    known.rev = news.rev;
                }
                match entries.whole.get_mut(id) {
                    Some(entry) => entry.news.rev = news.rev,
                    None => drop(entries.revs.insert(id, news.rev)),
                }
            }
            Verdict::Applied | Verdict::Verified => {
                let News { rev, cid, verification } = news;
                known.insert(id, Known { rev, cid, decoder: DECODER, verification, raw: None });
                written.contents.entry(id.clone()).or_insert((before, None)).1 = news.cid;
                if verdict == Verdict::Applied {
                    written.projected.insert(id.clone(), put.as_ref().and_then(readable));
                }
                entries.whole.insert(id, Entry { news, put, is_known: is_old.contains(id) });
                entries.revs.remove(id);
            }
        }
    }
    Ok((written, entries))
}

async fn load<'a>(
    tx: &Transaction<'_>,
    candidates: &[Candidate<'a>],
) -> Result<HashMap<&'a RecordId, Known>, StoreError> {
    let ids: BTreeSet<&'a RecordId> = candidates.iter().map(|candidate| candidate.id).collect();
    let dids: Vec<&str> = ids.iter().map(|id| id.did.as_str()).collect();
    let collections: Vec<&str> = ids.iter().map(|id| id.collection.as_str()).collect();
    let rkeys: Vec<&str> = ids.iter().map(|id| id.rkey.as_str()).collect();
    let rows = tx
        .query(
            "SELECT did, collection, rkey, rev, cid, decoder, verification, CASE WHEN decoder < $4 THEN raw END AS raw
             FROM record
             JOIN unnest($1::text[], $2::text[], $3::text[]) AS key (did, collection, rkey) USING (did, collection, rkey)",
            &[&dids, &collections, &rkeys, &DECODER],
        )
        .await?;
    rows.iter()
        .filter_map(|row| record_id(row).map(|id| Some((*ids.get(&id)?, row))).transpose())
        .map(|found| {
            let (id, row) = found?;
            let cid: Option<&[u8]> = row.get("cid");
            let cid = cid.map(Cid::from_bytes).transpose()?;
            let rev: Tid = row.get::<_, &str>("rev").parse()?;
            let verification = row.get::<_, Option<&str>>("verification").map(str::parse).transpose()?;
            let verification: Option<Verification> = verification
                // A row that an earlier version wrote.
                .or(cid.map(|_| Verification::Unverifiable));
            let raw = row.get::<_, Option<&[u8]>>("raw").map(Into::into);
            Ok((id, Known { rev, cid, decoder: row.get("decoder"), verification, raw }))
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

/// Why a record counts for nothing.
fn reason(put: &Put) -> Option<String> {
    if put.verification == Verification::Mismatch {
        return Some(format!("mismatch: what came does not hash to {}", put.cid));
    }
    put.record.as_ref().err().map(|refusal| refusal.to_string().replace('\0', "\u{fffd}"))
}

async fn save_revs(tx: &Transaction<'_>, revs: &BTreeMap<&RecordId, Tid>) -> Result<(), StoreError> {
    if revs.is_empty() {
        return Ok(());
    }
    let dids: Vec<&str> = revs.keys().map(|id| id.did.as_str()).collect();
    let collections: Vec<&str> = revs.keys().map(|id| id.collection.as_str()).collect();
    let rkeys: Vec<&str> = revs.keys().map(|id| id.rkey.as_str()).collect();
    let revs: Vec<String> = revs.values().map(Tid::to_string).collect();
    tx.execute(
        "UPDATE record r SET rev = k.rev FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) k (did, collection, rkey, rev)
         WHERE (r.did, r.collection, r.rkey) = (k.did, k.collection, k.rkey)",
        &[&dids, &collections, &rkeys, &revs],
    )
    .await?;
    Ok(())
}

/// Writes what [`decide_all`] found.
pub(crate) async fn save(tx: &Transaction<'_>, entries: &Entries<'_>) -> Result<(), StoreError> {
    let (mut new, mut moved) = (Rows::new(&RECORD), Rows::new(&INCOMING));
    let mut moves = false;
    for (id, entry) in &entries.whole {
        moves |= entry.is_known;
        push(if entry.is_known { &mut moved } else { &mut new }, id, entry)?;
    }
    new.copy(tx).await?;
    if moves {
        moved.copy(tx).await?;
        tx.execute(
            "UPDATE record r
             SET rev = i.rev, cid = i.cid, state = i.state, decoder = i.decoder, reason = i.reason, raw = i.raw,
                 verification = i.verification
             FROM incoming i WHERE (r.did, r.collection, r.rkey) = (i.did, i.collection, i.rkey)",
            &[],
        )
        .await?;
    }
    save_revs(tx, &entries.revs).await
}

/// Adds a row of the ledger.
fn push(rows: &mut Rows, id: &RecordId, Entry { news, put, .. }: &Entry<'_>) -> Result<(), StoreError> {
    let put = put.as_deref();
    let reason = put.and_then(reason);
    let state = match (put, &reason) {
        (None, _) => "deleted",
        (Some(_), Some(_)) => "invalid",
        (Some(_), None) => "ok",
    };
    rows.push(&[
        &id.did.as_str(),
        &id.collection.as_str(),
        &id.rkey.as_str(),
        &news.rev.to_string(),
        &news.cid.map(Cid::to_bytes),
        &state,
        &DECODER,
        &reason,
        &put.map(|put| &*put.raw),
        &news.verification.map(Verification::as_str),
    ])
}
