use std::pin::Pin;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{SinkExt as _, pin_mut};
use tokio_postgres::{
    CopyInSink,
    types::{IsNull, ToSql, Type},
};

use super::Transaction;
use crate::StoreError;

/// A table's columns and their types, in the order of the rows that are copied into it.
pub(crate) struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Type)],
}

impl Table {
    async fn copy_in(&self, tx: &Transaction<'_>) -> Result<CopyInSink<Bytes>, StoreError> {
        let columns: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        Ok(tx.copy_in(&format!("COPY {} ({}) FROM STDIN BINARY", self.name, columns.join(", "))).await?)
    }
}

/// What the binary form begins with: the signature, no flags, no extension
/// ([format](https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4)).
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Where the number of a row's fields would be.
const END: i16 = -1;
/// Rows leave in messages of about so many bytes: each wakes the task that drives the connection.
const MESSAGE: usize = 128 << 10;

/// Rows that wait for a table, in the binary form from the beginning: the server does not wait for it.
pub(crate) struct Rows {
    table: &'static Table,
    full: Vec<Bytes>,
    bytes: BytesMut,
}

/// Rows on their way into a table: the server takes the first while the next are made.
pub(crate) struct Copying {
    rows: Rows,
    sink: Pin<Box<CopyInSink<Bytes>>>,
}

impl Rows {
    pub fn new(table: &'static Table) -> Self {
        Self { table, full: Vec::new(), bytes: BytesMut::from(HEADER) }
    }

    /// Adds a row, with a value for each of the table's columns.
    pub fn push(&mut self, values: &[&(dyn ToSql + Sync)]) -> Result<(), StoreError> {
        self.bytes.put_i16(self.table.columns.len() as i16);
        for (value, (_, kind)) in values.iter().zip(self.table.columns) {
            field(*value, kind, &mut self.bytes)?;
        }
        if self.bytes.len() >= MESSAGE {
            self.full.push(self.bytes.split().freeze());
        }
        Ok(())
    }

    /// Copies them.
    pub async fn copy(mut self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        if self.full.is_empty() && self.bytes.len() == HEADER.len() {
            return Ok(());
        }
        self.bytes.put_i16(END);
        let sink = self.table.copy_in(tx).await?;
        pin_mut!(sink);
        for message in self.full.into_iter().chain([self.bytes.freeze()]) {
            sink.feed(message).await?;
        }
        sink.finish().await?;
        Ok(())
    }
}

impl Copying {
    /// Begins to copy. The connection is this table's until [`Self::finish`].
    pub async fn into(table: &'static Table, tx: &Transaction<'_>) -> Result<Self, StoreError> {
        Ok(Self { rows: Rows::new(table), sink: Box::pin(table.copy_in(tx).await?) })
    }

    /// As [`Rows::push`]; what makes a message leaves.
    pub async fn push(&mut self, values: &[&(dyn ToSql + Sync)]) -> Result<(), StoreError> {
        self.rows.push(values)?;
        for message in self.rows.full.drain(..) {
            self.sink.feed(message).await?;
        }
        Ok(())
    }

    /// Waits until the table has them all.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        self.rows.bytes.put_i16(END);
        self.sink.feed(self.rows.bytes.freeze()).await?;
        self.sink.as_mut().finish().await?;
        Ok(())
    }
}

/// Rows for several tables.
#[derive(Default)]
pub(crate) struct Copies(Vec<Rows>);

impl Copies {
    /// Adds a row to those of a table.
    pub fn push(&mut self, table: &'static Table, values: &[&(dyn ToSql + Sync)]) -> Result<(), StoreError> {
        let at = self.0.iter().position(|rows| rows.table.name == table.name).unwrap_or_else(|| {
            self.0.push(Rows::new(table));
            self.0.len() - 1
        });
        self.0[at].push(values)
    }

    /// Copies all of them.
    pub async fn copy(self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        for rows in self.0 {
            rows.copy(tx).await?;
        }
        Ok(())
    }
}

/// A length and as many bytes; NULL is a length alone.
fn field(value: &(dyn ToSql + Sync), kind: &Type, bytes: &mut BytesMut) -> Result<(), StoreError> {
    let at = bytes.len();
    bytes.put_i32(-1);
    if matches!(value.to_sql_checked(kind, bytes).map_err(StoreError::Statement)?, IsNull::No) {
        let length = i32::try_from(bytes.len() - at - 4).map_err(|error| StoreError::Statement(Box::new(error)))?;
        bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}
