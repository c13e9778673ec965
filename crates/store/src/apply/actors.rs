//! The rows of accounts, as far as records and hints make them. What the network says of them is for others to write.

use types::{Change, Hint};

use super::{Transaction, projection::Touched};
use crate::StoreError;

/// Makes rows for accounts and holds that are seen for the first time, and returns them. Before stars are counted: a giver
/// without a row could not be locked, and whoever makes the row meanwhile may hide it without anybody's noticing.
pub(crate) async fn meet(tx: &Transaction<'_>, touched: &Touched) -> Result<Vec<String>, StoreError> {
    let dids: Vec<&String> = touched.actors.union(&touched.holds).collect();
    if dids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx
        .query(
            "INSERT INTO actor (did) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING did",
            &[&dids],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Hides the accounts that the batch calls inactive, until a look has an answer. Before anything else, and once more when those
/// have rows whom the batch is the first to name: whoever shows or hides an account locks its row first and then the
/// repositories that it stars.
pub(crate) async fn hide(tx: &Transaction<'_>, changes: &[Change]) -> Result<(), StoreError> {
    let hidden: Vec<&str> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Look { did, hint: Hint::Account { active: false } } => Some(did.as_str()),
            _ => None,
        })
        .collect();
    if !hidden.is_empty() {
        tx.execute("UPDATE actor SET active = false WHERE did = ANY($1) AND active", &[&hidden]).await?;
    }
    Ok(())
}
