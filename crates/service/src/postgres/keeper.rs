//! A private server that ends under those who use it is started again by one of them.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::cluster::{self, Durability};
use super::error::PostgresError;
use super::lock;
use super::place::Place;
use super::postmaster::Postmaster;
use crate::Incident;

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(500);
/// The pause after the first start and after any; one that ran for longer than the second did not fail to start.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The cluster, and the folder that it is of.
pub(super) struct Keeper {
    pub data_dir: PathBuf,
    pub place: Place,
    pub durability: Durability,
}

impl Keeper {
    /// Keeps the server running, until dropped.
    pub async fn keep(self) {
        let (shortest, longest) = PAUSES;
        let (mut pause, mut started) = (shortest, Instant::now());
        let mut failing = Incident::default();
        loop {
            sleep(LOOK).await;
            // What cannot be looked at is left alone.
            if !matches!(Postmaster::running(&self.place.data()), Ok(None)) {
                continue;
            }
            if started.elapsed() > longest {
                pause = shortest;
            }
            match self.start().await {
                Ok(true) => {
                    failing.ends();
                    tracing::warn!(data = %self.place.data().display(), "The private Postgres had ended, and was started again");
                }
                Ok(false) => {}
                Err(error) if failing.begins() => {
                    tracing::error!(%error, "The private Postgres has ended, and does not start; it is tried again");
                }
                Err(error) => tracing::debug!(%error, "The private Postgres does not start"),
            }
            started = Instant::now();
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Whether it was us who started it: others may have, or may have deleted the cluster.
    async fn start(&self) -> Result<bool, PostgresError> {
        let _starting = lock::start_lock(&self.data_dir).await?;
        if Place::existing(&self.data_dir)?.is_none() || Postmaster::running(&self.place.data())?.is_some() {
            return Ok(false);
        }
        cluster::serve(&self.place, self.durability).await.map(|served| !served.adopted)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, time::Duration};

    use nix::sys::signal::Signal;
    use tokio::time::{sleep, timeout};

    use super::{
        super::{Postgres, connect},
        Durability, Postmaster,
    };

    #[tokio::test]
    async fn a_server_that_dies_under_who_keeps_it_is_started_again() {
        // Root's Postgres runs as somebody else, who has to pass.
        let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap();
        let mut postgres = Postgres::open_private(folder.path(), Durability::Throwaway).await.unwrap();
        postgres.keep_running();
        let data = postgres.used.as_ref().unwrap().place.data();
        let server = || Postmaster::running(&data).unwrap();
        for _ in 0..2 {
            let killed = server().unwrap();
            killed.signal(Signal::SIGKILL).unwrap();
            // At the same address.
            let answers = async {
                while server().is_none_or(|server| server == killed) || connect(postgres.url()).await.is_err() {
                    sleep(Duration::from_millis(20)).await;
                }
            };
            timeout(Duration::from_secs(60), answers).await.expect("nobody starts it again");
        }
        postgres.stop().await.unwrap();
        assert_eq!(server(), None, "it is meant to have ended");
    }
}
