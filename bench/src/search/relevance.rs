//! `search.ndcg`: whether what is meant comes first. Queries are made of packages by dice, and a rule says what each of them means;
//! the measure is nDCG@10 (the gain of each result by its place, as a share of the best order's).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use store::{Reader, queries::SearchAsked};
use types::search::{Query, Sort, words};

use super::debian::{self, Package};
use crate::{
    dice::Dice,
    report::Measured,
    server::{Database, Server},
};

const BAR: f64 = 0.95;
const OF_A_KIND: usize = 70;
const DEPTH: usize = 10;

/// A query, and the gain of what is meant by it: (owner's DID, name).
struct Labelled {
    kind: &'static str,
    query: String,
    gains: BTreeMap<(String, String), f64>,
}

pub async fn measure(server: &Server) -> Result<Measured> {
    let packages = debian::packages()?;
    let mut database = server.database("relevance").await?;
    debian::plant(&mut database, &packages).await?;
    let reader = Reader::connect(&database.url, database.generation).await?;
    let queries = queries(&packages);
    let mut kinds: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for labelled in &queries {
        let found = ours(&reader, &labelled.query).await?;
        let naive = ilike(&database, &labelled.query).await?;
        let (of_ours, of_naive) = (ndcg(&labelled.gains, &found), ndcg(&labelled.gains, &naive));
        if std::env::var_os("CROWSNEST_BENCH_MISSED").is_some() && of_ours < 0.9 {
            println!(
                "  {} {:?}: {of_ours:.2}, meant {:?}, found {found:?}",
                labelled.kind,
                labelled.query,
                labelled.gains.keys().next()
            );
        }
        let (one, other) = kinds.entry(labelled.kind).or_default();
        one.push(of_ours);
        other.push(of_naive);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let all = |values: Vec<&Vec<f64>>| mean(&values.into_iter().flatten().copied().collect::<Vec<f64>>());
    let value = all(kinds.values().map(|(ours, _)| ours).collect());
    let reference_value = all(kinds.values().map(|(_, naive)| naive).collect());
    let each = kinds.iter().map(|(kind, (ours, naive))| format!("{kind} {:.3} (ilike {:.3})", mean(ours), mean(naive)));
    Ok(Measured {
        bench: "search.ndcg",
        value,
        unit: "nDCG@10",
        reference: "ilike",
        reference_value,
        bars: vec![(format!("at least {BAR}"), value >= BAR)],
        note: format!(
            "{} queries over {} Debian packages: {}",
            queries.len(),
            packages.len(),
            each.collect::<Vec<_>>().join(", ")
        ),
    })
}

async fn ours(reader: &Reader, query: &str) -> Result<Vec<(String, String)>> {
    let asked = SearchAsked { query: Query::parse(query), sort: Sort::Relevance, limit: DEPTH, cursor: None };
    Ok(reader.search(&asked).await?.items.into_iter().map(|item| (item.owner.did, item.name)).collect())
}

/// What people write who have no index: everything that has the text somewhere, the most starred first.
async fn ilike(database: &Database, query: &str) -> Result<Vec<(String, String)>> {
    let rows = database
        .client
        .query(
            "SELECT r.did, r.name FROM repository r JOIN actor a ON a.did = r.did
             WHERE r.name ILIKE $1 OR r.summary ILIKE $1 OR a.handle ILIKE $1 ORDER BY r.stars DESC, r.name LIMIT 10",
            &[&format!("%{}%", query.replace(' ', "%"))],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn ndcg(gains: &BTreeMap<(String, String), f64>, found: &[(String, String)]) -> f64 {
    let discounted = |gains: &[f64]| -> f64 {
        (2u32..).zip(gains).map(|(place, gain)| (gain.exp2() - 1.0) / f64::from(place).log2()).sum()
    };
    let of_found: Vec<f64> = found.iter().take(DEPTH).map(|place| gains.get(place).copied().unwrap_or(0.0)).collect();
    let mut best: Vec<f64> = gains.values().copied().collect();
    best.sort_by(|one, other| other.total_cmp(one));
    best.truncate(DEPTH);
    discounted(&of_found) / discounted(&best)
}

/// As many of each kind, the same in every run over the same packages.
fn queries(packages: &[Package]) -> Vec<Labelled> {
    let mut dice = Dice::new(23);
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let known: BTreeSet<String> =
        packages.iter().flat_map(|package| words(&package.name).collect::<Vec<_>>()).collect();
    let meant = |is: &dyn Fn(&Package) -> f64| -> BTreeMap<(String, String), f64> {
        let gains = packages.iter().map(|package| ((package.did(), package.name.clone()), is(package)));
        gains.filter(|(_, gain)| *gain > 0.0).collect()
    };
    let mut queries = Vec::new();
    for n in 0..OF_A_KIND * 5 {
        let package = dice.pick(packages);
        let labelled = match n % 5 {
            // The name: that package.
            0 => Labelled {
                kind: "name",
                query: package.name.clone(),
                gains: meant(&|other| f64::from(u8::from(other.name == package.name))),
            },
            // The name with a mistake in one of its words: that package.
            1 => {
                let Some(query) = mistaken(&mut dice, &package.name, &names, &known) else { continue };
                Labelled { kind: "typo", query, gains: meant(&|other| f64::from(u8::from(other.name == package.name))) }
            }
            // How a name begins: all that begin so.
            2 => {
                let length = (package.name.chars().count() * 3 / 5).max(3);
                let query: String = package.name.chars().take(length).collect();
                let query = query.trim_end_matches(|c: char| !c.is_alphanumeric()).to_owned();
                let gains = meant(&|other| f64::from(u8::from(other.name.starts_with(&query))));
                Labelled { kind: "prefix", query, gains }
            }
            // Three words of the description: that package most, then others that have all three.
            3 => {
                let own: Vec<String> = words(&package.description).filter(|word| word.chars().count() > 3).collect();
                if own.len() < 3 {
                    continue;
                }
                let mut chosen = BTreeSet::new();
                while chosen.len() < 3.min(own.iter().collect::<BTreeSet<_>>().len()) {
                    chosen.insert(dice.pick(&own).clone());
                }
                let has_all = |other: &Package| {
                    let text: BTreeSet<String> = words(&format!("{} {}", other.name, other.description)).collect();
                    chosen.is_subset(&text)
                };
                let gains = meant(&|other| match () {
                    () if other.name == package.name => 2.0,
                    () if has_all(other) => 1.0,
                    () => 0.0,
                });
                Labelled { kind: "description", query: Vec::from_iter(chosen).join(" "), gains }
            }
            // The owner: all that is the owner's.
            _ => Labelled {
                kind: "owner",
                query: format!("{}.debian.example", package.owner),
                gains: meant(&|other| f64::from(u8::from(other.owner == package.owner))),
            },
        };
        queries.push(labelled);
    }
    queries
}

/// The name with a letter left out, doubled, replaced, or two that changed places; nobody's name, and no word of one.
fn mistaken(dice: &mut Dice, name: &str, names: &BTreeSet<&str>, known: &BTreeSet<String>) -> Option<String> {
    let letters: Vec<char> = name.chars().collect();
    for _ in 0..20 {
        let mut wrong = letters.clone();
        let at = 1 + dice.below(letters.len().saturating_sub(2).max(1));
        if at + 1 >= wrong.len() || !wrong[at].is_ascii_lowercase() || !wrong[at + 1].is_ascii_lowercase() {
            continue;
        }
        match dice.below(4) {
            0 => drop(wrong.remove(at)),
            1 => wrong.insert(at, letters[at]),
            2 => wrong[at] = char::from(b'a' + u8::try_from(dice.below(26)).unwrap_or_default()),
            _ => wrong.swap(at, at + 1),
        }
        let wrong: String = wrong.into_iter().collect();
        let is_new = words(&wrong).filter(|word| !known.contains(word)).count() == 1;
        let is_long = words(&wrong).any(|word| !known.contains(&word) && word.chars().count() >= 5);
        if is_new && is_long && !names.contains(wrong.as_str()) {
            return Some(wrong);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Package, ndcg, queries};

    #[test]
    fn the_best_order_is_one_and_the_worst_none() {
        let key = |name: &str| ("did".to_owned(), name.to_owned());
        let gains = [(key("a"), 2.0), (key("b"), 1.0)].into();
        assert_eq!(ndcg(&gains, &[key("a"), key("b")]), 1.0);
        assert_eq!(ndcg(&gains, &[key("x")]), 0.0);
        let turned = ndcg(&gains, &[key("b"), key("a")]);
        assert!(turned > 0.7 && turned < 0.9, "{turned}");
    }

    #[test]
    fn there_are_queries_of_every_kind() {
        let packages: Vec<Package> = (0..500)
            .map(|n| Package {
                name: format!("package{n}-tools"),
                description: format!("Tools number {n} which measure everything twice"),
                owner: format!("owner{}", n % 7),
            })
            .collect();
        let queries = queries(&packages);
        assert!(queries.len() >= 300, "{}", queries.len());
        for kind in ["name", "typo", "prefix", "description", "owner"] {
            assert!(queries.iter().any(|query| query.kind == kind && !query.gains.is_empty()), "{kind}");
        }
    }
}
