//! The derived row of a repository, made anew from the manifests, tags and pages that name it.

use tokio_postgres::Transaction;
use types::RepositoryName;

use super::projection::Touched;
use crate::StoreError;

/// Moves the counts of stars, derives the touched repositories and removes those that nothing names any more.
pub(crate) async fn derive(tx: &Transaction<'_>, touched: &Touched) -> Result<(), StoreError> {
    move_stars(tx, touched).await?;
    if !touched.repositories.is_empty() {
        let (dids, names): (Vec<&str>, Vec<&str>) =
            touched.repositories.iter().map(|(did, name)| (did.as_str(), name.as_str())).unzip();
        let pullable: Vec<bool> = names.iter().map(|name| is_pullable(name)).collect();
        tx.execute(include_str!("derive_repository.sql"), &[&dids, &names, &pullable]).await?;
    }
    let all: Vec<&(String, String)> = touched.repositories.iter().chain(touched.stars.keys()).collect();
    if !all.is_empty() {
        let (dids, names): (Vec<&str>, Vec<&str>) = all.iter().map(|(did, name)| (did.as_str(), name.as_str())).unzip();
        tx.execute(
            "DELETE FROM repository r USING unnest($1::text[], $2::text[]) t (did, name)
             WHERE r.did = t.did AND r.name = t.name AND r.manifests + r.tags + r.pages + r.stars = 0",
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
    let moves: Vec<(&str, &str, i32)> = touched
        .stars
        .iter()
        .filter(|(_, change)| **change != 0)
        .map(|((did, name), change)| (did.as_str(), name.as_str(), *change))
        .collect();
    if moves.is_empty() {
        return Ok(());
    }
    let dids: Vec<&str> = moves.iter().map(|(did, ..)| *did).collect();
    let names: Vec<&str> = moves.iter().map(|(_, name, _)| *name).collect();
    let changes: Vec<i32> = moves.iter().map(|(.., change)| *change).collect();
    let pullable: Vec<bool> = names.iter().map(|name| is_pullable(name)).collect();
    tx.execute(
        "INSERT INTO repository AS r (did, name, stars, pullable, search)
         SELECT did, name, stars, pullable, lower(name)
         FROM unnest($1::text[], $2::text[], $3::int[], $4::bool[]) t (did, name, stars, pullable)
         ON CONFLICT (did, name) DO UPDATE SET stars = r.stars + excluded.stars",
        &[&dids, &names, &changes, &pullable],
    )
    .await?;
    Ok(())
}
