//! Holds that a batch speaks of: each is read and followed at its own server.

use super::{Transaction, projection::Touched};
use crate::StoreError;

/// A hold that took over from one that took over, and so on: beyond this nobody is followed. Whoever runs a host could name a
/// new successor each time it is asked.
pub(crate) const MAX_SUCCESSORS: i16 = 3;

/// Notes the holds, and returns those that were not known before.
pub(crate) async fn meet(tx: &Transaction<'_>, touched: &Touched) -> Result<Vec<String>, StoreError> {
    if touched.holds.is_empty() {
        return Ok(Vec::new());
    }
    let named: Vec<&String> = touched.named_holds.iter().collect();
    // A successor that nobody names is counted from who names it.
    let is_named = |hold: &String| touched.named_holds.contains(hold);
    let is_successor = |hold: &String| touched.successors.values().any(|successor| successor == hold);
    let others: Vec<&String> = touched.holds.iter().filter(|hold| is_named(hold) || !is_successor(hold)).collect();
    let mut new = tx
        .query(
            // Only others bring a hold nearer: its own word would end the count of successors.
            "INSERT INTO hold_stream AS h (did, depth) SELECT did, 0 FROM unnest($1::text[]) did
             ON CONFLICT (did) DO UPDATE SET depth = 0 WHERE h.did = ANY($2) AND h.depth > 0
             RETURNING did, xmax = 0",
            &[&others, &named],
        )
        .await?;
    let (holds, successors): (Vec<&String>, Vec<&String>) = touched.successors.iter().unzip();
    // One step at a time: a batch may hold a whole line.
    for _ in 0..MAX_SUCCESSORS.min(i16::try_from(holds.len()).unwrap_or(i16::MAX)) {
        let nearer = tx
            .query(
                "INSERT INTO hold_stream AS h (did, depth)
                 SELECT s.successor, (min(p.depth) + 1)::smallint
                 FROM unnest($1::text[], $2::text[]) s (hold, successor) JOIN hold_stream p ON p.did = s.hold
                 WHERE p.depth < $3 GROUP BY s.successor
                 ON CONFLICT (did) DO UPDATE SET depth = excluded.depth WHERE excluded.depth < h.depth
                 RETURNING did, xmax = 0",
                &[&holds, &successors, &MAX_SUCCESSORS],
            )
            .await?;
        if nearer.is_empty() {
            break;
        }
        new.extend(nearer);
    }
    Ok(new.iter().filter(|row| row.get(1)).map(|row| row.get(0)).collect())
}
