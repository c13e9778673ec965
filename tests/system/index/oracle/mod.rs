//! The index as a plain fold over records, in memory: written from the published description of the `io.atcr.*` records, not from
//! the store.

mod records;
mod repositories;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::cid;
use super::facts::{ANY, Facts, values};
use super::history::{ACCOUNTS, HOLDS, History};
use records::{Claim, Manifest, Tag};

/// Every account's records as they stand in the end, understood.
#[derive(Default)]
struct Index {
    active: BTreeMap<String, bool>,
    /// By account and key.
    manifests: BTreeMap<(String, String), Manifest>,
    tags: BTreeMap<(String, String), Tag>,
    /// Who stars what, with how many records: (owner, repository, giver).
    stars: BTreeMap<(String, String, String), u32>,
    pages: BTreeSet<(String, String)>,
    captains: BTreeMap<String, Claim>,
    declarations: Vec<Claim>,
    /// The hold, whose repository, pulls.
    stats: Vec<(String, String, String, i64)>,
}

/// What an index of the history's records shows.
pub fn expected(history: &History) -> Facts {
    let (mut index, mut facts) = (Index::default(), Facts::default());
    for who in 0..ACCOUNTS {
        let did = history.did(who).to_string();
        index.active.insert(did.clone(), history.active[who]);
        for (slot, record) in history.standing(who, u64::MAX) {
            let counts = index.take(&mut facts, &did, slot.collection.as_str(), &slot.rkey, record, who >= HOLDS);
            let state = if counts.is_some() { "ok" } else { "invalid" };
            let name = format!("record {did} {} {}", slot.collection, slot.rkey);
            facts.add(name, values(&[&hex::encode(cid::of(record)), state]));
        }
    }
    index.holds(&mut facts, history.number);
    index.repositories(&mut facts);
    facts
}

/// The sum modulo 2^256 of the hashes of the live records of accounts that may be shown, in hex, and their number.
pub fn digest<'a>(histories: impl Iterator<Item = &'a History>) -> (String, i64) {
    let (mut sum, mut live) = ([0u8; 32], 0);
    for history in histories {
        for who in (0..ACCOUNTS).filter(|who| history.active[*who]) {
            let did = history.did(who).to_string();
            for (slot, record) in history.standing(who, u64::MAX) {
                let mut hash = Sha256::new();
                for part in
                    [did.as_bytes(), slot.collection.as_str().as_bytes(), slot.rkey.as_bytes(), &cid::of(record)]
                {
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
                let mut carry = 0;
                for (byte, more) in sum.iter_mut().zip(hash.finalize()) {
                    let total = u16::from(*byte) + u16::from(more) + carry;
                    (*byte, carry) = (total.to_le_bytes()[0], total >> 8);
                }
                live += 1;
            }
        }
    }
    sum.reverse();
    (hex::encode(sum), live)
}

impl Index {
    /// Takes a record in, if it counts.
    fn take(
        &mut self,
        facts: &mut Facts,
        did: &str,
        collection: &str,
        rkey: &str,
        record: &Value,
        is_hold: bool,
    ) -> Option<()> {
        let place = (did.to_owned(), rkey.to_owned());
        match collection {
            "io.atcr.manifest" => {
                let manifest = records::manifest(record)?;
                manifest_facts(facts, did, rkey, &manifest);
                self.manifests.insert(place, manifest);
            }
            "io.atcr.tag" => drop(self.tags.insert(place, records::tag(did, record)?)),
            "io.atcr.sailor.star" => {
                let (owner, repository) = records::star(record)?;
                *self.stars.entry((owner, repository, did.to_owned())).or_default() += 1;
            }
            "io.atcr.sailor.profile" => {
                let (hold, client) = records::profile(record)?;
                facts.add(format!("profile {did}"), values(&[&hold.unwrap_or_default(), &client.unwrap_or_default()]));
            }
            "io.atcr.repo.page" => {
                let (repository, description) = records::page(record)?;
                let said = [repository.as_str(), &description.unwrap_or_default()];
                facts.add(format!("page {did} {rkey}"), values(&said));
                self.pages.insert((did.to_owned(), repository));
            }
            "io.atcr.hold" => self.declarations.push(records::legacy_hold(did, record)?),
            "io.atcr.hold.captain" => drop(self.captains.insert(did.to_owned(), records::captain(did, record)?)),
            "io.atcr.hold.crew" => {
                let crew = records::crew(did, record)?;
                // What a role of the first generation permits is not written in it.
                let (hold, permissions) = match crew.declaration {
                    None => (did, crew.permissions.join(",")),
                    Some(_) => (ANY, ANY.to_owned()),
                };
                let said = [
                    hold,
                    &crew.declaration.unwrap_or_default(),
                    &crew.member.unwrap_or_default(),
                    &crew.pattern.unwrap_or_default(),
                    &crew.role,
                    &permissions,
                ];
                facts.add(format!("crew {did} {rkey}"), values(&said));
            }
            "io.atcr.hold.layer" => records::layer(record)?,
            "io.atcr.hold.stats" => {
                let (owner, repository, pulls) = records::stats(record)?;
                self.stats.push((did.to_owned(), owner, repository, pulls));
            }
            _ => {
                let (owner, manifest, critical, total) = records::scan(record)?;
                if is_hold {
                    let said = [&owner, &manifest, &critical.to_string(), &total.to_string()];
                    facts.add(format!("scan {did} {rkey}"), values(&said.map(String::as_str)));
                }
            }
        }
        Some(())
    }

    /// Who speaks for which hold: its captain, or else the one account that declares it.
    fn holds(&self, facts: &mut Facts, number: u32) {
        for hold in super::shown::holds(number) {
            // Whether a hidden account's declaration still stands is not said.
            if self.active.values().any(|active| !active) {
                facts.add(format!("hold {hold}"), ANY);
                continue;
            }
            let owners: BTreeSet<&str> =
                self.declarations.iter().filter(|claim| claim.hold == hold).map(|claim| claim.owner.as_str()).collect();
            let declared = self.declarations.iter().find(|claim| claim.hold == hold && owners.len() == 1);
            let named = self.manifests.values().any(|manifest| manifest.hold.as_deref() == Some(&*hold));
            let value = match (self.captains.get(&*hold), declared) {
                (Some(captain), _) => claim(captain, true),
                (None, Some(declared)) => claim(declared, false),
                (None, None) if named => values(&["", "false", "", ""]),
                (None, None) => values(&[""]),
            };
            facts.add(format!("hold {hold}"), value);
        }
    }
}

fn claim(claim: &Claim, captain: bool) -> String {
    let region = claim.region.clone().unwrap_or_default();
    values(&[&claim.owner, &captain.to_string(), &claim.public.to_string(), &region])
}

fn manifest_facts(facts: &mut Facts, did: &str, rkey: &str, manifest: &Manifest) {
    let kind = if manifest.entries.is_empty() { "image" } else { "index" };
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    let (hold, config, subject) = (of(&manifest.hold), of(&manifest.config), of(&manifest.subject));
    let said = [manifest.repository.as_str(), &manifest.digest, &manifest.media_type, kind, &hold, &config, &subject];
    facts.add(format!("manifest {did} {rkey}"), values(&said));
    for (n, (digest, media_type, size)) in manifest.layers.iter().enumerate() {
        facts.add(format!("layer {did} {rkey} {n}"), values(&[digest, media_type, &size.to_string()]));
    }
    for (n, (digest, size, platform)) in manifest.entries.iter().enumerate() {
        let platform = platform.clone().unwrap_or_default();
        facts.add(format!("platform {did} {rkey} {n}"), values(&[digest, &size.to_string(), &platform]));
    }
}
