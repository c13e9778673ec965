//! The Postgres that is measured on: a private cluster of the bench's own, with the settings that crowsnest runs with.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result};
use service::{Postgres, config::DatabaseArgs};
use tempfile::TempDir;
use tokio_postgres::Client;
use url::Url;

use crate::{load, report};

/// Starts a server, measures on it, and stops it; the heading is left out for machines.
pub async fn measured_on(json: bool, measure: impl AsyncFnOnce(&Server) -> Result<()>) -> Result<()> {
    // Installed once, by whoever is first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start().await?;
    if !json {
        report::heading(&format!("Postgres {}; load average {}", server.settings().await?, load()));
    }
    let measured = measure(&server).await;
    server.stop().await?;
    measured
}

/// A server, stopped and deleted with this value.
pub struct Server {
    postgres: Postgres,
    folder: TempDir,
}

impl Server {
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("crowsnest-bench-").tempdir()?;
        // Started by root, Postgres runs as another user, who has to pass.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
        let args = DatabaseArgs { database_url: None, data_dir: folder.path().to_owned() };
        let postgres = Postgres::open(&args).await.context("no Postgres to measure on")?;
        Ok(Self { postgres, folder })
    }

    /// Makes a database with our tables.
    pub async fn database(&self, name: &str) -> Result<Database> {
        let admin = store::connect(self.postgres.url(), None).await?.client;
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await?;
        let mut url: Url = self.postgres.url().parse()?;
        url.set_path(name);
        let generation = store::prepare(url.as_str()).await?;
        let client = store::connect(url.as_str(), Some(generation)).await?.client;
        Ok(Database { url: url.into(), generation, client })
    }

    /// Takes a database away, for the sake of the disk.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        let admin = store::connect(self.postgres.url(), None).await?.client;
        Ok(admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?)
    }

    /// The settings that decide how fast a write is, in one line.
    pub async fn settings(&self) -> Result<String> {
        let client = store::connect(self.postgres.url(), None).await?.client;
        let rows = client
            .query(
                "SELECT name || '=' || current_setting(name) FROM unnest(ARRAY['server_version', 'fsync',
                     'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size', 'wal_compression']) name",
                &[],
            )
            .await?;
        Ok(rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join(" "))
    }

    pub async fn stop(self) -> Result<()> {
        self.postgres.stop().await?;
        Postgres::destroy(self.folder.path()).await?;
        Ok(())
    }
}

/// A database with our tables, and a connection that sees them.
pub struct Database {
    pub url: String,
    pub generation: i32,
    pub client: Client,
}

impl Database {
    /// Writes out what is in memory, so that no measurement pays for what came before it.
    pub async fn settle(&self) -> Result<()> {
        Ok(self.client.batch_execute("CHECKPOINT").await?)
    }
}

/// The seconds of CPU that the server's process behind a connection has used so far; `None` where /proc does not tell.
pub async fn cpu_seconds(client: &Client) -> Option<f64> {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.ok()?.get(0);
    process_seconds(pid.unsigned_abs())
}

/// The same of a process.
pub fn process_seconds(pid: u32) -> Option<f64> {
    let stat = stat(pid)?;
    Some((field(&stat, 11)? + field(&stat, 12)?) / 100.0)
}

/// The same of all processes of the server behind a connection.
pub async fn all_seconds(client: &Client) -> Option<f64> {
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.ok()?.get(0);
    let postmaster = field(&stat(pid.unsigned_abs())?, 1)?;
    let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let children = processes.filter_map(stat).filter(|stat| field(stat, 1) == Some(postmaster));
    let used = |stat: &String| field(stat, 11).zip(field(stat, 12)).map_or(0.0, |(user, system)| user + system);
    let living: f64 = children.map(|stat| used(&stat)).sum();
    // Of those that have ended.
    let own = stat(postmaster as u32)?;
    Some((living + field(&own, 13)? + field(&own, 14)?) / 100.0)
}

/// What /proc tells of a process after its name.
fn stat(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.to_owned())
}

fn field(stat: &str, n: usize) -> Option<f64> {
    stat.split_whitespace().nth(n)?.parse().ok()
}
