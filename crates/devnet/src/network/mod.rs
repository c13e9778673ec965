//! The network's state, apart from the servers that show it: accounts with their repositories, blobs, and the one
//! sequence of events that every stream tells in its own words.

mod blobs;
mod event;
mod log;
mod state;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use types::{Cid, Did, Digest, Handle};

use self::{
    blobs::BlobDir,
    log::{Op, OpLog},
};
pub(crate) use self::{
    event::{Event, EventKind, datetime, error_frame, info_frame},
    state::{Account, State, Written},
};
use crate::{Error, Result, keys::Keys, repo::Write};

/// Which server an account lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Home {
    Pds(usize),
    Hold(usize),
}

/// The state behind its lock, and what tells the streams of news.
pub(crate) struct Network {
    state: Mutex<State>,
    blobs: BlobDir,
    latest: watch::Sender<u64>,
    pub(crate) keys: Keys,
    pub(crate) faults: Faults,
}

/// What tests do to the streams.
pub(crate) struct Faults {
    /// While true, streams stay connected and silent.
    pub(crate) paused: watch::Sender<bool>,
    /// Counted up to drop every stream.
    pub(crate) cuts: watch::Sender<u64>,
    /// The error with which every open stream is ended next, as its protocol puts it.
    pub(crate) farewell: watch::Sender<&'static str>,
    /// Whether Jetstream v1 is served by software of version 2, which counts.
    pub(crate) counting: AtomicBool,
    /// Whether Jetstream v2 is still filling its archive and serves nobody.
    pub(crate) bootstrapping: AtomicBool,
}

impl Network {
    /// Rebuilds the network from `directory`, and says whether its content is complete.
    pub(crate) fn open(directory: &Path, seed: u64) -> Result<(Self, bool)> {
        let (mut log, ops) = OpLog::open(&directory.join("operations.jsonl"))?;
        if let Some(Op::Genesis { seed: found }) = ops.first()
            && *found != seed
        {
            return Err(Error::OtherSeed { found: *found, wanted: seed });
        }
        let filled = ops.iter().any(|op| matches!(op, Op::Filled));
        let keys = Keys::new(seed);
        let state = if filled {
            State::replay(keys, log, ops)?
        } else {
            // Killed while it was being filled: begin again.
            log.clear()?;
            log.append(&Op::Genesis { seed })?;
            State::new(keys, log)
        };
        let latest = watch::Sender::new(state.latest());
        let faults = Faults {
            paused: watch::Sender::new(false),
            cuts: watch::Sender::new(0),
            farewell: watch::Sender::new(""),
            counting: AtomicBool::new(false),
            bootstrapping: AtomicBool::new(false),
        };
        let blobs = BlobDir::open(directory.join("blobs"))?;
        Ok((Self { state: Mutex::new(state), blobs, latest, keys, faults }, filled))
    }

    /// The state, to read. A panic elsewhere leaves it usable: operations change it last.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells the streams.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state();
        let result = change(&mut state);
        self.latest.send_replace(state.latest());
        result
    }

    /// Follows the sequence number of the newest event.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// Marks the content of a new devnet as complete.
    pub(crate) fn filled(&self) -> Result<()> {
        self.change(|state| state.log(&Op::Filled))
    }

    /// Opens an account; `at` (microseconds since 1970) dates it, else the clock does.
    pub(crate) fn create_account(
        &self,
        did: Did,
        handle: Handle,
        home: Home,
        password: &str,
        at: Option<u64>,
    ) -> Result<()> {
        self.change(|state| state.create_account(did, handle, home, password, at))
    }

    /// Commits up to 200 writes to a repository, all or none.
    pub(crate) fn write(&self, did: &Did, writes: Vec<Write>, at: Option<u64>) -> Result<Written> {
        self.change(|state| state.write(did, writes, at))
    }

    pub(crate) fn set_handle(&self, did: &Did, handle: Handle) -> Result<()> {
        self.change(|state| state.set_handle(did, handle))
    }

    /// `None` makes the account active.
    pub(crate) fn set_status(&self, did: &Did, status: Option<&str>) -> Result<()> {
        self.change(|state| state.set_status(did, status))
    }

    pub(crate) fn publish_raw(&self, frame: &[u8], text: Option<String>) -> Result<()> {
        self.change(|state| state.publish_raw(frame, text))
    }

    /// Stores a blob of an account's; the answer is the `blob` object that a record holds.
    pub(crate) fn put_blob(&self, did: &Did, mime: &str, bytes: &[u8]) -> Result<Value> {
        let digest = self.blobs.put(bytes)?;
        let cid = Cid::of_digest(&digest).unwrap_or_else(|| Cid::of_blob(bytes));
        self.change(|state| state.put_blob(did, cid, mime, bytes.len() as u64))?;
        Ok(json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": mime, "size": bytes.len()}))
    }

    /// Stores a layer or config on a hold.
    pub(crate) fn put_hold_blob(&self, hold: usize, bytes: &[u8]) -> Result<Digest> {
        let digest = self.blobs.put(bytes)?;
        self.change(|state| state.put_hold_blob(hold, digest.clone(), bytes.len() as u64))?;
        Ok(digest)
    }

    /// The bytes of a blob that the state says is there.
    pub(crate) async fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.blobs.get(digest).await
    }

    pub(crate) fn forget_before(&self, seq: u64) {
        self.state().forget_before(seq);
    }

    /// Up to `limit` events from `seq` on.
    pub(crate) fn events_from(&self, seq: u64, limit: usize) -> Vec<Arc<Event>> {
        self.state().events_from(seq, limit)
    }
}
