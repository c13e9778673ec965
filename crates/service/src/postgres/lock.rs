//! The two locks of a data folder. `postgres.lock` is held by whoever starts or stops the server. `postgres.users` is
//! shared by all who use it, so that the last one stops it. The kernel drops both with their process, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use nix::libc::O_NOFOLLOW;
use tokio::time::{Instant, sleep};

use super::error::{Context as _, PostgresError};

/// A start may include recovery after a crash.
const PATIENCE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(25);

/// Waits until nobody else starts or stops the server. Released when dropped.
pub(super) async fn start_lock(data_dir: &Path) -> Result<File, PostgresError> {
    let path = data_dir.join("postgres.lock");
    let file = open(&path)?;
    let deadline = Instant::now() + PATIENCE;
    while !taken(file.try_lock()).context("cannot lock", &path)? {
        if Instant::now() > deadline {
            return Err(PostgresError::Locked { lock: path, seconds: PATIENCE.as_secs() });
        }
        sleep(POLL).await;
    }
    Ok(file)
}

/// Like [`start_lock`] but at once or not at all.
pub(super) fn try_start_lock(data_dir: &Path) -> Option<File> {
    let file = open(&data_dir.join("postgres.lock")).ok()?;
    taken(file.try_lock()).unwrap_or(false).then_some(file)
}

/// Counts us among the users. Only to be called under [`start_lock`]: whoever checks that there are none holds it too.
pub(super) fn join_users(data_dir: &Path) -> Result<File, PostgresError> {
    let path = data_dir.join("postgres.users");
    let file = open(&path)?;
    file.lock_shared().context("cannot lock", &path)?;
    Ok(file)
}

/// Leaves the users, and says whether nobody is left. Only to be called under [`start_lock`].
pub(super) fn leave_users(users: &File) -> std::io::Result<bool> {
    users.unlock()?;
    let last = taken(users.try_lock())?;
    users.unlock()?;
    Ok(last)
}

fn open(path: &Path) -> Result<File, PostgresError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600).custom_flags(O_NOFOLLOW);
    options.open(path).context("cannot open", path)
}

fn taken(attempt: Result<(), TryLockError>) -> std::io::Result<bool> {
    match attempt {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
