use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{SinkExt as _, pin_mut};
use tokio_postgres::types::{IsNull, ToSql, Type};

use super::Transaction;
use crate::StoreError;

/// A value of a row that is copied.
pub(crate) type Value<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A table's columns and their types, in the order of the rows that are copied into it.
pub(crate) struct Table {
    pub name: &'static str,
    pub columns: &'static [(&'static str, Type)],
}

/// Boxes the values of a row.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as $crate::apply::copy::Value<'_>),*] };
}
pub(crate) use row;

/// What the binary form begins with: the signature, no flags, no extension
/// ([format](https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4)).
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Where the number of a row's fields would be.
const END: i16 = -1;
/// Rows leave in messages of about so many bytes: each wakes the task that drives the connection.
const MESSAGE: usize = 256 << 10;

/// Copies rows into a table, binary.
pub(crate) async fn copy(tx: &Transaction<'_>, table: &Table, rows: &[Vec<Value<'_>>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let messages = encode(table, rows)?;
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let sink = tx.copy_in(&format!("COPY {} ({}) FROM STDIN BINARY", table.name, names.join(", "))).await?;
    pin_mut!(sink);
    for message in messages {
        sink.feed(message).await?;
    }
    sink.finish().await?;
    Ok(())
}

/// The rows in the binary form, before anything is sent: the server does not wait for them.
fn encode(table: &Table, rows: &[Vec<Value<'_>>]) -> Result<Vec<Bytes>, StoreError> {
    let mut messages = Vec::new();
    let mut bytes = BytesMut::from(HEADER);
    for row in rows {
        bytes.put_i16(table.columns.len() as i16);
        for (value, (_, kind)) in row.iter().zip(table.columns) {
            field(&**value, kind, &mut bytes)?;
        }
        if bytes.len() >= MESSAGE {
            messages.push(bytes.split().freeze());
        }
    }
    bytes.put_i16(END);
    messages.push(bytes.freeze());
    Ok(messages)
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
