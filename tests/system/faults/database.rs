//! A Postgres of the test's own, which can be made to fail, and what is asked of it.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use service::{Postgres, config::DatabaseArgs};
use tokio_postgres::Client;

use super::events::Event;
use crate::harness::scratch::Scratch;

/// How long anything may take to come right again; a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server. Dropped with the scratch folder, which ends it.
pub struct Database {
    args: DatabaseArgs,
    postgres: Postgres,
    name: String,
}

impl Database {
    pub async fn start(scratch: &Scratch) -> Result<Self> {
        let args = DatabaseArgs { database_url: None, data_dir: scratch.folder("postgres")? };
        let postgres = Postgres::open(&args).await?;
        Ok(Database { args, postgres, name: "crowsnest".to_owned() })
    }

    /// The URL of the database in use.
    pub fn url(&self) -> String {
        let (server, _) = self.postgres.url().rsplit_once('/').unwrap_or_default();
        format!("{server}/{}", self.name)
    }

    /// Goes over to a new database on the server.
    pub async fn renew(&mut self, name: &str) -> Result<()> {
        self.client(None).await?.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        self.name = name.to_owned();
        Ok(())
    }

    pub async fn client(&self, generation: Option<i32>) -> Result<Client> {
        Ok(store::connect(&self.url(), generation).await?.client)
    }

    /// Stops the server as `pg_ctl restart -m immediate` does, without a checkpoint, and starts it again.
    pub async fn restart(&mut self) -> Result<()> {
        let file = self.args.data_dir.join("postgres/data/postmaster.pid");
        let text = fs::read_to_string(&file).with_context(|| format!("no {}", file.display()))?;
        let pid = Pid::from_raw(text.lines().next().unwrap_or_default().trim().parse()?);
        kill(pid, Signal::SIGQUIT)?;
        let began = Instant::now();
        while kill(pid, None).is_ok() {
            ensure!(began.elapsed() < PATIENCE, "Postgres does not stop");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let again = Postgres::open(&self.args).await?;
        // The share in the server that stopped is given up; that of the new one stays.
        drop(std::mem::replace(&mut self.postgres, again));
        Ok(())
    }

    /// Ends the session of whoever is the writer.
    pub async fn cut_writer(&self) -> Result<()> {
        let statement = "SELECT pg_terminate_backend(pid) FROM pg_locks
                         WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
                           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        self.client(None).await?.query(statement, &[]).await?;
        Ok(())
    }

    /// How often somebody became the writer.
    pub async fn epoch(&self) -> Result<i64> {
        let client = self.client(None).await?;
        let there = client.query_one("SELECT to_regclass('ops.writer') IS NOT NULL", &[]).await?;
        if !there.get::<_, bool>(0) {
            return Ok(0);
        }
        Ok(client.query_one("SELECT epoch FROM ops.writer", &[]).await?.get(0))
    }

    /// Waits until somebody became the writer after `epoch`, and says how long that took.
    pub async fn new_writer(&self, epoch: i64) -> Result<Duration> {
        let began = Instant::now();
        // Postgres may be coming up.
        while self.epoch().await.unwrap_or(epoch) <= epoch {
            ensure!(began.elapsed() < PATIENCE, "nobody became the writer after epoch {epoch}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(began.elapsed())
    }

    /// Waits until the cursor has come to the event.
    pub async fn caught_up(&self, last: &Event) -> Result<()> {
        let began = Instant::now();
        loop {
            let at = self.cursor().await.unwrap_or_default();
            if at >= last.time {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                bail!("the cursor stands still at {at}, before {}", last.time);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn cursor(&self) -> Result<i64> {
        let row = self.client(None).await?.query_opt("SELECT max(position) FROM ops.cursor", &[]).await?;
        Ok(row.and_then(|row| row.get(0)).unwrap_or_default())
    }

    /// Waits until what can be asked of the network was asked.
    pub async fn jobs_done(&self) -> Result<()> {
        let began = Instant::now();
        let query = "SELECT count(*), string_agg(kind || ' ' || key || ' ' || coalesce(error, ''), '; ') FROM ops.job
                     WHERE kind IN ('actor', 'resync', 'discover') AND key !~ '^did:web:'";
        loop {
            let row = self.client(None).await?.query_one(query, &[]).await?;
            if row.get::<_, i64>(0) == 0 {
                return Ok(());
            }
            let left: Option<String> = row.get(1);
            ensure!(began.elapsed() < PATIENCE, "jobs are left: {}", left.unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whose repositories are still to be read, once the network was listed.
    pub async fn readings_waiting(&self) -> Result<BTreeSet<String>> {
        let client = self.client(Some(1)).await?;
        let listed = client.query_one("SELECT EXISTS (SELECT FROM backfill WHERE listed_at IS NOT NULL)", &[]).await?;
        ensure!(listed.get::<_, bool>(0), "the network is not listed yet");
        let rows = client.query("SELECT key FROM job WHERE kind = 'resync'", &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Every account that is known as a hold.
    pub async fn holds(&self) -> Result<BTreeSet<String>> {
        let rows = self.client(Some(1)).await?.query("SELECT did FROM hold_stream", &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Fails if the cursor has passed an event whose record, or a newer one, is not in the ledger.
    pub async fn cursor_is_not_ahead(&self, events: &[Event]) -> Result<()> {
        let client = self.client(Some(1)).await?;
        // One statement: one snapshot.
        let rows = "WITH at AS (SELECT coalesce(max(position), 0) AS position FROM cursor)
                    SELECT at.position, e.did, e.collection, e.rkey, e.rev
                    FROM at, unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
                             AS e (time, did, collection, rkey, rev)
                    WHERE e.time <= at.position
                      AND NOT EXISTS (SELECT FROM record r
                                      WHERE (r.did, r.collection, r.rkey) = (e.did, e.collection, e.rkey) AND r.rev >= e.rev)
                      AND NOT EXISTS (SELECT FROM actor a WHERE a.did = e.did AND a.floor_rev >= e.rev)";
        let records: Vec<(i64, &[String; 4])> =
            events.iter().filter_map(|event| Some((event.time, event.record.as_ref()?))).collect();
        let times: Vec<i64> = records.iter().map(|(time, _)| *time).collect();
        let column = |n: usize| records.iter().map(|(_, record)| record[n].as_str()).collect::<Vec<&str>>();
        let lost = client.query(rows, &[&times, &column(0), &column(1), &column(2), &column(3)]).await?;
        let lost = lost.iter().map(|row| {
            let parts: Vec<String> = (1..5).map(|n| row.get(n)).collect();
            parts.join(" ")
        });
        let lost: Vec<String> = lost.collect();
        ensure!(lost.is_empty(), "the cursor is ahead of {} events: {}", lost.len(), lost.join("; "));
        Ok(())
    }
}
