//! The transaction of a batch, whose statements are prepared once a connection.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use tokio_postgres::{CopyInSink, Error, Row, Statement, types::ToSql};

/// The prepared statements of a connection, by their text. There are as many as the source code names. They belong to the
/// session: a transaction or a savepoint that is rolled back leaves them as they are.
#[derive(Default)]
pub(crate) struct Statements(Mutex<HashMap<String, Statement>>);

/// A transaction that remembers its connection's statements: Postgres reads and plans each of them once, not every batch.
pub(crate) struct Transaction<'a> {
    inner: tokio_postgres::Transaction<'a>,
    statements: &'a Statements,
}

impl<'a> Transaction<'a> {
    pub fn new(inner: tokio_postgres::Transaction<'a>, statements: &'a Statements) -> Self {
        Self { inner, statements }
    }

    /// A savepoint in it.
    pub async fn savepoint(&mut self) -> Result<Transaction<'_>, Error> {
        Ok(Transaction { inner: self.inner.transaction().await?, statements: self.statements })
    }

    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await
    }

    pub async fn rollback(self) -> Result<(), Error> {
        self.inner.rollback().await
    }

    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        self.inner.query(&self.prepared(sql).await?, parameters).await
    }

    pub async fn query_one(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        self.inner.query_one(&self.prepared(sql).await?, parameters).await
    }

    pub async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.inner.execute(&self.prepared(sql).await?, parameters).await
    }

    pub async fn copy_in(&self, sql: &str) -> Result<CopyInSink<Bytes>, Error> {
        self.inner.copy_in(&self.prepared(sql).await?).await
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, Error> {
        let known = self.statements.0.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.inner.prepare(sql).await?;
        self.statements.0.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}
