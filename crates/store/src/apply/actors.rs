//! The rows of accounts, as far as records and hints make them. What the network says of them is for others to write.

use std::collections::HashSet;

use types::{Change, Hint};

use super::{Transaction, projection::Touched};
use crate::StoreError;

/// How many accounts are remembered; then it is begun anew.
const REMEMBERED: usize = 100_000;

/// Accounts and holds that have rows: those are never removed.
#[derive(Default)]
pub(crate) struct Met(HashSet<String>);

impl Met {
    /// Remembers those of a batch that is committed.
    pub fn extend(&mut self, dids: Vec<String>) {
        if self.0.len() > REMEMBERED {
            self.0.clear();
        }
        self.0.extend(dids);
    }
}

/// Makes rows for accounts and holds that are seen for the first time. Before stars are counted: a giver without a row could not
/// be locked, and whoever makes the row meanwhile may hide it without anybody's noticing. Returns those that surely have rows now,
/// and which of them had none before.
pub(crate) async fn meet(
    tx: &Transaction<'_>,
    met: &Met,
    touched: &Touched,
) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let dids = touched.actors.union(&touched.holds).filter(|did| !met.0.contains(*did));
    let dids: Vec<String> = dids.cloned().collect();
    if dids.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let rows = tx
        .query(
            "INSERT INTO actor (did) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING did",
            &[&dids],
        )
        .await?;
    let new = rows.iter().map(|row| row.get(0)).collect();
    Ok((dids, new))
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
