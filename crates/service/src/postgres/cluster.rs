//! A private cluster: made once, then started, or adopted from a process that was killed.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::libc::O_NOFOLLOW;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::binaries::Binaries;
use super::error::{Context as _, PostgresError};
use super::place::Place;
use super::postmaster::{Postmaster, remove_stale_lock_files};
use super::{connect, settings};

/// The superuser, and the database that crowsnest keeps everything in.
const USER: &str = "crowsnest";
const DATABASE: &str = "crowsnest";

/// Recovery after a crash reads the write-ahead log, which may take minutes.
const PATIENCE: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(25);

/// Whether the cluster has to survive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Every commit reaches the disk.
    Durable,
    /// For tests: nothing is flushed.
    Throwaway,
}

/// A server that answers.
#[derive(Debug)]
pub(super) struct Served {
    /// The URL of our database on it.
    pub(super) url: String,
    /// It ran before we came.
    pub(super) adopted: bool,
}

/// Makes the cluster: a password, then `initdb` beside the final place and a rename, so that a kill leaves nothing half
/// made there.
pub(super) async fn initialise(place: &Place, durability: Durability) -> Result<(), PostgresError> {
    let binaries = Binaries::find(place).await?;
    remove_unfinished(place.root()).context("cannot clean up", place.root())?;
    place.owner.private_file(&place.password(), hex::encode(rand::random::<[u8; 24]>()).as_bytes())?;
    let unfinished = place.root().join(format!("{UNFINISHED}{}", hex::encode(rand::random::<[u8; 4]>())));
    place.owner.private_dir(&unfinished)?;
    let mut outcome = initdb(place, &binaries, &unfinished, "C.UTF-8", durability).await;
    if outcome.as_ref().is_err_and(|error| error.to_string().contains("locale")) {
        outcome = initdb(place, &binaries, &unfinished, "C", durability).await;
    }
    outcome?;
    fs::rename(&unfinished, place.data()).context("cannot rename", &unfinished)?;
    tracing::info!(data = %place.data().display(), "Made a Postgres cluster");
    Ok(())
}

const UNFINISHED: &str = "initdb-";

fn remove_unfinished(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

async fn initdb(
    place: &Place,
    binaries: &Binaries,
    into: &Path,
    locale: &str,
    durability: Durability,
) -> Result<(), PostgresError> {
    let program = binaries.program("initdb");
    let mut command = place.owner.command(&program);
    command.arg("--pgdata").arg(into).arg("--pwfile").arg(place.password()).arg(format!("--locale={locale}"));
    command.args(["--username", USER, "--encoding=UTF8", "--auth=scram-sha-256"]);
    if durability == Durability::Throwaway {
        command.arg("--no-sync");
    }
    command.stderr(Stdio::piped());
    let output = tokio::process::Command::from(command).output().await.context("cannot run", &program)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.lines().filter(|line| line.contains("error")).collect::<Vec<_>>().join("; ");
    Err(PostgresError::Initdb { reason: if reason.is_empty() { said.trim().replace('\n', " ") } else { reason } })
}

/// Makes the cluster's server run and answer, and says where our database is. A server that runs already is adopted;
/// one that is going down is waited for. To be called under the start lock.
pub(super) async fn serve(place: &Place, durability: Durability) -> Result<Served, PostgresError> {
    let deadline = Instant::now() + PATIENCE;
    let mut started: Option<Child> = None;
    let mut shared_memory_retries = 20;
    loop {
        let running = Postmaster::running(&place.data())?;
        if let Some(postmaster) = &running
            && let Some(client) = answer(place, postmaster).await?
        {
            if started.is_none() {
                tracing::info!(pid = postmaster.pid.as_raw(), "Adopted a Postgres that was left running");
            }
            create_database(&client).await?;
            let adopted = started.is_none();
            if let Some(child) = started {
                reap(child);
            }
            return Ok(Served { url: url(place, postmaster, DATABASE)?, adopted });
        }
        if let Some(status) = started.as_mut().and_then(|child| child.try_wait().transpose()) {
            let crash = crashed(place, status.context("cannot wait for the server of", &place.data())?);
            // The children of a server that was killed take a moment to notice, and hold its shared memory until then.
            if shared_memory_retries == 0 || !crash.to_string().contains("pre-existing shared memory block") {
                return Err(crash);
            }
            shared_memory_retries -= 1;
            started = None;
            sleep(Duration::from_millis(250)).await;
        } else if running.is_none() && started.is_none() {
            started = Some(start(place, durability).await?);
        }
        if Instant::now() > deadline {
            let pid = running.map_or(0, |postmaster| postmaster.pid.as_raw());
            return Err(PostgresError::Silent { pid, seconds: PATIENCE.as_secs(), log: place.log() });
        }
        sleep(POLL).await;
    }
}

/// Starts the server, its output going to its log.
async fn start(place: &Place, durability: Durability) -> Result<Child, PostgresError> {
    let binaries = Binaries::find(place).await?;
    let socket_dir = place.socket_dir();
    place.owner.private_dir(&socket_dir)?;
    remove_stale_lock_files(&place.data(), &socket_dir)?;
    let taken = settings::WAL_COMPRESSION.into_iter().find(|setting| binaries.take(place, setting));
    let text = settings::text(&socket_dir, durability, taken.unwrap_or_default());
    place.owner.private_file(&place.settings(), text.as_bytes())?;
    let mut log = OpenOptions::new();
    log.create(true).write(true).truncate(true).mode(0o600).custom_flags(O_NOFOLLOW);
    let log = log.open(place.log()).context("cannot open", &place.log())?;
    let errors = log.try_clone().context("cannot open", &place.log())?;
    let program = binaries.program("postgres");
    let mut config_file = std::ffi::OsString::from("config_file=");
    config_file.push(place.settings());
    let mut command = place.owner.command(&program);
    command.arg("-D").arg(place.data()).arg("-c").arg(config_file).stdout(log).stderr(errors);
    command.spawn().context("cannot run", &program)
}

/// Waits for the server's end on a thread, or it would stay a zombie while we live.
fn reap(mut server: Child) {
    std::thread::spawn(move || server.wait());
}

/// A session on the server, if it answers; none while it starts up or shuts down.
async fn answer(place: &Place, postmaster: &Postmaster) -> Result<Option<Client>, PostgresError> {
    match connect(&url(place, postmaster, "postgres")?).await {
        Ok(client) => Ok(Some(client)),
        Err(error) if error.code().is_none_or(|code| *code == SqlState::CANNOT_CONNECT_NOW) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn create_database(client: &Client) -> Result<(), PostgresError> {
    let known = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE]).await?;
    if known.is_none() {
        client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
    }
    Ok(())
}

/// The URL of a database on the server, in the form that both tokio-postgres and sqlx read: the socket's folder,
/// percent-encoded, in the place of the host.
fn url(place: &Place, postmaster: &Postmaster, database: &str) -> Result<String, PostgresError> {
    let password = fs::read_to_string(place.password()).context("cannot read", &place.password())?;
    let socket_dir = postmaster.socket_dir.clone().unwrap_or_else(|| place.socket_dir());
    let host = socket_dir.to_string_lossy().into_owned();
    Ok(format!("postgres://{USER}:{password}@{}:5432/{database}", utf8_percent_encode(&host, NON_ALPHANUMERIC)))
}

fn crashed(place: &Place, status: std::process::ExitStatus) -> PostgresError {
    let log = fs::read(place.log()).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    let tail = lines[lines.len().saturating_sub(10)..].join("\n");
    PostgresError::Crashed { status, log: place.log(), tail }
}
