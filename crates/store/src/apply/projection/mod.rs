//! Typed tables made from the ledger: the old rows of a batch's records go, the new ones are copied in.

mod hold;
mod manifest;
mod page;
mod star;
mod tag;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{try_join, try_join_all};
use tokio::task::yield_now;
use tokio_postgres::Row;
use types::{Change, Collection, Did, RecordId, records::Record};

pub(crate) use star::StarMove;

use super::{
    Transaction,
    actors::{self, Met},
    copy::Copies,
    ledger::Written,
};
use crate::StoreError;

/// What a batch changed beyond its own records, for the steps that derive and tell.
#[derive(Default)]
pub(crate) struct Touched {
    /// Repositories whose manifests, tags or pages changed: (owner, name), before and after.
    pub repositories: BTreeSet<(String, String)>,
    /// Those of them that lost something, and may be empty now.
    pub lessened: BTreeSet<(String, String)>,
    /// Digests of manifest records that changed: (owner, digest), before and after.
    pub digests: BTreeSet<(String, String)>,
    /// How many more (or fewer) accounts star a repository, of those shown and those hidden: (owner, name).
    pub stars: BTreeMap<(String, String), StarMove>,
    /// Manifest records whose bytes have to be fetched.
    pub manifests: Vec<RecordId>,
    /// Accounts that the new records speak of.
    pub actors: BTreeSet<String>,
    /// Those of them, and of the holds, that the index had not heard of before.
    pub new_actors: Vec<String>,
    /// Those and others that surely have rows now.
    pub met: Vec<String>,
    /// Holds that the new records speak of.
    pub holds: BTreeSet<String>,
    /// Those of them that somebody else than the hold names.
    pub named_holds: BTreeSet<String>,
    /// Holds of which a declaration changed, came or went.
    pub declared_holds: BTreeSet<String>,
    /// Who took over from which hold.
    pub successors: BTreeMap<String, String>,
}

/// What is counted and remembered beyond the rows themselves.
#[derive(Default)]
struct Moves {
    stars: star::Moves,
    tags: tag::Moves,
}

/// After so many records it is looked whether the server waits for us.
const RECORDS_A_TURN: usize = 50;

/// The rows of all records that a batch changed.
pub(crate) async fn rows(written: &Written<'_>) -> Result<Copies, StoreError> {
    let mut copies = Copies::default();
    let records = written.projected.iter().filter_map(|(id, record)| Some((id, record.as_deref()?)));
    for (n, (id, record)) in records.enumerate() {
        project(&mut copies, id, record)?;
        if n % RECORDS_A_TURN == 0 {
            yield_now().await;
        }
    }
    Ok(copies)
}

/// Puts [`rows`] in the place of those that the index has of the same records.
pub(crate) async fn write(
    tx: &Transaction<'_>,
    met: &Met,
    changes: &[Change],
    written: &Written<'_>,
    rows: Copies,
) -> Result<Touched, StoreError> {
    let mut touched = Touched::default();
    let mut moves = Moves::default();
    let noting = async {
        for (id, record) in &written.projected {
            touched.actors.insert(id.did.as_str().to_owned());
            if let Some(record) = record {
                note(id, record, &mut touched, &mut moves);
            }
        }
        Ok(())
    };
    let (removed, ()) = try_join(remove(tx, written), noting).await?;
    for (table, rows) in &removed {
        rows.iter().for_each(|row| forget(table, row, &mut touched, &mut moves));
    }
    rows.copy(tx).await?;
    let Moves { stars, tags } = moves;
    let tagging = try_join(tags.write(tx), touched_through_tags(tx, written, &touched.digests));
    let starring = async {
        let known = actors::meet(tx, met, &touched).await?;
        actors::hide(tx, changes).await?;
        Ok((known, stars.write(tx).await?))
    };
    let ((known, stars), ((), through_tags)) = try_join(starring, tagging).await?;
    (touched.met, touched.new_actors) = known;
    touched.stars = stars;
    touched.repositories.extend(through_tags);
    Ok(touched)
}

/// A tag may point at a manifest that is recorded under another repository: what it shows of it changes too.
async fn touched_through_tags(
    tx: &Transaction<'_>,
    written: &Written<'_>,
    digests: &BTreeSet<(String, String)>,
) -> Result<Vec<(String, String)>, StoreError> {
    let manifests = written.projected.keys().filter(|id| id.collection == Collection::Manifest);
    let (dids, rkeys): (Vec<&str>, Vec<&str>) = manifests.map(|id| (id.did.as_str(), id.rkey.as_str())).unzip();
    if dids.is_empty() {
        return Ok(Vec::new());
    }
    let (owners, digests): (Vec<&str>, Vec<&str>) =
        digests.iter().map(|(did, digest)| (did.as_str(), digest.as_str())).unzip();
    let rows = tx
        .query(
            "SELECT t.did, t.repository FROM tag t JOIN unnest($1::text[], $2::text[]) k (did, rkey)
             ON t.did = k.did AND t.manifest_rkey = k.rkey
             UNION SELECT t.did, t.repository FROM tag t JOIN unnest($3::text[], $4::text[]) d (did, digest)
             ON t.did = d.did AND t.manifest_digest = d.digest",
            &[&dids, &rkeys, &owners, &digests],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Which tables hold what of a collection; the first one knows what its rows touch.
fn tables(collection: Collection) -> &'static [&'static str] {
    match collection {
        Collection::Manifest => &["manifest", "layer", "platform"],
        Collection::Tag => &["tag"],
        Collection::Star => &["star"],
        Collection::Profile => &["profile"],
        Collection::Page => &["page"],
        Collection::LegacyHold | Collection::Captain => &["hold"],
        Collection::Crew => &["crew"],
        Collection::HoldLayer => &[],
        Collection::HoldStats => &["hold_stats"],
        Collection::Scan => &["scan"],
    }
}

/// Removes the rows that the index has of a batch's records, and returns them by their tables.
async fn remove(tx: &Transaction<'_>, written: &Written<'_>) -> Result<Vec<(&'static str, Vec<Row>)>, StoreError> {
    let mut removals = Vec::new();
    for collection in Collection::ALL {
        let of_it = written.projected.keys().filter(|id| id.collection == collection && written.replaces(id));
        let (dids, rkeys): (Vec<&str>, Vec<&str>) = of_it.map(|id| (id.did.as_str(), id.rkey.as_str())).unzip();
        if dids.is_empty() {
            continue;
        }
        for table in tables(collection) {
            let (dids, rkeys) = (dids.clone(), rkeys.clone());
            let removal = async move { Ok((*table, tx.query(&removal(table, collection), &[&dids, &rkeys]).await?)) };
            removals.push(removal);
        }
    }
    try_join_all(removals).await
}

fn removal(table: &str, collection: Collection) -> String {
    let returning = match table {
        "manifest" => "RETURNING t.did, t.repository, t.digest, t.rkey",
        "tag" => "RETURNING t.did, t.repository, t.rkey, t.tag, t.manifest_rkey, t.manifest_digest, t.updated_at",
        "page" => "RETURNING t.did, t.repository",
        "star" => "RETURNING t.did, t.owner, t.repository",
        "hold" => "RETURNING t.hold",
        _ => "",
    };
    let only = if table == "hold" { format!("AND t.collection = '{collection}'") } else { String::new() };
    format!(
        "DELETE FROM {table} t USING unnest($1::text[], $2::text[]) key (did, rkey)
         WHERE t.did = key.did AND t.rkey = key.rkey {only} {returning}"
    )
}

/// What a removed row touched.
fn forget(table: &str, row: &Row, touched: &mut Touched, moves: &mut Moves) {
    match table {
        "star" => return moves.stars.removed(row.get(0), row.get(1), row.get(2)),
        "hold" => {
            touched.declared_holds.insert(row.get(0));
            return;
        }
        "manifest" => {
            touched.digests.insert((row.get(0), row.get(2)));
            moves.tags.replaced(row);
        }
        "tag" => moves.tags.removed(row),
        "page" => {}
        // Nothing is derived of it.
        _ => return,
    }
    let repository: (String, String) = (row.get(0), row.get(1));
    touched.repositories.insert(repository.clone());
    touched.lessened.insert(repository);
}

/// What a new record touches besides its own rows.
fn note(id: &RecordId, record: &Record, touched: &mut Touched, moves: &mut Moves) {
    let did = id.did.as_str();
    let mut repository = |name: &str| {
        touched.repositories.insert((did.to_owned(), name.to_owned()));
    };
    match record {
        Record::Manifest(manifest) => {
            repository(manifest.repository.as_str());
            touched.digests.insert((did.to_owned(), manifest.digest.as_str().to_owned()));
            touched.manifests.push(id.clone());
            name_hold(manifest.hold.as_ref(), touched);
        }
        Record::Tag(tag) => {
            repository(tag.repository.as_str());
            moves.tags.added(id, tag);
        }
        Record::Page(page) => repository(page.repository.as_str()),
        Record::Star(star) => {
            moves.stars.added(did, star.owner.as_str(), star.repository.as_str());
            touched.actors.insert(star.owner.as_str().to_owned());
        }
        Record::Hold(hold) => {
            touched.actors.insert(hold.owner.as_str().to_owned());
            touched.holds.insert(hold.hold.as_str().to_owned());
            touched.declared_holds.insert(hold.hold.as_str().to_owned());
            if !hold.captain {
                name_hold(Some(&hold.hold), touched);
            }
            if let Some(successor) = &hold.successor {
                touched.holds.insert(successor.as_str().to_owned());
                touched.successors.insert(hold.hold.as_str().to_owned(), successor.as_str().to_owned());
            }
        }
        Record::Profile(profile) => name_hold(profile.default_hold.as_ref(), touched),
        Record::Crew(_) | Record::HoldLayer | Record::HoldStats(_) | Record::Scan(_) => {}
    }
}

fn name_hold(hold: Option<&Did>, touched: &mut Touched) {
    if let Some(hold) = hold {
        touched.holds.insert(hold.as_str().to_owned());
        touched.named_holds.insert(hold.as_str().to_owned());
    }
}

fn project(copies: &mut Copies, id: &RecordId, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::Manifest(manifest) => manifest::rows(copies, id, manifest),
        Record::Tag(record) => tag::rows(copies, id, record),
        Record::Star(record) => star::rows(copies, id, record),
        Record::Profile(profile) => page::profile_rows(copies, id, profile),
        Record::Page(record) => page::rows(copies, id, record),
        Record::Hold(record) => hold::rows(copies, id, record),
        Record::Crew(crew) => hold::crew_rows(copies, id, crew),
        Record::HoldLayer => Ok(()),
        Record::HoldStats(stats) => hold::stats_rows(copies, id, stats),
        Record::Scan(scan) => hold::scan_rows(copies, id, scan),
    }
}
