use std::collections::{BTreeMap, HashSet};

use tokio_postgres::types::Type;
use types::{RecordId, records::Star};

use crate::{
    StoreError,
    apply::{
        Transaction,
        copy::{Copies, Table},
    },
};

const STAR: Table = Table {
    name: "star",
    columns: &[
        ("did", Type::TEXT),
        ("rkey", Type::TEXT),
        ("owner", Type::TEXT),
        ("repository", Type::TEXT),
        ("created_at", Type::TIMESTAMPTZ),
    ],
};

pub(super) fn rows(copies: &mut Copies, id: &RecordId, star: &Star) -> Result<(), StoreError> {
    let (owner, repository) = (star.owner.as_str(), star.repository.as_str());
    copies.push(&STAR, &[&id.did.as_str(), &id.rkey.as_str(), &owner, &repository, &star.created_at])
}

/// By how much a repository's counts of stars change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StarMove {
    /// Of accounts that may be shown.
    pub shown: i32,
    /// Of accounts that are hidden.
    pub hidden: i32,
}

/// Who stars what: (owner, repository, giver).
type Edge = (String, String, String);

/// How many star records more or fewer stand behind each edge.
#[derive(Default)]
pub(super) struct Moves(BTreeMap<Edge, i32>);

impl Moves {
    pub fn added(&mut self, giver: &str, owner: &str, repository: &str) {
        *self.0.entry((owner.into(), repository.into(), giver.into())).or_default() += 1;
    }

    pub fn removed(&mut self, giver: &str, owner: &str, repository: &str) {
        *self.0.entry((owner.into(), repository.into(), giver.into())).or_default() -= 1;
    }

    /// Moves the edges, and returns by how much each repository's counts of stars change: only an edge that appears or
    /// goes counts, so that a hot repository is never recounted.
    pub async fn write(self, tx: &Transaction<'_>) -> Result<BTreeMap<(String, String), StarMove>, StoreError> {
        let edges: Vec<(Edge, i32)> = self.0.into_iter().filter(|(_, change)| *change != 0).collect();
        let mut stars: BTreeMap<(String, String), StarMove> = BTreeMap::new();
        if edges.is_empty() {
            return Ok(stars);
        }
        let owners: Vec<&str> = edges.iter().map(|((owner, ..), _)| owner.as_str()).collect();
        let repositories: Vec<&str> = edges.iter().map(|((_, repository, _), _)| repository.as_str()).collect();
        let givers: Vec<&str> = edges.iter().map(|((.., giver), _)| giver.as_str()).collect();
        let hidden = hidden(tx, &givers).await?;
        let changes: Vec<i32> = edges.iter().map(|(_, change)| *change).collect();
        let rows = tx
            .query(
                "WITH moved AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[])
                                m (owner, repository, did, change)),
                 gone AS (DELETE FROM star_edge e USING moved m
                          WHERE (e.owner, e.repository, e.did) = (m.owner, m.repository, m.did)
                            AND e.records + m.change <= 0 RETURNING e.owner, e.repository, e.did),
                 changed AS (UPDATE star_edge e SET records = e.records + m.change FROM moved m
                             WHERE (e.owner, e.repository, e.did) = (m.owner, m.repository, m.did)
                               AND e.records + m.change > 0 RETURNING e.owner, e.repository, e.did),
                 new AS (INSERT INTO star_edge (owner, repository, did, records)
                         SELECT owner, repository, did, change FROM moved m WHERE change > 0
                           AND NOT EXISTS (SELECT FROM star_edge e
                                           WHERE (e.owner, e.repository, e.did) = (m.owner, m.repository, m.did))
                         RETURNING owner, repository, did)
                 SELECT owner, repository, -1, did FROM gone UNION ALL SELECT owner, repository, 1, did FROM new",
                &[&owners, &repositories, &givers, &changes],
            )
            .await?;
        for row in &rows {
            let counts = stars.entry((row.get(0), row.get(1))).or_default();
            let count = if hidden.contains(row.get::<_, &str>(3)) { &mut counts.hidden } else { &mut counts.shown };
            *count += row.get::<_, i32>(2);
        }
        Ok(stars)
    }
}

/// Which givers are hidden. Their rows stay locked: who hides or shows one meanwhile waits, and then finds the edges.
async fn hidden(tx: &Transaction<'_>, givers: &[&str]) -> Result<HashSet<String>, StoreError> {
    let states = "SELECT did, active FROM actor WHERE did = ANY($1) ORDER BY did FOR SHARE";
    let rows = tx.query(states, &[&givers]).await?;
    Ok(rows.iter().filter(|row| !row.get::<_, bool>(1)).map(|row| row.get(0)).collect())
}
