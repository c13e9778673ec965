//! What follows from records together: repositories, tags, stars, pulls.

use std::collections::{BTreeMap, BTreeSet};

use super::super::facts::{ANY, Facts, values};
use super::Index;
use super::records::{Tag, pullable};

impl Index {
    /// Every repository that a manifest, a tag, a page or a star names.
    pub(super) fn repositories(&self, facts: &mut Facts) {
        let of_manifests = self.manifests.iter().map(|((did, _), manifest)| (did, &manifest.repository));
        let of_tags = self.tags.iter().map(|((did, _), tag)| (did, &tag.repository));
        let of_stars = self.stars.keys().map(|(owner, repository, _)| (owner, repository));
        let of_pages = self.pages.iter().map(|(did, repository)| (did, repository));
        let names: BTreeSet<(&String, &String)> = of_manifests.chain(of_tags).chain(of_stars).chain(of_pages).collect();
        for ((owner, repository, giver), records) in &self.stars {
            facts.add(format!("star {owner} {repository} {giver}"), records.to_string());
        }
        for (did, name) in names {
            self.repository(facts, did, name);
        }
    }

    fn repository(&self, facts: &mut Facts, did: &str, name: &str) {
        let manifests = self.manifests.iter().filter(|((owner, _), m)| owner == did && m.repository == name).count();
        // A star counts while its giver may be shown.
        let counts = |(owner, repository, giver): &&(String, String, String)| {
            owner == did && repository == name && self.active[giver]
        };
        let stars = self.stars.keys().filter(counts).count();
        let pages = usize::from(self.pages.contains(&(did.to_owned(), name.to_owned())));
        let tags = self.effective_tags(did, name);
        for (tag, record) in &tags {
            facts.add(format!("tag {did} {name} {tag}"), self.target(did, record));
        }
        // What people mean without a tag: `latest`, or else the newest.
        let latest = tags.get("latest").or_else(|| tags.values().max_by(|a, b| a.time.cmp(&b.time)));
        let digest = latest.map_or(ANY.to_owned(), |tag| self.target(did, tag));
        // Without a manifest at hand the records do not say what stands in for it.
        let digest = if digest == "-" { ANY.to_owned() } else { digest };
        let latest = latest.map_or("", |tag| tag.tag.as_str());
        let numbers = [manifests, tags.len(), stars].map(|number| number.to_string());
        let [m, t, s] = numbers.each_ref().map(String::as_str);
        let pullable = pullable(name).to_string();
        facts.add(
            format!("repository {did} {name}"),
            values(&[m, t, s, &pages.to_string(), &pullable, latest, &digest]),
        );
        let visible = self.active[did] && manifests + tags.len() > 0;
        let page = if visible { values(&[m, t, s, latest, &self.pulls(did, name)]) } else { values(&[""]) };
        facts.add(format!("shown {did} {name}"), page);
    }

    /// Of several records for one tag the newest counts.
    fn effective_tags(&self, did: &str, name: &str) -> BTreeMap<&str, &Tag> {
        let mut tags: BTreeMap<&str, &Tag> = BTreeMap::new();
        for (_, tag) in self.tags.iter().filter(|((owner, _), tag)| owner == did && tag.repository == name) {
            let current = tags.entry(&tag.tag).or_insert(tag);
            if tag.time > current.time {
                *current = tag;
            }
        }
        tags
    }

    /// The digest that a tag points at; `-` while the manifest is not there.
    fn target(&self, did: &str, tag: &Tag) -> String {
        let record = tag.manifest.as_ref().and_then(|rkey| self.manifests.get(&(did.to_owned(), rkey.clone())));
        match (record, &tag.manifest, &tag.digest) {
            (Some(manifest), ..) => manifest.digest.clone(),
            (None, None, Some(digest)) => digest.clone(),
            // Two targets, and the preferred one is missing.
            (None, Some(_), Some(_)) => ANY.to_owned(),
            (None, ..) => "-".to_owned(),
        }
    }

    /// A hold's claim counts while a manifest of the repository names that hold.
    fn pulls(&self, did: &str, name: &str) -> String {
        let mut claims: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for (hold, owner, repository, pulls) in &self.stats {
            let names = |(place, m): (&(String, String), &super::Manifest)| {
                place.0 == did && m.repository == name && m.hold.as_deref() == Some(hold.as_str())
            };
            if owner == did && repository == name && self.manifests.iter().any(names) {
                claims.entry(hold).or_default().push(*pulls);
            }
        }
        // Two claims of one hold for one repository: the records do not say which stands.
        if claims.values().any(|claims| claims.len() > 1) {
            return ANY.to_owned();
        }
        claims.values().flatten().sum::<i64>().to_string()
    }
}
