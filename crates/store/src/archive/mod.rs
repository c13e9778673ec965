//! Every event in scope as it came, before it was decoded, from every path, with what became of it. The writer packs the
//! events of a batch into a chunk (`chunk`) and keeps it in the batch's transaction (`record`); age and size are kept in
//! bounds by [`prune`]. A reading ([`read`]) is for replays; a purge takes an account out of it ([`scrub`]).

mod chunk;
mod keep;
mod record;

use bytes::Bytes;
use chrono::NaiveDate;
use futures::{Stream, StreamExt as _, stream};
use tokio_postgres::{Client, Row};
use types::{Cid, Collection, Did, Form, Rkey, Tid};

pub(crate) use keep::make_partitions;
pub use keep::{Limits, Pruned, prune};
pub(crate) use record::Recording;

use crate::StoreError;

/// An event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose, when that could be read.
    pub did: Option<Did>,
    /// When it came, in microseconds since 1970.
    pub received_at: i64,
    /// Where its source stood after it.
    pub position: Option<i64>,
    /// How its bytes are to be read; `None` for what an earlier version kept.
    pub form: Option<Form>,
    /// Its bytes, as they came.
    pub raw: Bytes,
    /// What it was made of.
    pub parts: Vec<Part>,
}

/// A part of an event: a change of one record, a hint, or what was refused of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The record's collection; with `rkey`, `None` for what speaks of no record.
    pub collection: Option<Collection>,
    /// The record's key.
    pub rkey: Option<Rkey>,
    /// The revision, by the event's word or, where that tells none, that of the repository when it was read.
    pub rev: Option<Tid>,
    /// The record's CID; `None` for deletions too.
    pub cid: Option<Cid>,
    /// What became of it: a verdict of the writer, or the reason for which it was refused.
    pub verdict: String,
}

/// An event, and which chunk it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The day on which it was written.
    pub day: NaiveDate,
    /// The chunk's number; chunks are numbered in the order in which they were begun.
    pub seq: i64,
    /// The path by which it came, as [`types::Origin::as_str`].
    pub origin: String,
    /// The source's URL, without query, if it came by a stream.
    pub source: Option<String>,
    /// The event.
    pub entry: Entry,
}

/// Reads the archive from the first day to the last one in the order in which it was written, one account's events or all.
/// A chunk at a time is in memory.
pub fn read<'a>(
    client: &'a Client,
    days: std::ops::RangeInclusive<NaiveDate>,
    did: Option<&'a Did>,
) -> impl Stream<Item = Result<Found, StoreError>> + 'a {
    let last = *days.end();
    let chunks = stream::try_unfold((*days.start(), i64::MIN), move |(day, seq)| async move {
        let row = client
            .query_opt(
                "SELECT day, seq, origin, source, raw_size, verdict_names, verdicts, bytes FROM archive
                 WHERE (day, seq) > ($1, $2) AND day >= $1 AND day <= $3 AND ($4::text IS NULL OR $4 = ANY (dids))
                 ORDER BY day, seq LIMIT 1",
                &[&day, &seq, &last, &did.map(Did::as_str)],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let entries = unpack(&row).map_err(|damage| StoreError::Statement(Box::new(damage)))?;
        let (day, seq): (NaiveDate, i64) = (row.get("day"), row.get("seq"));
        let (origin, source): (String, Option<String>) = (row.get("origin"), row.get("source"));
        let found = entries.into_iter().filter(|entry| did.is_none_or(|did| entry.did.as_ref() == Some(did)));
        let found: Vec<Result<Found, StoreError>> =
            found.map(|entry| Ok(Found { day, seq, origin: origin.clone(), source: source.clone(), entry })).collect();
        Ok::<_, StoreError>(Some((stream::iter(found), (day, seq))))
    });
    chunks.flat_map(|chunk| match chunk {
        Ok(found) => found.left_stream(),
        Err(error) => stream::iter([Err(error)]).right_stream(),
    })
}

/// Takes every event of an account out of the archive, a chunk at a time: what is done stays done if it is interrupted. Returns
/// how many events there were. What others said of the account is theirs. A chunk that cannot be read may hold anything of the
/// account, and can be of no use to anybody: it goes.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn scrub(client: &Client, did: &Did) -> Result<u64, StoreError> {
    let chunks = client.query("SELECT day, seq FROM archive WHERE $1 = ANY (dids)", &[&did.as_str()]).await?;
    let mut gone = 0;
    for chunk in &chunks {
        let key: (NaiveDate, i64) = (chunk.get(0), chunk.get(1));
        // Another account may be taken out of it at the same time.
        while let Some(events) = scrub_chunk(client, key, did).await? {
            gone += events;
        }
    }
    Ok(gone)
}

/// Takes an account's events out of a chunk; `None` when it has none, or is not there any more.
async fn scrub_chunk(client: &Client, key: (NaiveDate, i64), did: &Did) -> Result<Option<u64>, StoreError> {
    let row = client
        .query_opt(
            "SELECT dids, raw_size, verdict_names, verdicts, bytes FROM archive WHERE (day, seq) = ($1, $2) AND $3 = ANY (dids)",
            &[&key.0, &key.1, &did.as_str()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let seen: Vec<String> = row.get("dids");
    let mut entries = match unpack(&row) {
        Ok(entries) => entries,
        Err(damage) => {
            tracing::error!(day = %key.0, seq = key.1, did = %did, %damage, "A chunk of the archive is damaged and cannot be purged: it is removed");
            Vec::new()
        }
    };
    let before = entries.len();
    entries.retain(|entry| entry.did.as_ref() != Some(did));
    let rewritten = record::rewrite(client, key, &seen, &entries).await?;
    Ok(Some(if rewritten { (before - entries.len()) as u64 } else { 0 }))
}

fn unpack(row: &Row) -> Result<Vec<Entry>, chunk::Damaged> {
    let names: Vec<String> = row.get("verdict_names");
    let verdicts: &[u8] = row.get("verdicts");
    let verdicts: Vec<String> =
        verdicts.iter().map(|at| names.get(usize::from(*at)).cloned().unwrap_or_default()).collect();
    let size = usize::try_from(row.get::<_, i64>("raw_size")).unwrap_or_default();
    chunk::unpack(row.get("bytes"), size, &verdicts)
}
