use futures::pin_mut;
use tokio_postgres::{
    Transaction,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

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

/// Copies rows into a table, binary.
pub(crate) async fn copy(tx: &Transaction<'_>, table: &Table, rows: &[Vec<Value<'_>>]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (names, types): (Vec<&str>, Vec<Type>) = table.columns.iter().cloned().unzip();
    let statement = format!("COPY {} ({}) FROM STDIN BINARY", table.name, names.join(", "));
    let writer = BinaryCopyInWriter::new(tx.copy_in(&statement).await?, &types);
    pin_mut!(writer);
    for row in rows {
        let values: Vec<&(dyn ToSql + Sync)> = row.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        writer.as_mut().write(&values).await?;
    }
    writer.finish().await?;
    Ok(())
}
