//! The two digests of an index: equal records give equal `records`; with the same code, equal `view` too.
//!
//! `records` is kept by the writer, an account at a time; `view` covers every projected and derived column and is computed
//! here. Both cover the accounts that may be shown, and neither depends on the order of rows, the time zone or the version of
//! Postgres.

use std::collections::BTreeMap;

use futures::{TryStreamExt as _, pin_mut};
use sha2::{Digest as _, Sha256};
use tokio_postgres::{Client, IsolationLevel, Transaction, types::ToSql};

use crate::{
    StoreError,
    apply::fingerprint::{Sum, total},
};

/// Tables of a generation that `view` leaves out: the kept sums, which are what `records` is made of, and what searching needs,
/// which follows the index and knows pulls and observations too.
pub const EXCLUDED_TABLES: [&str; 8] = [
    "fingerprint",
    "search_dirty",
    "search_doc",
    "search_keys",
    "search_posting",
    "search_spelling",
    "search_state",
    "search_word",
];

/// Columns that `view` leaves out, as (table, column): how we came to know a record, and not what it is. A stream and a
/// snapshot give different revisions and other bytes for one content; hidden stars are those of accounts that are not shown.
pub const EXCLUDED_COLUMNS: [(&str, &str); 6] = [
    ("record", "rev"),
    ("record", "raw"),
    ("record", "decoder"),
    ("record", "reason"),
    ("record", "verification"),
    ("repository", "hidden_stars"),
];

/// A digest and how many rows it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// 64 hex characters.
    pub digest: String,
    /// Rows, of accounts that may be shown.
    pub rows: i64,
}

/// The digests of an index, all of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Over the live records, undecodable ones included, as the writer keeps it.
    pub records: Covered,
    /// Over every projected and derived column.
    pub view: Covered,
    /// The parts of `view`, by table.
    pub tables: BTreeMap<String, Covered>,
}

/// The `records` digest made anew from the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recount {
    /// What it should be.
    pub records: Covered,
    /// Accounts, shown or not, whose kept sum is another one.
    pub wrong: Vec<String>,
}

/// Computes the digests of the generation that the connection sees, in one snapshot.
///
/// # Errors
/// When Postgres refuses, is not there, or has a column of a type that this code does not know.
pub async fn take(client: &mut Client) -> Result<Fingerprint, StoreError> {
    let tx = snapshot(client).await?;
    let kept = "SELECT f.sum, f.live FROM fingerprint f JOIN actor a ON a.did = f.did AND a.active";
    let kept = tx.query(kept, &[]).await?;
    let records = covered(total(kept.iter().map(|row| (row.get(0), row.get(1)))));
    let mut tables = BTreeMap::new();
    for (table, columns) in columns(&tx).await? {
        let part = table_digest(&tx, &table, &columns).await?;
        tables.insert(table, part);
    }
    let mut hash = Sha256::new();
    for (table, part) in &tables {
        hash.update(format!("{table} {} {}\n", part.rows, part.digest));
    }
    let rows = tables.values().map(|part| part.rows).sum();
    let view = Covered { digest: hex::encode(hash.finalize()), rows };
    Ok(Fingerprint { records, view, tables })
}

/// Computes `records` from the ledger, and compares the sum that is kept of each account.
///
/// # Errors
/// When Postgres refuses, or is not there.
pub async fn recount(client: &mut Client) -> Result<Recount, StoreError> {
    let tx = snapshot(client).await?;
    let mut sums: BTreeMap<String, (Sum, i64)> = BTreeMap::new();
    let live = "SELECT did, collection, rkey, cid FROM record WHERE state <> 'deleted'";
    let rows = tx.query_raw(live, NOTHING).await?;
    pin_mut!(rows);
    while let Some(row) = rows.try_next().await? {
        let (did, cid): (&str, Option<&[u8]>) = (row.get(0), row.get(3));
        let of_it = Sum::of_parts(did, row.get(1), row.get(2), cid.unwrap_or_default());
        match sums.get_mut(did) {
            Some((sum, live)) => {
                sum.add(of_it);
                *live += 1;
            }
            None => drop(sums.insert(did.to_owned(), (of_it, 1))),
        }
    }
    let kept = tx.query("SELECT did, sum, live FROM fingerprint WHERE live <> 0", &[]).await?;
    let kept: BTreeMap<String, (Sum, i64)> =
        kept.iter().map(|row| (row.get(0), (Sum::from_bytes(row.get(1)), row.get(2)))).collect();
    let differ = |did: &&String| sums.get(*did) != kept.get(*did);
    let mut wrong: Vec<String> = sums.keys().chain(kept.keys()).filter(differ).cloned().collect();
    wrong.sort_unstable();
    wrong.dedup();
    let shown = tx.query("SELECT did FROM actor WHERE active", &[]).await?;
    let shown = shown.iter().filter_map(|row| sums.get(row.get::<_, &str>(0)));
    let records = covered(total(shown.map(|(sum, live)| (sum.as_bytes(), *live))));
    Ok(Recount { records, wrong })
}

const NOTHING: [&(dyn ToSql + Sync); 0] = [];

async fn snapshot(client: &mut Client) -> Result<Transaction<'_>, StoreError> {
    let builder = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    Ok(builder.start().await?)
}

fn covered((digest, rows): (String, i64)) -> Covered {
    Covered { digest, rows }
}

/// The covered columns of each table, by name, each as an SQL expression of its text.
async fn columns(tx: &Transaction<'_>) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let columns = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
                   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
                   ORDER BY c.relname COLLATE \"C\", a.attname COLLATE \"C\"";
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in tx.query(columns, &[]).await? {
        let (table, column, kind): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        if EXCLUDED_TABLES.contains(&table) || EXCLUDED_COLUMNS.contains(&(table, column)) {
            continue;
        }
        tables.entry(table.to_owned()).or_default().push(text(column, kind)?);
    }
    Ok(tables)
}

/// A value's text, the same whatever the session's settings are.
fn text(column: &str, kind: &str) -> Result<String, StoreError> {
    Ok(match kind {
        "text" => format!("t.{column}"),
        "integer" | "bigint" | "boolean" | "jsonb" => format!("t.{column}::text"),
        "text[]" => format!("to_json(t.{column})::text"),
        "bytea" => format!("encode(t.{column}, 'hex')"),
        // Microseconds since 1970.
        "timestamp with time zone" => format!("trunc(extract(epoch FROM t.{column}) * 1000000)::text"),
        _ => return Err(StoreError::Statement(format!("{column} is of the unknown type {kind}").into())),
    })
}

/// The sum of the hashes of a table's rows. A value is preceded by its length, so that no two rows hash alike.
async fn table_digest(tx: &Transaction<'_>, table: &str, columns: &[String]) -> Result<Covered, StoreError> {
    let parts: Vec<String> =
        columns.iter().map(|text| format!("coalesce(length({text}) || ':' || {text}, '-')")).collect();
    let of = match table {
        "record" => "WHERE t.state <> 'deleted'",
        // Others are there only for the stars of hidden accounts.
        "repository" => "WHERE t.manifests + t.tags + t.pages + t.stars > 0",
        _ => "",
    };
    let sql = format!(
        "SELECT sha256(convert_to(concat({}), 'UTF8')) FROM {table} t JOIN actor a ON a.did = t.did AND a.active {of}",
        parts.join(", ")
    );
    let rows = tx.query_raw(&sql, NOTHING).await?;
    pin_mut!(rows);
    let (mut sum, mut count) = (Sum::default(), 0);
    while let Some(row) = rows.try_next().await? {
        sum.add(Sum::from_bytes(row.get(0)));
        count += 1;
    }
    Ok(covered(total([(sum.as_bytes(), count)].into_iter())))
}
