//! The `records` fingerprint: per account, the sum modulo 2^256 of SHA-256(did, collection, rkey, cid) over its live
//! records. Order-free, so it can be kept by adding and subtracting.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use types::{Change, Cid, Did, RecordId};

use super::{Transaction, ledger::Written};
use crate::StoreError;

/// A 256-bit sum, least significant byte first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum([u8; 32]);

impl Sum {
    /// The sum of one record: each part is preceded by its length, so that no two records hash alike.
    pub fn of(id: &RecordId, cid: Cid) -> Self {
        Self::of_parts(id.did.as_str(), id.collection.as_str(), id.rkey.as_str(), &cid.to_bytes())
    }

    /// The same, of a record as it is stored.
    pub fn of_parts(did: &str, collection: &str, rkey: &str, cid: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [did.as_bytes(), collection.as_bytes(), rkey.as_bytes(), cid] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut sum = [0; 32];
        let length = bytes.len().min(32);
        sum[..length].copy_from_slice(&bytes[..length]);
        Self(sum)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Addition modulo 2^256.
    pub fn add(&mut self, other: Self) {
        let mut carry = 0;
        for (a, b) in self.0.iter_mut().zip(other.0) {
            let sum = u16::from(*a) + u16::from(b) + carry;
            *a = sum as u8;
            carry = sum >> 8;
        }
    }

    /// Subtraction modulo 2^256: adding the two's complement.
    pub fn subtract(&mut self, other: Self) {
        let mut complement = Self(other.0.map(|byte| !byte));
        let mut one = [0; 32];
        one[0] = 1;
        complement.add(Self(one));
        self.add(complement);
    }
}

/// Moves the sums of the accounts that a batch touched, and makes those anew whose whole repository was read.
pub(crate) async fn write(tx: &Transaction<'_>, changes: &[Change], written: &Written<'_>) -> Result<(), StoreError> {
    move_sums(tx, written).await?;
    for change in changes {
        if let Change::Snapshot { did, .. } = change {
            make_anew(tx, did).await?;
        }
    }
    Ok(())
}

async fn make_anew(tx: &Transaction<'_>, did: &Did) -> Result<(), StoreError> {
    let (mut sum, mut live) = (Sum::default(), 0i64);
    let rows = "SELECT collection, rkey, cid FROM record WHERE did = $1 AND state <> 'deleted'";
    for row in tx.query(rows, &[&did.as_str()]).await? {
        let cid: Option<&[u8]> = row.get(2);
        sum.add(Sum::of_parts(did.as_str(), row.get(0), row.get(1), cid.unwrap_or_default()));
        live += 1;
    }
    let did = did.as_str();
    if live == 0 {
        tx.execute("DELETE FROM fingerprint WHERE did = $1", &[&did]).await?;
        return Ok(());
    }
    tx.execute(
        "INSERT INTO fingerprint AS f (did, sum, live) VALUES ($1, $2, $3)
         ON CONFLICT (did) DO UPDATE SET sum = excluded.sum, live = excluded.live
         WHERE (f.sum, f.live) IS DISTINCT FROM (excluded.sum, excluded.live)",
        &[&did, &sum.as_bytes(), &live],
    )
    .await?;
    Ok(())
}

async fn move_sums(tx: &Transaction<'_>, written: &Written<'_>) -> Result<(), StoreError> {
    let mut moves: BTreeMap<&str, (Sum, i64)> = BTreeMap::new();
    for (id, (before, after)) in &written.contents {
        if before == after {
            continue;
        }
        let (sum, live) = moves.entry(id.did.as_str()).or_default();
        if let Some(cid) = before {
            sum.subtract(Sum::of(id, *cid));
            *live -= 1;
        }
        if let Some(cid) = after {
            sum.add(Sum::of(id, *cid));
            *live += 1;
        }
    }
    if moves.is_empty() {
        return Ok(());
    }
    let dids: Vec<&str> = moves.keys().copied().collect();
    // Only the one writer moves them: there is nobody to lock them against.
    for row in tx.query("SELECT did, sum, live FROM fingerprint WHERE did = ANY($1)", &[&dids]).await? {
        if let Some((sum, live)) = moves.get_mut(row.get::<_, &str>("did")) {
            sum.add(Sum::from_bytes(row.get("sum")));
            *live += row.get::<_, i64>("live");
        }
    }
    let sums: Vec<&[u8]> = moves.values().map(|(sum, _)| sum.as_bytes()).collect();
    let lives: Vec<i64> = moves.values().map(|(_, live)| *live).collect();
    tx.execute(
        "INSERT INTO fingerprint (did, sum, live) SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[])
         ON CONFLICT (did) DO UPDATE SET sum = excluded.sum, live = excluded.live",
        &[&dids, &sums, &lives],
    )
    .await?;
    // An account without live records has no row, as if it had never had any.
    let gone: Vec<&str> = moves.iter().filter(|(_, (_, live))| *live == 0).map(|(did, _)| *did).collect();
    if !gone.is_empty() {
        tx.execute("DELETE FROM fingerprint WHERE did = ANY($1)", &[&gone]).await?;
    }
    Ok(())
}

/// Adds up the accounts' sums: 64 hex characters, the most significant first, and how many records they cover.
pub(crate) fn total<'a>(accounts: impl Iterator<Item = (&'a [u8], i64)>) -> (String, i64) {
    let (mut sum, mut live) = (Sum::default(), 0);
    for (bytes, records) in accounts {
        sum.add(Sum::from_bytes(bytes));
        live += records;
    }
    sum.0.reverse();
    (hex::encode(sum.0), live)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Sum;

    proptest! {
        #[test]
        fn subtraction_undoes_addition(a: [u8; 32], b: [u8; 32]) {
            let mut sum = Sum(a);
            sum.add(Sum(b));
            sum.subtract(Sum(b));
            prop_assert_eq!(sum, Sum(a));
        }

        #[test]
        fn order_does_not_matter(a: [u8; 32], b: [u8; 32], c: [u8; 32]) {
            let (mut one, mut other) = (Sum(a), Sum(c));
            for x in [b, c] { one.add(Sum(x)); }
            for x in [a, b] { other.add(Sum(x)); }
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn it_wraps() {
        let mut sum = Sum([0xff; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        sum.add(Sum(one));
        assert_eq!(sum, Sum::default());
    }
}
