//! The ledger: which changes are news.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures::{FutureExt as _, TryStreamExt as _, future::try_join, stream::FuturesOrdered};
use types::{
    Change, Cid, Did, DropReason, Origin, Put, RecordId, Tid, Verification,
    records::{DECODER, Record},
};

use super::{
    Transaction, Verdict,
    decide::{Known, News, decide},
    entries::{Entries, Entry},
    lent::Lent,
    quota::Quotas,
};
use crate::{StoreError, records::record_id};

/// What a batch wrote into the ledger.
#[derive(Default)]
pub(crate) struct Written<'a> {
    /// Records whose projection has to be made anew (`Some`) or removed (`None`).
    pub projected: BTreeMap<RecordId, Option<Lent<'a, Record>>>,
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

/// So many changes are decided on while the server looks up what it has of the next.
const CHANGES_A_TURN: usize = 400;

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

/// What a record says, if it can be believed.
fn readable<'a>(put: &Lent<'a, Put>) -> Option<Lent<'a, Record>> {
    if put.verification == Verification::Mismatch {
        return None;
    }
    match put {
        Lent::Lent(put) => put.record.as_ref().ok().map(Lent::Lent),
        Lent::Own(put) => put.record.as_ref().ok().cloned().map(Lent::own),
    }
}

/// Content that is projected anew keeps the better check that it had. Where what came was not hashed itself, that check was
/// not of its bytes: those of the ledger are read again in its place.
fn keep_the_better<'a>(known: &Known, news: &mut News, put: &mut Option<Lent<'a, Put>>) {
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
        *put = Some(Lent::own(decoded));
    }
}

/// Decides on every put and delete in order: what that means for the index, and the ledger's rows to [write](super::entries::save).
/// Verdicts are told by the change's place. What the ledger has is loaded in turns: one is decided on while the server looks up
/// the next.
pub(crate) async fn decide_all<'a>(
    tx: &Transaction<'_>,
    origin: Origin,
    changes: &'a [Change],
    quotas: &mut Quotas,
    mut tell: impl FnMut(usize, Verdict),
) -> Result<(Written<'a>, Entries<'a>), StoreError> {
    let candidates: Vec<Candidate<'a>> = changes.iter().enumerate().filter_map(Candidate::of).collect();
    if candidates.is_empty() {
        return Ok(Default::default());
    }
    let mut seen = HashSet::new();
    let mut loads = FuturesOrdered::new();
    for turn in candidates.chunks(CHANGES_A_TURN) {
        let ids = turn.iter().map(|candidate| candidate.id).filter(|id| seen.insert(*id));
        loads.push_back(load(tx, ids.collect()).boxed());
    }
    // The floors first: their answer comes before those of the later turns, which nobody takes until they are wanted.
    let (floors, mut loaded) = try_join(load_floors(tx, &candidates), loads.try_next()).await?;
    let mut deciding = Deciding::new(origin, floors, quotas);
    for turn in candidates.chunks(CHANGES_A_TURN) {
        for (id, known) in loaded.into_iter().flatten() {
            deciding.old.insert(id);
            deciding.known.insert(id, known);
        }
        for candidate in turn {
            tell(candidate.at, deciding.decide(candidate));
        }
        loaded = loads.try_next().await?;
    }
    Ok((deciding.written, deciding.entries))
}

/// Decisions of a batch, so far.
struct Deciding<'a, 'q> {
    origin: Origin,
    floors: HashMap<String, Tid>,
    quotas: &'q mut Quotas,
    /// What the ledger has, or will have.
    known: HashMap<&'a RecordId, Known>,
    /// What it had before the batch.
    old: HashSet<&'a RecordId>,
    written: Written<'a>,
    entries: Entries<'a>,
}

impl<'a, 'q> Deciding<'a, 'q> {
    fn new(origin: Origin, floors: HashMap<String, Tid>, quotas: &'q mut Quotas) -> Self {
        let written = Written { is_reading: origin == Origin::Backfill, ..Written::default() };
        let (known, old, entries) = (HashMap::new(), HashSet::new(), Entries::default());
        Self { origin, floors, quotas, known, old, written, entries }
    }

    fn decide(&mut self, candidate: &Candidate<'a>) -> Verdict {
        let Candidate { id, mut news, put, .. } = *candidate;
        let old = self.known.get(id);
        let before = old.and_then(|known| known.cid);
        let mut put = put.map(Lent::Lent);
        let mut verdict = decide(old, self.floors.get(id.did.as_str()).copied(), news, self.origin, DECODER);
        // A repository that is read has its own bounds.
        let is_live = matches!(self.origin, Origin::Stream | Origin::Hold);
        // The deletion of a known record leaves less than was there.
        let is_written = matches!(verdict, Verdict::Applied | Verdict::Verified) && (put.is_some() || old.is_none());
        let bytes = put.as_ref().map_or(0, |put| put.raw.len());
        if is_written && is_live && !self.quotas.take_record(&id.did, old.is_none(), bytes) {
            verdict = Verdict::Dropped(DropReason::Quota);
        }
        if let (Verdict::Applied, Some(old)) = (verdict, old) {
            keep_the_better(old, &mut news, &mut put);
        }
        self.written.note(&id.did, verdict, news, self.origin);
        match verdict {
            Verdict::Dropped(_) => {}
            Verdict::Advanced => {
                if let Some(known) = self.known.get_mut(id) {
                    known.rev = news.rev;
                }
                self.entries.advance(id, news.rev);
            }
            Verdict::Applied | Verdict::Verified => {
                let News { rev, cid, verification } = news;
                self.known.insert(id, Known { rev, cid, decoder: DECODER, verification, raw: None });
                self.written.contents.entry(id.clone()).or_insert((before, None)).1 = news.cid;
                if verdict == Verdict::Applied {
                    self.written.projected.insert(id.clone(), put.as_ref().and_then(readable));
                }
                self.entries.replace(id, Entry { news, put, is_known: self.old.contains(id) });
            }
        }
        verdict
    }
}

async fn load<'a>(tx: &Transaction<'_>, ids: Vec<&'a RecordId>) -> Result<HashMap<&'a RecordId, Known>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: HashSet<&'a RecordId> = ids.into_iter().collect();
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
    let dids: HashSet<&str> = candidates.iter().map(|candidate| candidate.id.did.as_str()).collect();
    let dids: Vec<&str> = dids.into_iter().collect();
    let rows =
        tx.query("SELECT did, floor_rev FROM actor WHERE did = ANY($1) AND floor_rev IS NOT NULL", &[&dids]).await?;
    rows.iter().map(|row| Ok((row.get("did"), row.get::<_, &str>("floor_rev").parse()?))).collect()
}
