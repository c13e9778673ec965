//! Repositories made of Debian's packages: names and descriptions that people wrote, and nobody for a search.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context as _, Result, ensure};
use chrono::{TimeDelta, Utc};
use store::search;

use crate::{dice::Dice, server::Database};

/// How many packages are taken, evenly out of all.
const PACKAGES: usize = 20_000;

/// A package as a repository.
#[derive(Clone, Debug)]
pub struct Package {
    pub name: String,
    pub description: String,
    /// The first part of the owner's handle.
    pub owner: String,
}

impl Package {
    pub fn did(&self) -> String {
        format!("did:web:{}.debian.example", self.owner)
    }
}

/// The packages that this machine's lists have.
pub fn packages() -> Result<Vec<Package>> {
    let output = Command::new("apt-cache").arg("dumpavail").output().context("cannot run apt-cache")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut all: BTreeMap<String, Package> = BTreeMap::new();
    for paragraph in text.split("\n\n") {
        let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let (Some(name), Some(description)) = (field("Package"), field("Description")) else { continue };
        let address =
            field("Maintainer").and_then(|text| text.rsplit_once('<')).map_or("nobody", |(_, address)| address);
        let local = address.split(['@', '>']).next().unwrap_or("nobody").to_lowercase();
        let owner: String = local.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let owner = owner.trim_matches('-').to_owned();
        let package = Package { name: name.to_owned(), description: description.to_owned(), owner };
        all.insert(name.to_owned(), package);
    }
    ensure!(all.len() >= 1_000, "apt-cache dumpavail names {} packages: run apt-get update", all.len());
    let step = (all.len() / PACKAGES).max(1);
    Ok(all.into_values().step_by(step).take(PACKAGES).collect())
}

/// Puts them into a database, with stars at random, and makes it searchable.
pub async fn plant(database: &mut Database, packages: &[Package]) -> Result<()> {
    let mut dice = Dice::new(3);
    let (mut dids, mut names, mut texts, mut stars) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for package in packages {
        dids.push(package.did());
        names.push(package.name.as_str());
        texts.push(package.description.as_str());
        let most = if dice.below(10) == 0 { 500 } else { 3 };
        stars.push(i32::try_from(dice.below(most))?);
    }
    let at = Utc::now() - TimeDelta::hours(1);
    let client = &database.client;
    client
        .execute(
            "INSERT INTO repository (did, name, pullable, manifests, stars, summary, updated_at, search)
             SELECT did, name, true, 1, stars, text, $5::timestamptz - stars * interval '1 day', lower(name || ' ' || text)
             FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[]) t (did, name, text, stars)",
            &[&dids, &names, &texts, &stars, &at],
        )
        .await?;
    client
        .execute(
            "INSERT INTO actor (did, handle, handle_checked_at)
             SELECT DISTINCT did, split_part(did, ':', 3), now() FROM unnest($1::text[]) t (did)",
            &[&dids],
        )
        .await?;
    Ok(search::build(&mut database.client).await?)
}
