use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use types::{Cid, Did, Digest, Handle, Tid};

use super::{
    Home,
    event::{Event, EventKind, account_frame, commit_frame, identity_frame, sync_frame},
    log::{Op, OpLog},
};
use crate::{
    Error, Result,
    keys::Keys,
    repo::{Diff, Repo, Write},
};

/// How many events a stream can go back.
const RETAINED_EVENTS: usize = 20_000;

/// An account of a PDS, or a hold with the PDS inside it.
pub(crate) struct Account {
    pub(crate) did: Did,
    pub(crate) handle: Handle,
    pub(crate) home: Home,
    pub(crate) password: String,
    /// Why the account is inactive, if it is.
    pub(crate) status: Option<String>,
    pub(crate) repo: Repo,
    pub(crate) blobs: BTreeMap<Cid, BlobInfo>,
}

/// What is known of a blob besides its bytes.
#[derive(Clone, Debug)]
pub(crate) struct BlobInfo {
    pub(crate) mime: String,
}

/// A commit that was made.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) commit: String,
    pub(crate) rev: Tid,
    /// The new CID of each write's record; none for a deletion.
    pub(crate) cids: Vec<Option<String>>,
}

pub(crate) struct State {
    keys: Keys,
    log: OpLog,
    accounts: BTreeMap<Did, Account>,
    handles: HashMap<Handle, Did>,
    hold_blobs: HashMap<(usize, Digest), u64>,
    events: VecDeque<Arc<Event>>,
    seq: u64,
    /// The last microsecond that was given out.
    clock: u64,
}

impl State {
    pub(crate) fn new(keys: Keys, log: OpLog) -> Self {
        Self {
            keys,
            log,
            accounts: BTreeMap::new(),
            handles: HashMap::new(),
            hold_blobs: HashMap::new(),
            events: VecDeque::new(),
            seq: 0,
            clock: 0,
        }
    }

    pub(crate) fn replay(keys: Keys, log: OpLog, ops: Vec<Op>) -> Result<Self> {
        let mut state = Self::new(keys, log);
        for op in ops {
            state.apply(op)?;
        }
        Ok(state)
    }

    fn apply(&mut self, op: Op) -> Result<()> {
        let signature = |text: &str| hex::decode(text).map_err(|error| Error::Encode(error.to_string()));
        match op {
            Op::Genesis { .. } | Op::Filled => Ok(()),
            Op::Account { did, handle, home, password, time, signature: text } => {
                self.open_account(did, handle, home, password, time, Some(signature(&text)?)).map(drop)
            }
            Op::Commit { did, time, writes, signature: text } => {
                self.commit(&did, time, &writes, Some(signature(&text)?)).map(drop)
            }
            Op::Blob { did, cid, mime, .. } => {
                let cid = cid.parse().map_err(|_| Error::Encode(format!("{cid} is no CID")))?;
                self.add_blob(&did, cid, &mime)
            }
            Op::HoldBlob { hold, digest, size } => {
                self.hold_blobs.insert((hold, digest), size);
                Ok(())
            }
            Op::Handle { did, handle, time } => self.rename(&did, handle, time),
            Op::Status { did, status, time } => self.set_account_status(&did, status, time),
            Op::Raw { time, frame, text } => self.raw(time, signature(&frame)?.into(), text),
        }
    }

    /// The sequence number of the newest event; 0 before the first.
    pub(crate) fn latest(&self) -> u64 {
        self.seq
    }

    /// The sequence number of the oldest event that is kept.
    pub(crate) fn oldest(&self) -> u64 {
        self.events.front().map_or(self.seq + 1, |event| event.seq)
    }

    /// Forgets the events below a sequence number, as a server does whose retention has passed.
    pub(crate) fn forget_before(&mut self, seq: u64) {
        let forgotten = self.events.partition_point(|event| event.seq < seq);
        self.events.drain(..forgotten);
    }

    /// When the oldest event that is kept happened; none when none is.
    pub(crate) fn oldest_time(&self) -> Option<u64> {
        self.events.front().map(|event| event.time)
    }

    pub(crate) fn events_from(&self, seq: u64, limit: usize) -> Vec<Arc<Event>> {
        let skip = usize::try_from(seq.saturating_sub(self.oldest())).unwrap_or(usize::MAX);
        self.events.iter().skip(skip).take(limit).cloned().collect()
    }

    /// The first event that ends at or after a time; one past the newest when there is none.
    pub(crate) fn first_at(&self, time: u64) -> u64 {
        self.oldest() + self.events.partition_point(|event| event.last_time() < time) as u64
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    pub(crate) fn account(&self, did: &Did) -> Option<&Account> {
        self.accounts.get(did)
    }

    pub(crate) fn by_handle(&self, handle: &Handle) -> Option<&Account> {
        self.accounts.get(self.handles.get(handle)?)
    }

    /// The size of a hold's blob, if the hold has it.
    pub(crate) fn hold_blob(&self, hold: usize, digest: &Digest) -> Option<u64> {
        self.hold_blobs.get(&(hold, digest.clone())).copied()
    }

    pub(crate) fn log(&mut self, op: &Op) -> Result<()> {
        self.log.append(op)
    }

    /// The next free microsecond, at the asked time or now.
    fn tick(&self, at: Option<u64>) -> u64 {
        let now = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        };
        at.unwrap_or_else(now).max(self.clock + 1)
    }

    pub(crate) fn create_account(
        &mut self,
        did: Did,
        handle: Handle,
        home: Home,
        password: &str,
        at: Option<u64>,
    ) -> Result<()> {
        if self.handles.contains_key(&handle) || self.accounts.contains_key(&did) {
            return Err(Error::refused("HandleNotAvailable", format!("{handle} is taken")));
        }
        let (time, password) = (self.tick(at), password.to_owned());
        let signature = self.open_account(did.clone(), handle.clone(), home, password.clone(), time, None)?;
        self.log(&Op::Account { did, handle, home, password, time, signature: hex::encode(signature) })
    }

    /// As the reference PDS does: `#identity`, `#account`, an empty `#commit`, `#sync`.
    fn open_account(
        &mut self,
        did: Did,
        handle: Handle,
        home: Home,
        password: String,
        time: u64,
        signature: Option<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let account = Account {
            did: did.clone(),
            handle: handle.clone(),
            home,
            password,
            status: None,
            repo: Repo::new(did.clone()),
            blobs: BTreeMap::new(),
        };
        self.handles.insert(handle.clone(), did.clone());
        self.accounts.insert(did.clone(), account);
        self.announce_identity(&did, handle, time)?;
        self.announce_status(&did, None, time + 1)?;
        let diff = self.commit(&did, time + 2, &[], signature)?;
        self.announce_sync(&did, time + 3)?;
        Ok(diff.commit.signature)
    }

    pub(crate) fn write(&mut self, did: &Did, writes: Vec<Write>, at: Option<u64>) -> Result<Written> {
        if writes.is_empty() || writes.len() > 200 {
            return Err(Error::refused("InvalidRequest", "a commit has 1 to 200 writes"));
        }
        let time = self.tick(at);
        let diff = self.commit(did, time, &writes, None)?;
        self.log(&Op::Commit { did: did.clone(), time, writes, signature: hex::encode(&diff.commit.signature) })?;
        Ok(Written {
            commit: diff.commit.block.cid.to_string(),
            rev: diff.commit.rev,
            cids: diff.ops.iter().map(|op| op.cid.map(|cid| cid.to_string())).collect(),
        })
    }

    fn commit(&mut self, did: &Did, time: u64, writes: &[Write], signature: Option<Vec<u8>>) -> Result<Diff> {
        let keys = self.keys;
        let account = self.accounts.get_mut(did).ok_or_else(|| unknown(did))?;
        let sign = |bytes: &[u8]| signature.map_or_else(|| keys.sign(did, bytes), Ok);
        let diff = account.repo.commit(writes, Tid::from_micros(time, 0), sign)?;
        let frame = commit_frame(did, &diff, self.seq + 1, time)?;
        let kind = EventKind::Commit { rev: diff.commit.rev.to_string(), ops: diff.ops.clone() };
        self.publish(did, time, kind, frame)?;
        Ok(diff)
    }

    pub(crate) fn set_handle(&mut self, did: &Did, handle: Handle) -> Result<()> {
        if self.handles.get(&handle).is_some_and(|owner| owner != did) {
            return Err(Error::refused("HandleNotAvailable", format!("{handle} is taken")));
        }
        let time = self.tick(None);
        self.rename(did, handle.clone(), time)?;
        self.log(&Op::Handle { did: did.clone(), handle, time })
    }

    fn rename(&mut self, did: &Did, handle: Handle, time: u64) -> Result<()> {
        let account = self.accounts.get_mut(did).ok_or_else(|| unknown(did))?;
        self.handles.remove(&std::mem::replace(&mut account.handle, handle.clone()));
        self.handles.insert(handle.clone(), did.clone());
        self.announce_identity(did, handle, time)
    }

    pub(crate) fn set_status(&mut self, did: &Did, status: Option<&str>) -> Result<()> {
        let (time, status) = (self.tick(None), status.map(str::to_owned));
        self.set_account_status(did, status.clone(), time)?;
        self.log(&Op::Status { did: did.clone(), status, time })
    }

    fn set_account_status(&mut self, did: &Did, status: Option<String>, time: u64) -> Result<()> {
        let account = self.accounts.get_mut(did).ok_or_else(|| unknown(did))?;
        account.status.clone_from(&status);
        let back = status.is_none();
        self.announce_status(did, status, time)?;
        if back { self.announce_sync(did, time + 1) } else { Ok(()) }
    }

    pub(crate) fn put_blob(&mut self, did: &Did, cid: Cid, mime: &str, size: u64) -> Result<()> {
        if self.account(did).is_some_and(|account| account.blobs.contains_key(&cid)) {
            return Ok(());
        }
        self.add_blob(did, cid, mime)?;
        self.log(&Op::Blob { did: did.clone(), cid: cid.to_string(), mime: mime.to_owned(), size })
    }

    fn add_blob(&mut self, did: &Did, cid: Cid, mime: &str) -> Result<()> {
        let account = self.accounts.get_mut(did).ok_or_else(|| unknown(did))?;
        account.blobs.insert(cid, BlobInfo { mime: mime.to_owned() });
        Ok(())
    }

    pub(crate) fn put_hold_blob(&mut self, hold: usize, digest: Digest, size: u64) -> Result<()> {
        if self.hold_blobs.insert((hold, digest.clone()), size).is_some() {
            return Ok(());
        }
        self.log(&Op::HoldBlob { hold, digest, size })
    }

    pub(crate) fn publish_raw(&mut self, frame: &[u8], text: Option<String>) -> Result<()> {
        let time = self.tick(None);
        self.raw(time, Bytes::copy_from_slice(frame), text.clone())?;
        self.log(&Op::Raw { time, frame: hex::encode(frame), text })
    }

    fn raw(&mut self, time: u64, frame: Bytes, text: Option<String>) -> Result<()> {
        let Some(did) = self.accounts.keys().next().cloned() else { return Ok(()) };
        self.publish(&did, time, EventKind::Raw { text }, frame)
    }

    fn announce_identity(&mut self, did: &Did, handle: Handle, time: u64) -> Result<()> {
        let frame = identity_frame(did, handle.as_str(), self.seq + 1, time)?;
        self.publish(did, time, EventKind::Identity { handle: handle.into() }, frame)
    }

    fn announce_status(&mut self, did: &Did, status: Option<String>, time: u64) -> Result<()> {
        let frame = account_frame(did, status.as_deref(), self.seq + 1, time)?;
        self.publish(did, time, EventKind::Account { status }, frame)
    }

    fn announce_sync(&mut self, did: &Did, time: u64) -> Result<()> {
        let repo = &self.account(did).ok_or_else(|| unknown(did))?.repo;
        let rev = repo.head().map(|commit| commit.rev.to_string()).unwrap_or_default();
        let frame = sync_frame(did, &rev, &repo.head_car()?, self.seq + 1, time)?;
        self.publish(did, time, EventKind::Sync { rev }, frame)
    }

    fn publish(&mut self, did: &Did, time: u64, kind: EventKind, frame: Bytes) -> Result<()> {
        let home = self.account(did).ok_or_else(|| unknown(did))?.home;
        self.seq += 1;
        let event = Event { seq: self.seq, time, did: did.clone(), home, kind, frame };
        self.clock = self.clock.max(event.last_time());
        self.events.push_back(Arc::new(event));
        if self.events.len() > RETAINED_EVENTS {
            self.events.pop_front();
        }
        Ok(())
    }
}

fn unknown(did: &Did) -> Error {
    Error::refused("RepoNotFound", format!("{did} has no repository here"))
}
