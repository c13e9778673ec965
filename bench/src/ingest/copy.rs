//! The reference of `ingest.apply`: the rows that it left, by `COPY` alone, into the same tables with the same indexes.

use std::time::Instant;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::{SinkExt as _, TryStreamExt as _};
use tokio_postgres::Statement;

use crate::server::{Database, Server, cpu_seconds};

/// What a binary `COPY` begins with: the signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// A table's rows in the order in which they were written, in the binary form of `COPY`.
pub struct Table {
    name: String,
    bytes: Vec<u8>,
    /// Where each row begins, and where the last one ends.
    bounds: Vec<usize>,
}

pub struct Copied {
    pub seconds: f64,
    pub cpu: f64,
    pub rows: usize,
}

/// Takes every row out of a database that the writer has filled.
pub async fn dump(database: &Database) -> Result<Vec<Table>> {
    let names = database
        .client
        .query(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ($1, 'obs', 'ops') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
               AND c.relname NOT IN ('writer', 'current_generation', 'picture_key') ORDER BY 1",
            &[&format!("idx_{}", database.generation)],
        )
        .await?;
    let mut tables = Vec::new();
    for name in names.iter().map(|row| row.get::<_, String>(0)) {
        let stream = database.client.copy_out(&format!("COPY (SELECT * FROM {name}) TO STDOUT BINARY")).await?;
        let chunks: Vec<Bytes> = stream.try_collect().await?;
        let bytes = chunks.concat();
        let bounds = bounds(&bytes).with_context(|| format!("the binary COPY of {name}"))?;
        tables.push(Table { name, bytes, bounds });
    }
    tables.retain(|table| table.bounds.len() > 1);
    Ok(tables)
}

/// Where the rows begin: each is a number of fields, and a length and bytes for each of them.
fn bounds(bytes: &[u8]) -> Option<Vec<usize>> {
    let mut at = HEADER.len();
    let mut bounds = vec![at];
    loop {
        let fields = i16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
        if fields < 0 {
            return Some(bounds);
        }
        at += 2;
        for _ in 0..fields {
            let length = i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
            at += 4 + usize::try_from(length).unwrap_or_default();
        }
        bounds.push(at);
    }
}

/// Copies the rows into an empty database, in so many transactions.
pub async fn measure(server: &Server, tables: &[Table], transactions: usize) -> Result<Copied> {
    let database = server.database("copy").await?;
    let mut statements = Vec::new();
    for table in tables {
        statements.push(database.client.prepare(&format!("COPY {} FROM STDIN BINARY", table.name)).await?);
    }
    // As the writer commits. The archive takes any day.
    database.client.batch_execute("SET synchronous_commit = off").await?;
    let any_day = "CREATE TABLE ops.archive_any_day PARTITION OF ops.archive DEFAULT";
    database.client.batch_execute(any_day).await?;
    database.settle().await?;
    let cpu_before = cpu_seconds(&database.client).await.unwrap_or(f64::NAN);
    let began = Instant::now();
    for n in 0..transactions {
        database.client.batch_execute("BEGIN").await?;
        for (table, statement) in tables.iter().zip(&statements) {
            copy(&database, statement, table, n, transactions).await?;
        }
        database.client.batch_execute("COMMIT").await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = cpu_seconds(&database.client).await.unwrap_or(f64::NAN) - cpu_before;
    Ok(Copied { seconds, cpu, rows: tables.iter().map(|table| table.bounds.len() - 1).sum() })
}

/// Copies the n-th of so many parts of a table.
async fn copy(database: &Database, statement: &Statement, table: &Table, n: usize, of: usize) -> Result<()> {
    let rows = table.bounds.len() - 1;
    let (first, end) = (table.bounds[rows * n / of], table.bounds[rows * (n + 1) / of]);
    if first == end {
        return Ok(());
    }
    let sink = database.client.copy_in(statement).await?;
    futures::pin_mut!(sink);
    let part = [HEADER, &table.bytes[first..end], &TRAILER].concat();
    sink.send(Bytes::from(part)).await?;
    sink.finish().await?;
    Ok(())
}
