//! The server process of a cluster, found by the `postmaster.pid` that it keeps in its data folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::error::{Context as _, PostgresError};

/// How long open transactions are given to roll back before the server is made to stop without a checkpoint.
const FAST: Duration = Duration::from_secs(30);
const IMMEDIATE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A server process that is alive and serves the data folder whose file named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub(super) pid: Pid,
    data: PathBuf,
    /// Where its socket is; it may have been started with another idea of that than ours.
    pub(super) socket_dir: Option<PathBuf>,
}

impl Postmaster {
    /// The process serving `data`, if one does.
    pub(super) fn running(data: &Path) -> Result<Option<Self>, PostgresError> {
        let Some(text) = read(&data.join("postmaster.pid"))? else { return Ok(None) };
        let Some(pid) = pid_of(&text).filter(|pid| serves(*pid, data)) else { return Ok(None) };
        // Lines: pid, data folder, start time, port, socket folder, TCP address, shared memory, status.
        let socket_dir = text.lines().nth(4).filter(|line| line.starts_with('/')).map(PathBuf::from);
        Ok(Some(Postmaster { pid, data: data.to_owned(), socket_dir }))
    }

    /// Fast shutdown (SIGINT): sessions are ended, a checkpoint is written. A server that takes longer than 30 s over it
    /// is told to stop at once (SIGQUIT) and will recover from its write-ahead log.
    pub(super) async fn stop(&self) -> Result<(), PostgresError> {
        for (signal, patience) in [(Signal::SIGINT, FAST), (Signal::SIGQUIT, IMMEDIATE)] {
            self.signal(signal)?;
            let deadline = Instant::now() + patience;
            while Instant::now() < deadline {
                if !serves(self.pid, &self.data) {
                    return Ok(());
                }
                sleep(POLL).await;
            }
            tracing::warn!(pid = self.pid.as_raw(), %signal, "Postgres does not stop");
        }
        Err(PostgresError::Unstoppable { pid: self.pid.as_raw() })
    }

    /// Sends a signal; a process that is gone is no error.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), PostgresError> {
        match kill(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(errno.into()).context("cannot signal the server of", &self.data),
        }
    }
}

/// Removes lock files whose number now belongs to another process, or to a dead one that nobody waits for: Postgres takes
/// both for a living server and would refuse to start. Those of a process that is gone it handles itself. Only to be called
/// when no server is [`Postmaster::running`].
pub(super) fn remove_stale_lock_files(data: &Path, socket_dir: &Path) -> Result<(), PostgresError> {
    for file in [data.join("postmaster.pid"), socket_dir.join(".s.PGSQL.5432.lock")] {
        let misleads = first_pid(&file)?.is_some_and(|pid| kill(pid, None) != Err(Errno::ESRCH));
        if misleads {
            tracing::info!(file = %file.display(), "Removing what a server that was killed left behind");
            fs::remove_file(&file).context("cannot remove", &file)?;
        }
    }
    Ok(())
}

fn first_pid(file: &Path) -> Result<Option<Pid>, PostgresError> {
    Ok(read(file)?.as_deref().and_then(pid_of))
}

fn pid_of(text: &str) -> Option<Pid> {
    text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1).map(Pid::from_raw)
}

fn read(file: &Path) -> Result<Option<String>, PostgresError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read", file),
    }
}

/// Whether `pid` is a server that was started on `data`: its command line says so. (Process numbers are used again, and a
/// zombie has no command line.) Without `/proc` a living process has to do.
fn serves(pid: Pid, data: &Path) -> bool {
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(line) => line.split(|byte| *byte == 0).any(|argument| argument == data.as_os_str().as_encoded_bytes()),
        Err(_) if Path::new("/proc/self/cmdline").exists() => false,
        Err(_) => kill(pid, None) != Err(Errno::ESRCH),
    }
}
