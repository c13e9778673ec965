//! A batch's events on their way into the archive.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{NaiveDate, Utc};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_postgres::Client;
use types::{Arrival, Batch, Change, DropReason, Form};

use super::{
    Entry, Part,
    chunk::{Packed, pack},
};
use crate::{StoreError, apply::Transaction};

/// Where the verdict of a part comes from.
enum Fate {
    /// It is the verdict of the batch's change with this number.
    Change(usize),
    /// It was refused before it became a change.
    Refused(DropReason),
}

/// The events of a batch: packed while the batch is applied, kept in its transaction.
pub(crate) struct Recording {
    day: NaiveDate,
    origin: &'static str,
    source: Option<String>,
    positions: (Option<i64>, Option<i64>),
    events: i32,
    dids: Vec<String>,
    fates: Vec<Fate>,
    packing: JoinHandle<std::io::Result<Packed>>,
}

impl Recording {
    /// Begins to pack what `admit` does not refuse, as events of a day; `None` if nothing is left. A change of a record that no event of the
    /// batch covers is an event by itself.
    pub fn start(batch: &Batch, day: NaiveDate, mut admit: impl FnMut(&Entry) -> bool) -> Option<Self> {
        let (mut entries, mut fates) = (Vec::new(), Vec::new());
        for (entry, of_it) in events(batch) {
            if admit(&entry) {
                entries.push(entry);
                fates.extend(of_it);
            }
        }
        if entries.is_empty() {
            return None;
        }
        let positions = || entries.iter().filter_map(|entry| entry.position);
        Some(Self {
            day,
            origin: batch.origin.as_str(),
            source: batch.cursor.as_ref().map(|cursor| cursor.source.clone()),
            positions: (positions().min(), positions().max()),
            events: i32::try_from(entries.len()).unwrap_or(i32::MAX),
            dids: names(&entries),
            fates,
            packing: spawn_blocking(move || pack(&entries)),
        })
    }

    /// Keeps the events, with what became of each of the batch's changes.
    pub async fn save(self, tx: &Transaction<'_>, verdicts: &[&'static str]) -> Result<(), StoreError> {
        let packed = self.packing.await.map_err(|crash| StoreError::Statement(Box::new(crash)))?;
        let packed = packed.map_err(|error| StoreError::Statement(Box::new(error)))?;
        let fates = self.fates.iter().map(|fate| match fate {
            Fate::Change(at) => verdicts.get(*at).copied().unwrap_or_default(),
            Fate::Refused(reason) => reason.as_str(),
        });
        let (names, indices) = index(fates);
        tx.execute(
            "INSERT INTO archive (day, origin, source, first_position, last_position, events, dids, verdict_names,
                                  verdicts, raw_size, bytes)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            &[
                &self.day,
                &self.origin,
                &self.source,
                &self.positions.0,
                &self.positions.1,
                &self.events,
                &self.dids,
                &names,
                &indices,
                &(packed.raw_size as i64),
                &packed.bytes,
            ],
        )
        .await?;
        Ok(())
    }
}

/// Puts other events into the place of a chunk's; no events, no chunk. Nothing happens, and the answer is `false`, if it is not
/// the chunk that was read any more: `seen` is whose events were in it.
pub(super) async fn rewrite(
    client: &Client,
    (day, seq): (NaiveDate, i64),
    seen: &[String],
    entries: &[Entry],
) -> Result<bool, StoreError> {
    if entries.is_empty() {
        let gone = "DELETE FROM archive WHERE (day, seq) = ($1, $2) AND dids = $3";
        return Ok(client.execute(gone, &[&day, &seq, &seen]).await? == 1);
    }
    let packed = pack(entries).map_err(|error| StoreError::Statement(Box::new(error)))?;
    let fates = entries.iter().flat_map(|entry| entry.parts.iter().map(|part| part.verdict.as_str()));
    let (verdict_names, verdicts) = index(fates);
    let events = i32::try_from(entries.len()).unwrap_or(i32::MAX);
    let written = client
        .execute(
            "UPDATE archive SET events = $3, dids = $4, verdict_names = $5, verdicts = $6, raw_size = $7, bytes = $8
             WHERE (day, seq) = ($1, $2) AND dids = $9",
            &[
                &day,
                &seq,
                &events,
                &names(entries),
                &verdict_names,
                &verdicts,
                &(packed.raw_size as i64),
                &packed.bytes,
                &seen,
            ],
        )
        .await?;
    Ok(written == 1)
}

/// Whose the events are; the empty name stands for those of nobody.
fn names(entries: &[Entry]) -> Vec<String> {
    let dids: BTreeSet<&str> = entries.iter().map(|entry| entry.did.as_ref().map_or("", |did| did.as_str())).collect();
    dids.into_iter().map(str::to_owned).collect()
}

/// Each verdict as an index into the names of all; there are fewer than 256.
fn index<'a>(verdicts: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, Vec<u8>) {
    let mut names: Vec<&str> = Vec::new();
    let indices = verdicts.map(|verdict| {
        let at = names.iter().position(|name| *name == verdict).unwrap_or_else(|| {
            names.push(verdict);
            names.len() - 1
        });
        u8::try_from(at).unwrap_or(u8::MAX)
    });
    let indices = indices.collect();
    (names, indices)
}

/// The batch's events in order, each with where the verdicts of its parts come from.
fn events(batch: &Batch) -> Vec<(Entry, Vec<Fate>)> {
    let now = Utc::now().timestamp_micros();
    let mut events = Vec::with_capacity(batch.arrivals.len().max(batch.changes.len()));
    let mut next = 0;
    for arrival in &batch.arrivals {
        let bare = next..arrival.changes.start.max(next);
        events.extend(bare.filter_map(|at| alone(batch, at, now)));
        next = arrival.changes.end.max(next);
        events.push(arrived(batch, arrival));
    }
    events.extend((next..batch.changes.len()).filter_map(|at| alone(batch, at, now)));
    events
}

fn arrived(batch: &Batch, arrival: &Arrival) -> (Entry, Vec<Fate>) {
    let changes = batch.changes.get(arrival.changes.clone()).unwrap_or_default();
    let mut parts: Vec<Part> = changes.iter().map(part).collect();
    let mut fates: Vec<Fate> = arrival.changes.clone().take(changes.len()).map(Fate::Change).collect();
    for reason in &arrival.refused {
        parts.push(Part { rev: arrival.rev, ..Part::default() });
        fates.push(Fate::Refused(*reason));
    }
    let Arrival { did, received_at, position, form, raw, .. } = arrival.clone();
    (Entry { did, received_at, position, form: Some(form), raw, parts }, fates)
}

/// A change that no event covers: what is known of the record is all that came.
fn alone(batch: &Batch, at: usize, now: i64) -> Option<(Entry, Vec<Fate>)> {
    let change = batch.changes.get(at)?;
    let raw = match change {
        Change::Put(put) => Bytes::from_owner(put.raw.clone()),
        Change::Delete { .. } => Bytes::new(),
        // What is not there any more is no event, and a hint of ours neither.
        Change::Snapshot { .. } | Change::Purge { .. } | Change::Look { .. } => return None,
    };
    let did = Some(change.did().clone());
    let form = Some(Form::Record);
    let entry = Entry { did, received_at: now, position: None, form, raw, parts: vec![part(change)] };
    Some((entry, vec![Fate::Change(at)]))
}

fn part(change: &Change) -> Part {
    match change {
        Change::Put(put) => Part {
            collection: Some(put.id.collection),
            rkey: Some(put.id.rkey.clone()),
            rev: Some(put.rev),
            cid: Some(put.cid),
            ..Part::default()
        },
        Change::Delete { id, rev } => {
            Part { collection: Some(id.collection), rkey: Some(id.rkey.clone()), rev: Some(*rev), ..Part::default() }
        }
        Change::Snapshot { rev, .. } | Change::Purge { rev, .. } => Part { rev: Some(*rev), ..Part::default() },
        Change::Look { .. } => Part::default(),
    }
}
