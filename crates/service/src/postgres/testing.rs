//! Databases for tests: empty, each with a name of its own, on one throwaway cluster a machine's user.
//!
//! Every test process that needs the cluster shares it. It is stopped and deleted by a watchdog, a shell that waits for
//! the lock that all users share: so it ends soon after the last of them, even if that one was killed.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use tokio::sync::OnceCell;
use url::Url;

use super::cluster::Durability;
use super::error::{Context as _, PostgresError};
use super::{Postgres, Used, connect};

/// Names a cluster to use instead of our own: the URL of a superuser.
const URL_VARIABLE: &str = "CROWSNEST_TEST_DATABASE_URL";

/// An empty database, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    url: Url,
    admin_url: String,
    name: String,
}

impl TestDatabase {
    /// Creates a database on the cluster that `CROWSNEST_TEST_DATABASE_URL` names, or on the shared one.
    ///
    /// # Errors
    /// There is no cluster, or it refuses.
    pub async fn create() -> Result<Self, PostgresError> {
        // Held until this process ends.
        static CLUSTER: OnceCell<TestCluster> = OnceCell::const_new();
        let admin_url = match std::env::var(URL_VARIABLE) {
            Ok(url) => url,
            Err(_) => CLUSTER.get_or_try_init(TestCluster::start).await?.url().to_owned(),
        };
        let name = format!("test_{}", hex::encode(rand::random::<[u8; 8]>()));
        let mut url = Url::parse(&admin_url).map_err(|error| PostgresError::Url { reason: error.to_string() })?;
        url.set_path(&name);
        // template0: nobody can have put anything into it.
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        connect(&admin_url).await?.batch_execute(&create).await?;
        Ok(TestDatabase { url, admin_url, name })
    }

    /// The URL of the database.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (url, drop) = (self.admin_url.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // A thread, because the test's own runtime may be the one that is being dropped.
        let dropped = std::thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(async { connect(&url).await?.batch_execute(&drop).await })?)
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            tracing::warn!(database = self.name, "A test database was not dropped");
        }
    }
}

/// A share in the throwaway cluster of this machine's user. `xtask` holds one while tests run, so that the cluster is not
/// stopped and made again between them.
#[derive(Debug)]
pub struct TestCluster(Postgres);

impl TestCluster {
    /// Starts the cluster, or joins those who use it.
    ///
    /// # Errors
    /// As [`Postgres::open`]; or the watchdog, which needs util-linux's `flock`, cannot be started.
    pub async fn start() -> Result<Self, PostgresError> {
        let data_dir = data_dir()?;
        let postgres = Postgres::open_private(&data_dir, Durability::Throwaway).await?;
        if let Some(used) = &postgres.used {
            watch(used)?;
        }
        Ok(TestCluster(postgres))
    }

    /// The URL of a superuser, to be handed to test processes as `CROWSNEST_TEST_DATABASE_URL`.
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Stops the cluster unless other processes use it.
    ///
    /// # Errors
    /// As [`Postgres::stop`].
    pub async fn stop(self) -> Result<(), PostgresError> {
        self.0.stop().await
    }
}

/// A folder of this user's in the system's temporary one; others may pass, or root's Postgres could not.
fn data_dir() -> Result<PathBuf, PostgresError> {
    let us = geteuid().as_raw();
    let path = std::env::temp_dir().join(format!("crowsnest-test-{us}"));
    match DirBuilder::new().mode(0o711).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).context("cannot create", &path);
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(&path).context("cannot look at", &path)?;
    if !metadata.is_dir() || metadata.uid() != us {
        return Err(PostgresError::NotPrivate { path, owner: us });
    }
    fs::set_permissions(&path, Permissions::from_mode(0o711)).context("cannot open up", &path)?;
    Ok(path)
}

/// `$1`: the folder of the locks, `$2`: the cluster. Waits until there is no user, gives the next test process two seconds
/// to come, and then stops the server and deletes its files, under the locks that starting one needs.
const WATCHDOG: &str = r#"
cd "$1" || exit
while flock postgres.users true; do
  sleep 2
  flock postgres.lock flock --nonblock postgres.users sh -c '
    pid=$(head -n 1 "$1/data/postmaster.pid") && kill -INT "$pid"
    for _ in $(seq 300); do [ -e "$1/data/postmaster.pid" ] || break; sleep 0.1; done
    rm -rf "$1"
  ' sh "$2" && exit
done
"#;

/// Starts a watchdog, unless there is one. Beside a server that we had to start, one can only be about to end (it has just
/// stopped the last server), and ours waits for that.
fn watch(used: &Used) -> Result<(), PostgresError> {
    let lock = used.data_dir.join("watchdog.lock");
    let patience = if used.adopted { "0" } else { "5" };
    let mut flock = Command::new("flock");
    flock.args(["--timeout", patience, "--close"]).arg(lock);
    flock.args(["sh", "-c", WATCHDOG, "sh"]).arg(&used.data_dir).arg(used.place.root());
    flock.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut watchdog = flock.spawn().context("cannot run (from util-linux)", Path::new("flock"))?;
    std::thread::spawn(move || watchdog.wait());
    Ok(())
}
