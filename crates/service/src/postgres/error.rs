//! Why there is no Postgres to use. Each message is one line (a failed start adds the end of its log) and says what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why Postgres could not be opened, stopped or deleted.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// `--database-url` is not a Postgres URL.
    #[error("--database-url is not usable: expected postgres://user:password@host:port/database, {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing usable answers at `--database-url`.
    #[error(
        "cannot use the Postgres at {url}: {reason}. Start it or correct --database-url; without that flag crowsnest runs its own"
    )]
    Unreachable {
        /// The URL, its password left out.
        url: String,
        /// What the connection attempt said.
        reason: String,
    },
    /// The given Postgres is older than what we use.
    #[error("the Postgres at {url} is version {found}; crowsnest needs {oldest} or newer")]
    TooOld {
        /// The URL, its password left out.
        url: String,
        /// Its major version.
        found: u32,
        /// The oldest major version that serves.
        oldest: u32,
    },
    /// Neither on the machine nor from the internet.
    #[error(
        "no Postgres found and its download failed ({reason}): install Postgres {oldest} or newer (Debian: apt-get install \
         postgresql), or give one with --database-url"
    )]
    NoBinaries {
        /// The oldest major version that serves.
        oldest: u32,
        /// What the download said.
        reason: String,
    },
    /// The cluster was made by a version that is not installed.
    #[error("{} was made by Postgres {made_by}, which is not installed: install it, or start afresh with another --data-dir", cluster.display())]
    OtherVersion {
        /// Where the cluster is.
        cluster: PathBuf,
        /// The major version that made it.
        made_by: u32,
    },
    /// The cluster belongs to another user.
    #[error("{} belongs to user id {owner}: start crowsnest as that user or as root, or choose another --data-dir", path.display())]
    WrongOwner {
        /// What belongs to them.
        path: PathBuf,
        /// Their user id.
        owner: u32,
    },
    /// Root can start Postgres only as somebody else, and the machine has neither of the usual ones.
    #[error(
        "started as root, Postgres must run as another user, but neither `postgres` nor `nobody` exists: create one of them"
    )]
    NoUnprivilegedUser,
    /// Something stands where a private folder of ours should.
    #[error("{} is not a private folder of user id {owner}: remove it", path.display())]
    NotPrivate {
        /// What stands there.
        path: PathBuf,
        /// Who should own it.
        owner: u32,
    },
    /// The data folder is closed to the user that Postgres runs as, and so is the folder that would take its place.
    #[error(
        "Postgres runs as user id {owner}, which may not pass {}, and {} cannot take its place ({source}): \
         chmod o+x the first, or choose another --data-dir", blocked.display(), state.display()
    )]
    Closed {
        /// The user that may not pass.
        owner: u32,
        /// The first folder on the way that is closed.
        blocked: PathBuf,
        /// The folder that would take its place.
        state: PathBuf,
        /// Why it cannot.
        source: io::Error,
    },
    /// `initdb` failed.
    #[error("initdb failed: {reason}")]
    Initdb {
        /// What it said.
        reason: String,
    },
    /// The server ended while it started.
    #[error("Postgres ended while starting ({status}); the end of {}:\n{tail}", log.display())]
    Crashed {
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The server runs but does not answer.
    #[error("Postgres (process {pid}) does not answer after {seconds} s; see {}", log.display())]
    Silent {
        /// The postmaster.
        pid: i32,
        /// How long we waited.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The server does not stop.
    #[error("Postgres (process {pid}) does not stop")]
    Unstoppable {
        /// The postmaster.
        pid: i32,
    },
    /// Another process holds the lock.
    #[error("another process has been starting or stopping Postgres for {seconds} s; it holds {}", lock.display())]
    Locked {
        /// The file locked.
        lock: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// The server answers but refuses what we ask.
    #[error("our own Postgres refuses: {0}")]
    Refused(#[from] tokio_postgres::Error),
    /// A file or process could not be had.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Names what was attempted when the system refuses.
pub(super) trait Context<T> {
    fn context(self, doing: &'static str, path: &Path) -> Result<T, PostgresError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, doing: &'static str, path: &Path) -> Result<T, PostgresError> {
        self.map_err(|source| PostgresError::Io { doing, path: path.to_owned(), source })
    }
}
