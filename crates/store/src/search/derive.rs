//! Documents as they should be, from the index and what the network told us.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use types::search::{ArtifactKind, Evidence, Flag};

use super::document::{Document, Texts, static_score};
use crate::StoreError;

/// By owner and name.
pub(super) type Documents = BTreeMap<(String, String), Document>;

/// The documents of those of these repositories that may be listed.
pub(super) async fn documents(
    tx: &Transaction<'_>,
    dids: &[String],
    names: &[String],
) -> Result<Documents, StoreError> {
    let rows = tx.query(include_str!("derive.sql"), &[&dids, &names]).await?;
    let now = Utc::now();
    let mut found = Documents::new();
    for row in &rows {
        let (did, name): (String, String) = (row.get("did"), row.get("name"));
        let updated_at: Option<DateTime<Utc>> = row.get("updated_at");
        let types: Vec<Option<&str>> = row.get("types");
        let evidence: Vec<Option<&str>> = row.get("evidence");
        let tags: Vec<&str> = row.get("tags");
        let seen = evidence.into_iter().flatten().map(Evidence::of).chain(tags.into_iter().map(Evidence::of_tag));
        let seen = seen.fold(Evidence::default(), Evidence::or);
        let is = |flag: Flag| match flag {
            Flag::Signed => seen.signature,
            Flag::Sbom => seen.sbom,
            Flag::Scanned => row.get("scanned"),
            Flag::Public => row.get("public"),
        };
        let mut document = Document {
            static_score: static_score(row.get("stars"), row.get("pulls"), updated_at, now),
            kind: ArtifactKind::of(types.into_iter().flatten()),
            platforms: row.get("platforms"),
            licenses: licenses(row.get::<_, Option<&str>>("licenses").unwrap_or_default()),
            flags: Flag::ALL.into_iter().filter(|flag| is(*flag)).map(|flag| flag.as_str().to_owned()).collect(),
            updated_at,
            keys: Vec::new(),
            did,
            name,
        };
        document.platforms.sort();
        document.post(&Texts { title: row.get("title"), summary: row.get("summary"), readme: row.get("readme") });
        found.insert((document.did.clone(), document.name.clone()), document);
    }
    Ok(found)
}

/// The identifiers in a licence expression.
fn licenses(expression: &str) -> Vec<String> {
    let parts = expression.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '/' | '(' | ')'));
    let named =
        parts.filter(|part| !part.is_empty() && !matches!(*part, "OR" | "AND" | "WITH" | "or" | "and" | "with"));
    let mut licenses: Vec<String> = named.map(|part| part.chars().take(60).collect()).collect();
    licenses.sort();
    licenses.dedup();
    licenses.truncate(8);
    licenses
}

#[cfg(test)]
mod tests {
    use super::licenses;

    #[test]
    fn expressions_name_licenses() {
        assert_eq!(licenses("MIT OR Apache-2.0"), ["Apache-2.0", "MIT"]);
        assert_eq!(licenses("(GPL-3.0-only AND MIT), MIT"), ["GPL-3.0-only", "MIT"]);
        assert_eq!(licenses(""), Vec::<String>::new());
    }
}
