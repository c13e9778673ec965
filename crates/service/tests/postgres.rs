//! The private cluster, as root and as anyone else: run the binary as both.

#![expect(clippy::unwrap_used, reason = "clippy.toml's leave for tests does not reach their helper functions")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crowsnest_service::Postgres;
use crowsnest_service::config::DatabaseArgs;
use crowsnest_service::postgres::testing::TestDatabase;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid, getpgid, getpgrp};
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// A data folder whose cluster is stopped and deleted at the end of the test, however that ends.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder::with_mode(0o711)
    }

    fn with_mode(mode: u32) -> Self {
        Folder(tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn args(&self) -> DatabaseArgs {
        DatabaseArgs { database_url: None, data_dir: self.path() }
    }

    async fn open(&self) -> Postgres {
        Postgres::open(&self.args()).await.unwrap()
    }

    fn data(&self) -> PathBuf {
        self.path().join("postgres/data")
    }

    fn postmaster(&self) -> Pid {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let path = self.path();
        let destroy = async move { Postgres::destroy(&path).await };
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::spawn(move || runtime().block_on(destroy).unwrap()).join().unwrap();
    }
}

async fn session(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn text(url: &str, query: &str) -> String {
    session(url).await.query_one(query, &[]).await.unwrap().get(0)
}

/// Two servers never start in the same microsecond.
async fn started_at(url: &str) -> String {
    text(url, "SELECT pg_postmaster_start_time()::text").await
}

#[tokio::test]
async fn both_drivers_read_the_url() {
    let folder = Folder::new();
    let postgres = folder.open().await;
    assert_eq!(text(postgres.url(), "SELECT current_database()::text").await, "crowsnest");
    let pool = sea_orm::Database::connect(postgres.url()).await.unwrap();
    pool.execute_unprepared("CREATE TABLE seen (n int)").await.unwrap();
    pool.close().await.unwrap();
    assert_eq!(text(postgres.url(), "SELECT count(*)::text FROM seen").await, "0");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn the_cluster_is_private_and_set_up_as_designed() {
    let folder = Folder::new();
    let postgres = folder.open().await;
    for (setting, value) in [
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("client_connection_check_interval", "1s"),
        ("max_connections", "100"),
        ("shared_preload_libraries", ""),
        ("fsync", "on"),
    ] {
        assert_eq!(text(postgres.url(), &format!("SHOW {setting}")).await, value, "{setting}");
    }
    assert_eq!(
        text(postgres.url(), "SELECT datcollate::text FROM pg_database WHERE datname = 'crowsnest'").await,
        "C.UTF-8"
    );
    for rule in fs::read_to_string(folder.data().join("pg_hba.conf")).unwrap().lines() {
        assert!(rule.is_empty() || rule.starts_with('#') || rule.ends_with("scram-sha-256"), "{rule}");
    }
    let mode = |name: &str| fs::metadata(folder.path().join("postgres").join(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("password"), mode("data"), mode("socket")), (0o600, 0o700, 0o700));
    let owner = fs::metadata(folder.data()).unwrap().uid();
    assert_eq!(owner == geteuid().as_raw(), !geteuid().is_root());
    assert_ne!(getpgid(Some(folder.postmaster())).unwrap(), getpgrp());
    let wrong_password = postgres.url().replacen("crowsnest:", "crowsnest:not", 1);
    let error = tokio_postgres::connect(&wrong_password, NoTls).await.err().unwrap();
    assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD));
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn stop_waits_for_the_end_and_the_data_stay() {
    let folder = Folder::new();
    let postgres = folder.open().await;
    let server = folder.postmaster();
    let client = session(postgres.url()).await;
    client.batch_execute("CREATE TABLE kept AS SELECT 7 AS n").await.unwrap();
    postgres.stop().await.unwrap();
    assert!(!folder.data().join("postmaster.pid").exists());
    assert!(!alive(server));
    let postgres = folder.open().await;
    assert_eq!(text(postgres.url(), "SELECT n::text FROM kept").await, "7");
    postgres.stop().await.unwrap();
}

fn alive(pid: Pid) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn a_dropped_handle_stops_the_server_and_the_next_open_waits_for_that() {
    let folder = Folder::new();
    let postgres = folder.open().await;
    let first = started_at(postgres.url()).await;
    drop(postgres);
    let postgres = folder.open().await;
    assert_ne!(started_at(postgres.url()).await, first);
    postgres.stop().await.unwrap();
}

/// Not a test: what other tests run as another process.
#[tokio::test]
#[ignore = "run by other tests, as a process of its own"]
async fn helper_opens_and_waits() {
    let Some(data_dir) = std::env::var_os("HELPER_DATA_DIR") else { return };
    let data_dir = PathBuf::from(data_dir);
    let args = DatabaseArgs { database_url: None, data_dir: data_dir.clone() };
    let _postgres = Postgres::open(&args).await.unwrap_or_else(|error| panic!("{error}"));
    fs::write(data_dir.join(format!("opened-{}", std::process::id())), "").unwrap();
    std::future::pending().await
}

fn helper(data_dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_opens_and_waits", "--ignored"])
        .env("HELPER_DATA_DIR", data_dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn opened(helper: &mut Child, data_dir: &Path) {
    while !data_dir.join(format!("opened-{}", helper.id())).exists() {
        assert_eq!(helper.try_wait().unwrap(), None, "the helper ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_left_by_a_killed_process_is_adopted() {
    let folder = Folder::new();
    let mut opener = helper(&folder.path());
    opened(&mut opener, &folder.path()).await;
    let server = folder.postmaster();
    opener.kill().unwrap();
    opener.wait().unwrap();
    let postgres = folder.open().await;
    assert_eq!(folder.postmaster(), server);
    assert_eq!(text(postgres.url(), "SELECT 1::text").await, "1");
    postgres.stop().await.unwrap();
    assert!(!alive(server));
}

#[tokio::test]
async fn racing_processes_share_one_server_and_the_last_stops_it() {
    let folder = Folder::new();
    let (mut first, mut second) = (helper(&folder.path()), helper(&folder.path()));
    let postgres = folder.open().await;
    opened(&mut first, &folder.path()).await;
    opened(&mut second, &folder.path()).await;
    let server = folder.postmaster();
    postgres.stop().await.unwrap();
    assert!(alive(server), "others still use it");
    for mut helper in [first, second] {
        helper.kill().unwrap();
        helper.wait().unwrap();
    }
    let postgres = folder.open().await;
    assert_eq!(folder.postmaster(), server);
    postgres.stop().await.unwrap();
    assert!(!alive(server));
}

#[tokio::test]
async fn a_killed_server_is_started_again() {
    let folder = Folder::new();
    let postgres = folder.open().await;
    session(postgres.url()).await.batch_execute("CREATE TABLE kept AS SELECT 7 AS n").await.unwrap();
    let killed = folder.postmaster();
    kill(killed, Signal::SIGKILL).unwrap();
    while alive(killed) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let again = folder.open().await;
    assert_ne!(folder.postmaster(), killed);
    assert_eq!(text(again.url(), "SELECT n::text FROM kept").await, "7");
    drop(postgres);
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_names_another_process_does_not_mislead() {
    let folder = Folder::new();
    folder.open().await.stop().await.unwrap();
    let data = folder.data();
    // This very process: it lives, belongs (unless we are root) to the cluster's owner, and is no server.
    let stale = format!("{}\n{}\n1700000000\n5432\n/nowhere\n\n1 1\nready   \n", std::process::id(), data.display());
    fs::write(data.join("postmaster.pid"), stale).unwrap();
    let postgres = folder.open().await;
    assert!(postgres.url().contains("socket"));
    assert_ne!(folder.postmaster().as_raw().unsigned_abs(), std::process::id());
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_long_data_folder_gets_a_short_socket() {
    let folder = Folder::new();
    let long = folder.path().join("long name ".repeat(9)).join("x".repeat(60));
    let postgres = Postgres::open(&DatabaseArgs { database_url: None, data_dir: long.clone() }).await.unwrap();
    assert!(postgres.url().contains("@%2Ftmp%2Fcrowsnest%2D"), "{}", postgres.url());
    assert_eq!(text(postgres.url(), "SELECT 1::text").await, "1");
    let pool = sea_orm::Database::connect(postgres.url()).await.unwrap();
    pool.execute_unprepared("SELECT 1").await.unwrap();
    pool.close().await.unwrap();
    postgres.stop().await.unwrap();
    Postgres::destroy(&long).await.unwrap();
}

#[tokio::test]
async fn a_data_folder_closed_to_others_works_and_is_destroyed_whole() {
    let folder = Folder::with_mode(0o700);
    let data_dir = folder.path().join("data");
    let args = DatabaseArgs { database_url: None, data_dir: data_dir.clone() };
    let postgres = Postgres::open(&args).await.unwrap();
    session(postgres.url()).await.batch_execute("CREATE TABLE kept AS SELECT 7 AS n").await.unwrap();
    postgres.stop().await.unwrap();
    let location = data_dir.join("postgres.location");
    assert_eq!(location.exists(), geteuid().is_root());
    let place = fs::read_to_string(&location).map_or(data_dir.join("postgres"), PathBuf::from);
    let postgres = Postgres::open(&args).await.unwrap();
    assert_eq!(text(postgres.url(), "SELECT n::text FROM kept").await, "7");
    let server = text(postgres.url(), "SELECT pg_backend_pid()::text").await;
    Postgres::destroy(&data_dir).await.unwrap();
    assert!(!place.exists() && !location.exists() && data_dir.exists());
    assert!(!alive(Pid::from_raw(server.parse().unwrap())));
}

#[tokio::test]
async fn a_data_folder_deleted_by_hand_starts_afresh() {
    let folder = Folder::with_mode(0o700);
    let data_dir = folder.path().join("data");
    let args = DatabaseArgs { database_url: None, data_dir: data_dir.clone() };
    let first = Postgres::open(&args).await.unwrap();
    session(first.url()).await.batch_execute("CREATE TABLE kept (n int)").await.unwrap();
    first.stop().await.unwrap();
    fs::remove_dir_all(&data_dir).unwrap();
    let postgres = Postgres::open(&args).await.unwrap();
    assert_eq!(text(postgres.url(), "SELECT count(*)::text FROM pg_tables WHERE tablename = 'kept'").await, "0");
    postgres.stop().await.unwrap();
    Postgres::destroy(&data_dir).await.unwrap();
}

#[tokio::test]
async fn a_moved_data_folder_keeps_its_cluster_and_its_old_path_is_free() {
    let folder = Folder::with_mode(0o700);
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let at = |data_dir: &Path| DatabaseArgs { database_url: None, data_dir: data_dir.to_owned() };
    let postgres = Postgres::open(&at(&old)).await.unwrap();
    session(postgres.url()).await.batch_execute("CREATE TABLE kept AS SELECT 7 AS n").await.unwrap();
    postgres.stop().await.unwrap();
    fs::rename(&old, &new).unwrap();
    let moved = Postgres::open(&at(&new)).await.unwrap();
    let other = Postgres::open(&at(&old)).await.unwrap();
    assert_eq!(text(moved.url(), "SELECT n::text FROM kept").await, "7");
    assert_eq!(text(other.url(), "SELECT count(*)::text FROM pg_tables WHERE tablename = 'kept'").await, "0");
    moved.stop().await.unwrap();
    other.stop().await.unwrap();
    Postgres::destroy(&old).await.unwrap();
    Postgres::destroy(&new).await.unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_is_reported_with_its_log() {
    let folder = Folder::new();
    folder.open().await.stop().await.unwrap();
    fs::write(folder.data().join("postgresql.auto.conf"), "no_such_setting = 1\n").unwrap();
    let message = Postgres::open(&folder.args()).await.unwrap_err().to_string();
    assert!(message.contains("Postgres ended while starting"), "{message}");
    assert!(message.contains("no_such_setting"), "{message}");
    assert!(message.contains("postgres/postgres.log"), "{message}");
}

#[tokio::test]
async fn a_cluster_of_a_version_that_is_not_installed_is_named() {
    let folder = Folder::new();
    folder.open().await.stop().await.unwrap();
    fs::write(folder.data().join("PG_VERSION"), "9\n").unwrap();
    let message = Postgres::open(&folder.args()).await.unwrap_err().to_string();
    assert!(message.contains("was made by Postgres 9, which is not installed"), "{message}");
}

#[tokio::test]
async fn a_location_that_is_not_ours_is_never_followed() {
    let folder = Folder::new();
    fs::write(folder.path().join("postgres.location"), "/home").unwrap();
    for message in [
        Postgres::open(&folder.args()).await.unwrap_err().to_string(),
        Postgres::destroy(&folder.path()).await.unwrap_err().to_string(),
    ] {
        assert!(message.contains("names no folder of crowsnest's"), "{message}");
    }
    fs::remove_file(folder.path().join("postgres.location")).unwrap();
}

async fn refusal(url: &str) -> String {
    let args = DatabaseArgs { database_url: Some(url.to_owned()), data_dir: "/nonexistent".into() };
    let message = Postgres::open(&args).await.unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[tokio::test]
async fn a_bad_database_url_is_one_line_that_says_what_to_do() {
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let message = refusal(&format!("postgres://me:secret@{unused}/db")).await;
    assert!(message.contains("Connection refused") && message.contains("--database-url"), "{message}");
    assert!(!message.contains("secret"), "{message}");
    assert!(refusal("mysql://localhost/db").await.contains("found mysql://"));
    assert!(refusal("localhost/db").await.contains("expected postgres://user:password@host:port/database"));
    assert!(refusal("host=localhost user=me").await.contains("expected postgres://"));
    assert!(refusal("postgres://me@localhost/db?sslmode=perhaps").await.contains("sslmode"));
}

#[tokio::test]
async fn a_given_database_is_used_and_left_running() {
    let database = TestDatabase::create().await.unwrap();
    let args = DatabaseArgs { database_url: Some(database.url().to_owned()), data_dir: "/nonexistent".into() };
    let postgres = Postgres::open(&args).await.unwrap();
    assert_eq!(postgres.url(), database.url());
    postgres.stop().await.unwrap();
    assert_eq!(text(database.url(), "SELECT 1::text").await, "1");
    let wrong = database.url().replacen("crowsnest:", "crowsnest:not", 1);
    assert!(refusal(&wrong).await.contains("password authentication failed"));
}

#[tokio::test]
async fn test_databases_are_empty_apart_and_dropped() {
    let (one, two) = tokio::try_join!(TestDatabase::create(), TestDatabase::create()).unwrap();
    assert_ne!(one.url(), two.url());
    session(one.url()).await.batch_execute("CREATE TABLE mine (n int)").await.unwrap();
    assert_eq!(text(two.url(), "SELECT count(*)::text FROM pg_tables WHERE tablename = 'mine'").await, "0");
    let _open_session = session(one.url()).await;
    let name = one.url().rsplit('/').next().unwrap().to_owned();
    drop(one);
    let left = format!("SELECT count(*)::text FROM pg_database WHERE datname = '{name}'");
    assert_eq!(text(two.url(), &left).await, "0");
}
