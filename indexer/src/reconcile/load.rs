//! Both sides of an account: the ledger's rows, and a complete listing at its host.

use std::collections::BTreeMap;

use outbound::{IdentityError, Pds, PdsError, pds::RecordEntry};
use store::{StoreError, jobs::JobKind, observe, records};
use types::{Collection, Did, Put, RecordId, Rkey, Tid, Verification};

use super::diff::{Listed, Ours, Row, Theirs};
use crate::{
    jobs::{Context, JobError, named},
    source::reader::chain,
    validate::{Checked, check},
};

/// The most records of a page, and the most pages of a collection.
const PAGE: u8 = 100;
const MOST_PAGES: usize = 5_000;
/// How often a repository is listed again that changed under the listing.
const TRIES: usize = 5;

/// Why a host's side is not known.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Nobody answers for the account, or not to the end.
    #[error("{0}")]
    Host(String),
}

/// The revisions at which the index has what.
pub type Revisions = BTreeMap<(Collection, Rkey), Tid>;

/// The index's side before the host is asked.
pub async fn before(context: &Context, did: &Did) -> Result<Revisions, StoreError> {
    let rows = records::of_account(&context.store, did).await?;
    Ok(rows.into_iter().map(|row| ((row.collection, row.rkey), row.rev)).collect())
}

/// The index's side, and what of it stood [`before`].
pub async fn ours(context: &Context, did: &Did, before: &Revisions) -> Result<Ours, StoreError> {
    let active = observe::known_actor(&context.store, did).await?.is_none_or(|actor| actor.active);
    let rows = records::of_account(&context.store, did).await?;
    let rows = rows.into_iter().map(|row| {
        let decodes = row.state == "ok";
        let key = (row.collection, row.rkey);
        let stood = before.get(&key) == Some(&row.rev);
        (key, Row { rev: row.rev, cid: row.cid, decodes, stood })
    });
    Ok(Ours { active, rows: rows.collect() })
}

/// The host's side. The revision is read before and after, and the repository listed anew when it moved.
pub async fn theirs(context: &Context, did: &Did) -> Result<Theirs, Unread> {
    let host = match context.repository_host(did).await {
        Ok(host) => host,
        Err(IdentityError::Tombstoned(_)) => return Ok(Theirs::Hidden("tombstoned".into())),
        Err(error) => return Err(Unread::Host(chain(&error))),
    };
    let _turn = loop {
        match context.turn(JobKind::Resync, &host).await {
            Ok(turn) => break turn,
            Err(JobError::Busy) => {}
            Err(error) => return Err(Unread::Host(error.to_string())),
        }
    };
    let pds = context.pds(host);
    for _ in 0..TRIES {
        match list(&pds, did).await {
            Ok(Listing::Whole(listing)) => return Ok(listing),
            Ok(Listing::Moved) => {}
            Ok(Listing::Unreadable(items)) => return Err(Unread::Host(format!("{items} of its items are no records"))),
            Err(PdsError::Account { state, .. }) => return Ok(Theirs::Hidden(state.to_string())),
            Err(error) => return Err(Unread::Host(chain(&error))),
        }
    }
    Err(Unread::Host("it does not stand still for long enough to be listed".into()))
}

/// What came of listing a repository.
enum Listing {
    Whole(Theirs),
    /// It changed meanwhile, or did not come to an end.
    Moved,
    /// So many items are no records.
    Unreadable(usize),
}

/// Lists all that a repository has of our collections.
async fn list(pds: &Pds, did: &Did) -> Result<Listing, PdsError> {
    let rev = pds.get_latest_commit(did).await?.rev;
    let mut records = BTreeMap::new();
    for collection in Collection::ALL {
        let mut cursor: Option<String> = None;
        let mut ended = false;
        for _ in 0..MOST_PAGES {
            let page = pds.list_records(did, collection, cursor.as_deref(), PAGE).await?;
            ended = page.is_last();
            if !page.unreadable.is_empty() {
                return Ok(Listing::Unreadable(page.unreadable.len()));
            }
            let entries = page.records.into_iter().filter_map(|entry| read(did, collection, rev, &entry));
            records.extend(entries.map(|(rkey, listed)| ((collection, rkey), listed)));
            if ended || page.cursor == cursor {
                break;
            }
            cursor = page.cursor;
        }
        if !ended {
            return Ok(Listing::Moved);
        }
    }
    let after = pds.get_latest_commit(did).await?.rev;
    Ok(if after == rev { Listing::Whole(Theirs::Repository { rev, records }) } else { Listing::Moved })
}

fn read(did: &Did, collection: Collection, rev: Tid, entry: &RecordEntry) -> Option<(Rkey, Listed)> {
    let rkey: Rkey = entry.rkey().parse().ok()?;
    let json = entry.value();
    let cid = named(entry.cid, json).filter(|cid| check(json, *cid) != Checked::Other);
    let id = RecordId { did: did.clone(), collection, rkey: rkey.clone() };
    let decodes = cid.is_some_and(|cid| {
        Put::decode(id, rev, cid, json.as_bytes().into(), Verification::Unverifiable).record.is_ok()
    });
    Some((rkey, Listed { cid, decodes }))
}
