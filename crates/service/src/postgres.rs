//! The Postgres that crowsnest works on: a given one, or a private cluster in the data folder.
//!
//! The private cluster listens on a unix socket alone, in a folder that only its owner may enter, and asks for a generated
//! password. Postgres refuses to run as root; started by root it runs as `postgres` or `nobody`, and where that user
//! cannot reach the data folder its files lie in `/var/lib/crowsnest`, as `<data-dir>/postgres.location` then says.

mod binaries;
mod cluster;
mod download;
mod error;
mod external;
mod keeper;
mod lock;
mod owner;
mod place;
mod postmaster;
mod settings;
#[doc(hidden)]
pub mod testing;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use tokio::task::AbortHandle;
use tokio_postgres::{Client, NoTls};

use crate::config::DatabaseArgs;
use cluster::Durability;
use error::Context as _;
pub use error::PostgresError;
use keeper::Keeper;
use place::Place;
use postmaster::Postmaster;

/// The oldest major version of Postgres that serves.
const OLDEST_MAJOR: u32 = 15;

/// A Postgres that answered when it was opened. The last of the processes that opened a private cluster stops it.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    used: Option<Used>,
}

/// Our share in a private cluster.
#[derive(Debug)]
struct Used {
    data_dir: PathBuf,
    place: Place,
    users: File,
    adopted: bool,
    durability: Durability,
    /// Who starts the server again.
    keeper: Option<AbortHandle>,
}

impl Postgres {
    /// Checks `--database-url`; or makes, starts or adopts the private cluster of the data folder, which is created.
    ///
    /// # Errors
    /// See [`PostgresError`]; all of them are to be shown to people as they are.
    pub async fn open(args: &DatabaseArgs) -> Result<Self, PostgresError> {
        match &args.database_url {
            Some(url) => {
                external::check(url).await?;
                Ok(Postgres { url: url.clone(), used: None })
            }
            None => Postgres::open_private(&args.data_dir, Durability::Durable).await,
        }
    }

    async fn open_private(data_dir: &Path, durability: Durability) -> Result<Self, PostgresError> {
        let data_dir = created(data_dir)?;
        let _starting = lock::start_lock(&data_dir).await?;
        let users = lock::join_users(&data_dir)?;
        let place = match Place::existing(&data_dir)? {
            Some(place) => {
                place.remember(&data_dir)?;
                place
            }
            None => {
                delete_abandoned(&data_dir).await?;
                let place = Place::create(&data_dir)?;
                cluster::initialise(&place, durability).await?;
                place
            }
        };
        let cluster::Served { url, adopted } = cluster::serve(&place, durability).await?;
        Ok(Postgres { url, used: Some(Used { data_dir, place, users, adopted, durability, keeper: None }) })
    }

    /// From now on a private server that ends is started again, after pauses that grow, until this is stopped or dropped; for
    /// commands that run long. A given Postgres is for whoever gave it to look after.
    pub fn keep_running(&mut self) {
        if let Some(used) = &mut self.used {
            let (data_dir, place, durability) = (used.data_dir.clone(), used.place.clone(), used.durability);
            let keeper = tokio::spawn(Keeper { data_dir, place, durability }.keep());
            used.keeper = Some(keeper.abort_handle());
        }
    }

    /// `postgres://…`, with user and password, as both tokio-postgres and sqlx read it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the private cluster and waits until it has stopped, unless other processes use it too. Sessions that are
    /// still open are ended. A given Postgres is left alone.
    ///
    /// # Errors
    /// The server could not be signalled, or does not stop.
    pub async fn stop(mut self) -> Result<(), PostgresError> {
        let Some(used) = self.used.take() else { return Ok(()) };
        used.leave_alone();
        let _stopping = lock::start_lock(&used.data_dir).await?;
        if !lock::leave_users(&used.users).context("cannot unlock", &used.data_dir)? {
            return Ok(());
        }
        match Postmaster::running(&used.place.data())? {
            Some(postmaster) => postmaster.stop().await,
            None => Ok(()),
        }
    }

    /// Stops the private cluster of `data_dir`, whoever uses it, and deletes it, wherever it lies. The rest of the folder
    /// is left. No cluster: nothing to do.
    ///
    /// # Errors
    /// The server does not stop, or its files could not be deleted.
    pub async fn destroy(data_dir: &Path) -> Result<(), PostgresError> {
        let data_dir = created(data_dir)?;
        let _stopping = lock::start_lock(&data_dir).await?;
        if let Some(place) = Place::existing(&data_dir)? {
            delete(&place, &data_dir).await?;
        }
        delete_abandoned(&data_dir).await
    }
}

impl Used {
    /// What ends from now on is meant to.
    fn leave_alone(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.abort();
        }
    }
}

impl Drop for Postgres {
    /// For ends that nobody ordered (a panic, an error on the way): tells the server to stop, without waiting.
    fn drop(&mut self) {
        let Some(used) = self.used.take() else { return };
        used.leave_alone();
        let Some(_stopping) = lock::try_start_lock(&used.data_dir) else { return };
        if let (Ok(true), Ok(Some(postmaster))) =
            (lock::leave_users(&used.users), Postmaster::running(&used.place.data()))
        {
            // It is the last we do; there is nobody to tell.
            let _ = postmaster.signal(Signal::SIGINT);
        }
    }
}

/// Deletes what lies outside `data_dir` for a folder of that path, deleted since.
async fn delete_abandoned(data_dir: &Path) -> Result<(), PostgresError> {
    for place in Place::made_for(data_dir) {
        delete(&place, data_dir).await?;
    }
    Ok(())
}

async fn delete(place: &Place, data_dir: &Path) -> Result<(), PostgresError> {
    if let Some(postmaster) = Postmaster::running(&place.data())? {
        postmaster.stop().await?;
    }
    tracing::info!(place = %place.root().display(), "Deleting a Postgres cluster");
    place.delete(data_dir)
}

fn created(data_dir: &Path) -> Result<PathBuf, PostgresError> {
    fs::create_dir_all(data_dir).context("cannot create", data_dir)?;
    data_dir.canonicalize().context("cannot look at", data_dir)
}

/// A session; the task that moves its bytes ends with the returned client.
async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "A session ended");
        }
    });
    Ok(client)
}
