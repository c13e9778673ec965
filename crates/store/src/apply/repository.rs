//! The derived row of a repository, made anew from the manifests, tags and pages that name it.

use types::RepositoryName;

use super::{
    Transaction,
    projection::{StarMove, Touched},
};
use crate::StoreError;

/// Moves the counts of stars, derives the touched repositories and removes those that nothing names any more. Whoever else moves
/// counts has taken turns with this batch at the writer's row.
pub(crate) async fn derive(tx: &Transaction<'_>, touched: &Touched) -> Result<(), StoreError> {
    move_stars(tx, touched).await?;
    if !touched.repositories.is_empty() {
        let (dids, names): (Vec<&str>, Vec<&str>) =
            touched.repositories.iter().map(|(did, name)| (did.as_str(), name.as_str())).unzip();
        let pullable: Vec<bool> = names.iter().map(|name| is_pullable(name)).collect();
        tx.execute(include_str!("derive_repository.sql"), &[&dids, &names, &pullable]).await?;
    }
    let unstarred =
        touched.stars.iter().filter(|(_, change)| change.shown < 0 || change.hidden < 0).map(|(key, _)| key);
    let lessened: Vec<&(String, String)> = touched.lessened.iter().chain(unstarred).collect();
    if !lessened.is_empty() {
        let (dids, names): (Vec<&str>, Vec<&str>) =
            lessened.iter().map(|(did, name)| (did.as_str(), name.as_str())).unzip();
        tx.execute(
            "DELETE FROM repository r USING unnest($1::text[], $2::text[]) t (did, name)
             WHERE r.did = t.did AND r.name = t.name AND r.manifests + r.tags + r.pages + r.stars + r.hidden_stars = 0",
            &[&dids, &names],
        )
        .await?;
    }
    Ok(())
}

fn is_pullable(name: &str) -> bool {
    name.parse::<RepositoryName>().is_ok_and(|name| name.oci().is_some())
}

async fn move_stars(tx: &Transaction<'_>, touched: &Touched) -> Result<(), StoreError> {
    let moves: Vec<_> = touched.stars.iter().filter(|(_, change)| **change != StarMove::default()).collect();
    if moves.is_empty() {
        return Ok(());
    }
    let dids: Vec<&str> = moves.iter().map(|((did, _), _)| did.as_str()).collect();
    let names: Vec<&str> = moves.iter().map(|((_, name), _)| name.as_str()).collect();
    let (shown, hidden): (Vec<i32>, Vec<i32>) = moves.iter().map(|(_, change)| (change.shown, change.hidden)).unzip();
    let pullable: Vec<bool> = names.iter().map(|name| is_pullable(name)).collect();
    tx.execute(
        "INSERT INTO repository AS r (did, name, stars, hidden_stars, pullable, search)
         SELECT did, name, shown, hidden, pullable, lower(name)
         FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::bool[]) t (did, name, shown, hidden, pullable)
         ON CONFLICT (did, name) DO UPDATE
         SET stars = r.stars + excluded.stars, hidden_stars = r.hidden_stars + excluded.hidden_stars",
        &[&dids, &names, &shown, &hidden, &pullable],
    )
    .await?;
    Ok(())
}
