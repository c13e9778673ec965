//! What the index shows, by its rows and by the reader that pages are made with.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use store::{Reader, queries::TagsAsked};
use tokio::task::JoinSet;
use tokio_postgres::Client;
use types::Did;

use super::facts::{Facts, values};
use super::history::did;

/// Rows as lines of facts: each query gives a name and the values, as texts.
const ROWS: [&str; 11] = [
    "SELECT concat_ws(' ', 'record', did, collection, rkey), ARRAY[encode(cid, 'hex'), state]
     FROM record WHERE state <> 'deleted'",
    "SELECT concat_ws(' ', 'repository', did, name),
            ARRAY[manifests::text, tags::text, stars::text, pages::text, pullable::text, latest_tag, latest_digest]
     FROM repository",
    "SELECT concat_ws(' ', 'manifest', did, rkey),
            ARRAY[repository, digest, media_type, kind, hold, config_digest, subject] FROM manifest",
    "SELECT concat_ws(' ', 'layer', did, rkey, position), ARRAY[digest, media_type, size::text] FROM layer",
    "SELECT concat_ws(' ', 'platform', did, rkey, position),
            ARRAY[digest, size::text, concat_ws('/', os, architecture, variant)] FROM platform",
    "SELECT concat_ws(' ', 'star', owner, repository, did), ARRAY[records::text] FROM star_edge",
    "SELECT concat_ws(' ', 'profile', did), ARRAY[default_hold, oci_client] FROM profile",
    "SELECT concat_ws(' ', 'page', did, rkey), ARRAY[repository, description] FROM page",
    "SELECT concat_ws(' ', 'crew', did, rkey),
            ARRAY[hold, declaration_rkey, member, pattern, role, array_to_string(permissions, ',')] FROM crew",
    "SELECT concat_ws(' ', 'scan', did, rkey), ARRAY[owner, manifest_rkey, critical::text, total::text]
     FROM scan WHERE did !~ '(alice|bob|carol)$'",
    // A stray row of a star would be a count of tomorrow.
    "SELECT concat_ws(' ', 'stray star', s.did, s.rkey), ARRAY[s.owner, s.repository] FROM star s
     LEFT JOIN star_edge e ON (e.owner, e.repository, e.did) = (s.owner, s.repository, s.did) WHERE e.did IS NULL",
];
/// How many readers ask at once.
const READERS: usize = 6;

/// The holds that a history's records can name.
pub fn holds(number: u32) -> [String; 4] {
    let old = format!("did:web:n{number}.old.example");
    [did(number, 3), did(number, 4), format!("{old}%3A8443"), old]
}

/// What is shown of each history, by its number.
pub async fn shown(client: &Client, reader: &Reader, numbers: &BTreeSet<u32>) -> Result<BTreeMap<u32, Facts>> {
    let mut shown: BTreeMap<u32, Facts> = numbers.iter().map(|number| (*number, Facts::default())).collect();
    for query in ROWS {
        for row in client.query(query, &[]).await? {
            let (name, said): (String, Vec<Option<String>>) = (row.get(0), row.get(1));
            let number = number_of(&name).with_context(|| format!("nobody's: {name}"))?;
            let said: Vec<&str> = said.iter().map(|value| value.as_deref().unwrap_or_default()).collect();
            if let Some(facts) = shown.get_mut(&number) {
                facts.add(name, values(&said));
            }
        }
    }
    let mut readers = JoinSet::new();
    let mut todo: Vec<(u32, Facts)> = shown.into_iter().collect();
    let share = todo.len().div_ceil(READERS).max(1);
    while !todo.is_empty() {
        let rest = todo.split_off(share.min(todo.len()));
        readers.spawn(read(reader.clone(), std::mem::replace(&mut todo, rest)));
    }
    let mut shown = BTreeMap::new();
    while let Some(read) = readers.join_next().await {
        shown.extend(read??);
    }
    Ok(shown)
}

/// The history that a name is about: that of its first DID.
fn number_of(name: &str) -> Option<u32> {
    let rest = name.split_once("did:")?.1.split_once(":n")?.1;
    rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}

/// Adds what pages show.
async fn read(reader: Reader, mut shown: Vec<(u32, Facts)>) -> Result<Vec<(u32, Facts)>> {
    for (number, facts) in &mut shown {
        let names: Vec<(Did, String)> = facts.0.keys().filter_map(|name| repository(name)).collect();
        for (did, name) in names {
            let repository = name.parse()?;
            let all = TagsAsked { limit: 100, ..TagsAsked::default() };
            for tag in reader.tags(&did, &repository, &all).await?.items {
                facts.add(format!("tag {did} {name} {}", tag.tag), values(&[&tag.digest.unwrap_or_default()]));
            }
            let view = reader.repository(&did, &repository).await?.map(|view| {
                let numbers = [view.manifests, view.tags, view.item.stars].map(|number| number.to_string());
                let [m, t, s] = numbers.each_ref().map(String::as_str);
                values(&[m, t, s, &view.item.latest_tag.unwrap_or_default(), &view.item.claimed_pulls.to_string()])
            });
            facts.add(format!("shown {did} {name}"), view.unwrap_or_else(|| values(&[""])));
        }
        for hold in holds(*number) {
            let view = reader.hold(&hold.parse()?).await?.map(|view| {
                let public = view.public.map(|public| public.to_string()).unwrap_or_default();
                let (owner, region) = (view.owner.unwrap_or_default(), view.region.unwrap_or_default());
                values(&[&owner, &view.captain.to_string(), &public, &region])
            });
            facts.add(format!("hold {hold}"), view.unwrap_or_else(|| values(&[""])));
        }
    }
    Ok(shown)
}

fn repository(name: &str) -> Option<(Did, String)> {
    let (did, name) = name.strip_prefix("repository ")?.split_once(' ')?;
    Some((did.parse().ok()?, name.to_owned()))
}
