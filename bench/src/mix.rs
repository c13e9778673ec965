//! The fixed mix of events: 30 % manifests with 8 layers, 35 % tags (half of them re-tags), 25 % stars, 5 % pages and hold
//! records, 5 % deletions, of 20,000 owners. As on the network, a tag follows the manifest that was pushed with it.

use std::collections::VecDeque;

use chrono::DateTime;
use serde_json::{Value, json};
use types::{Tid, record_cid};

use crate::dice::Dice;

const OWNERS: usize = 20_000;
const HOLDS: usize = 50;
const LAYERS: usize = 8;
/// This many owners' repositories get half of the stars.
const POPULAR: usize = 500;
const WORDS: [&str; 16] = [
    "alpine", "server", "proxy", "tools", "mail", "cache", "worker", "site", "queue", "runner", "build", "photo",
    "music", "backup", "metrics", "gateway",
];

/// An event of a commit, without the time at which it is sent.
pub struct Commit {
    did: String,
    commit: String,
}

impl Commit {
    /// The text frame of Jetstream version 1, sent at a time in microseconds since 1970.
    pub fn frame(&self, time: i64) -> String {
        let Self { did, commit } = self;
        format!(r#"{{"did":"{did}","time_us":{time},"kind":"commit","commit":{commit}}}"#)
    }
}

struct Owner {
    did: String,
    repositories: Vec<Repository>,
}

struct Repository {
    name: String,
    latest: String,
    tags: u32,
}

/// A tag: the owner, the repository and the name.
type Tag = (usize, usize, String);
/// A record: the repository's DID, the collection and the key.
type Address = (String, &'static str, String);

/// Makes commits, the same ones in every run but for the revisions, which begin at a time in microseconds since 1970.
pub struct Mix {
    dice: Dice,
    owners: Vec<Owner>,
    pushed: VecDeque<(usize, usize)>,
    tags: Vec<Tag>,
    others: Vec<Address>,
    begin: u64,
    made: u64,
}

impl Mix {
    pub fn new(begin: u64) -> Self {
        let mut dice = Dice::new(7);
        let owners = (0..OWNERS).map(|_| owner(&mut dice)).collect();
        Self { dice, owners, pushed: VecDeque::new(), tags: Vec::new(), others: Vec::new(), begin, made: 0 }
    }

    /// The next commit.
    pub fn commit(&mut self) -> Commit {
        self.made += 1;
        match self.dice.below(100) {
            0..30 => self.manifest(),
            30..65 => self.tag(),
            65..90 => self.star(),
            90..93 => self.page(),
            93..95 => self.stats(),
            _ => self.delete(),
        }
    }

    fn repository(&mut self) -> (usize, usize) {
        let owner = self.dice.below(OWNERS);
        (owner, self.dice.below(self.owners[owner].repositories.len()))
    }

    fn manifest(&mut self) -> Commit {
        let (owner, repository) = self.repository();
        let hex = self.dice.hex();
        let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers: Vec<Value> = (0..LAYERS).map(|_| self.blob(layer)).collect();
        let config = self.blob("application/vnd.oci.image.config.v1+json");
        let hold = format!("did:web:hold{:02}.example", self.dice.below(HOLDS));
        let at = self.time();
        let name = &self.owners[owner].repositories[repository].name;
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let record = json!({
            "$type": "io.atcr.manifest", "repository": name, "digest": format!("sha256:{hex}"),
            "mediaType": media_type, "schemaVersion": 2, "holdDid": hold, "config": config, "layers": layers,
            "annotations": {
                "org.opencontainers.image.title": name, "org.opencontainers.image.licenses": "MIT",
                "org.opencontainers.image.description": format!("The {name}, packed for small machines"),
                "org.opencontainers.image.source": format!("https://git.example/{name}")},
            "createdAt": at});
        let did = self.owners[owner].did.clone();
        self.owners[owner].repositories[repository].latest.clone_from(&hex);
        self.pushed.push_back((owner, repository));
        self.others.push((did.clone(), "io.atcr.manifest", hex.clone()));
        self.put(did, "io.atcr.manifest", &hex, "create", &record)
    }

    fn blob(&mut self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": format!("sha256:{}", self.dice.hex()), "size": self.dice.below(1 << 26)})
    }

    fn tag(&mut self) -> Commit {
        if self.dice.below(2) == 0 && !self.tags.is_empty() {
            let tag = self.tags[self.dice.below(self.tags.len())].clone();
            return self.put_tag(&tag, "update");
        }
        let (owner, repository) = self.pushed.pop_front().unwrap_or_else(|| self.repository());
        let of = &mut self.owners[owner].repositories[repository];
        let name = if of.tags == 0 { "latest".to_owned() } else { format!("v1.{}", of.tags) };
        of.tags += 1;
        let tag = (owner, repository, name);
        self.tags.push(tag.clone());
        self.put_tag(&tag, "create")
    }

    fn put_tag(&mut self, (owner, repository, tag): &Tag, operation: &str) -> Commit {
        let Owner { did, repositories } = &self.owners[*owner];
        let Repository { name, latest, .. } = &repositories[*repository];
        let record = json!({"$type": "io.atcr.tag", "repository": name, "tag": tag,
            "manifest": format!("at://{did}/io.atcr.manifest/{latest}"), "updatedAt": self.time()});
        self.put(did.clone(), "io.atcr.tag", &format!("{name}_{tag}"), operation, &record)
    }

    fn star(&mut self) -> Commit {
        let did = self.owners[self.dice.below(OWNERS)].did.clone();
        let popular = self.dice.below(2) == 0;
        let (owner, repository) = if popular { (self.dice.below(POPULAR), 0) } else { self.repository() };
        let Owner { did: starred, repositories } = &self.owners[owner];
        let subject = format!("at://{starred}/io.atcr.repo.page/{}", repositories[repository].name);
        let record = json!({"$type": "io.atcr.sailor.star", "subject": subject, "createdAt": self.time()});
        let rkey = self.rev().to_string();
        self.others.push((did.clone(), "io.atcr.sailor.star", rkey.clone()));
        self.put(did, "io.atcr.sailor.star", &rkey, "create", &record)
    }

    fn page(&mut self) -> Commit {
        let (owner, repository) = self.repository();
        let Owner { did, repositories } = &self.owners[owner];
        let (did, name) = (did.clone(), repositories[repository].name.clone());
        let text =
            format!("# {name}\n\nWhat {name} does, in a few words.\n\n") + &"It is packed every night. ".repeat(20);
        let record = json!({"$type": "io.atcr.repo.page", "repository": name, "description": text,
            "createdAt": self.time(), "updatedAt": self.time()});
        self.put(did, "io.atcr.repo.page", &name, "update", &record)
    }

    fn stats(&mut self) -> Commit {
        let (owner, repository) = self.repository();
        let hold = format!("did:web:hold{:02}.example", self.dice.below(HOLDS));
        let Owner { did, repositories } = &self.owners[owner];
        let name = &repositories[repository].name;
        let rkey = format!("{}-{name}", did.trim_start_matches("did:plc:"));
        let record = json!({"$type": "io.atcr.hold.stats", "ownerDid": did, "repository": name,
            "pullCount": self.made, "pushCount": 1, "updatedAt": self.time()});
        self.put(hold, "io.atcr.hold.stats", &rkey, "update", &record)
    }

    fn delete(&mut self) -> Commit {
        let at = self.dice.below((self.tags.len() + self.others.len()).max(1));
        let (did, collection, rkey) = if at < self.tags.len() {
            let (owner, repository, tag) = self.tags.swap_remove(at);
            let Owner { did, repositories } = &self.owners[owner];
            (did.clone(), "io.atcr.tag", format!("{}_{tag}", repositories[repository].name))
        } else if self.others.is_empty() {
            (self.owners[0].did.clone(), "io.atcr.tag", "none".to_owned())
        } else {
            self.others.swap_remove(at - self.tags.len())
        };
        let commit =
            json!({"rev": self.rev().to_string(), "operation": "delete", "collection": collection, "rkey": rkey});
        Commit { did, commit: commit.to_string() }
    }

    fn put(&self, did: String, collection: &str, rkey: &str, operation: &str, record: &Value) -> Commit {
        // The mix holds nothing that has no CID.
        let cid = record_cid(record).map(|cid| cid.to_string()).unwrap_or_default();
        let commit = json!({"rev": self.rev().to_string(), "operation": operation, "collection": collection,
            "rkey": rkey, "record": record, "cid": cid});
        Commit { did, commit: commit.to_string() }
    }

    fn rev(&self) -> Tid {
        Tid::from_micros(self.begin + self.made, 0)
    }

    /// When a record says that it was made: a second after the one before.
    fn time(&self) -> String {
        let time = DateTime::from_timestamp(1_770_000_000 + i64::try_from(self.made).unwrap_or_default(), 0);
        time.unwrap_or_default().to_rfc3339()
    }
}

fn owner(dice: &mut Dice) -> Owner {
    let repository = |dice: &mut Dice, n: usize| Repository {
        name: format!("{}-{}{n}", dice.pick(&WORDS), dice.pick(&WORDS)),
        latest: dice.hex(),
        tags: 0,
    };
    Owner {
        did: format!("did:plc:{}", &dice.hex()[..24]),
        repositories: (0..=dice.below(3)).map(|n| repository(dice, n)).collect(),
    }
}

/// An identity or account event of somebody whom no record names, sent at a time in microseconds since 1970.
pub fn foreign(dice: &mut Dice, time: i64) -> String {
    let did = format!("did:plc:{}", &dice.hex()[..24]);
    let (seq, at) = (dice.below(1 << 40), "2026-11-20T12:00:00.000Z");
    if dice.below(2) == 0 {
        let identity = format!(r#"{{"did":"{did}","handle":"someone.bsky.social","seq":{seq},"time":"{at}"}}"#);
        format!(r#"{{"did":"{did}","time_us":{time},"kind":"identity","identity":{identity}}}"#)
    } else {
        let account = format!(r#"{{"active":true,"did":"{did}","seq":{seq},"time":"{at}"}}"#);
        format!(r#"{{"did":"{did}","time_us":{time},"kind":"account","account":{account}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use indexer::Intake;
    use service::config::SourceKind;
    use types::{Change, Verification};

    use super::Mix;

    #[test]
    fn it_is_the_mix_and_all_of_it_counts() {
        let (mut mix, intake) = (Mix::new(1_700_000_000_000_000), Intake::default());
        let mut shares: BTreeMap<String, u32> = BTreeMap::new();
        let mut layers = 0;
        for n in 0..10_000 {
            let step = intake.text(SourceKind::JetstreamV1, &mix.commit().frame(n), 1_800_000_000_000_000).unwrap();
            match step.changes.as_slice() {
                [Change::Put(put)] => {
                    assert_eq!((put.verification, put.record.as_ref().err()), (Verification::CidChecked, None));
                    *shares.entry(put.id.collection.to_string()).or_default() += 1;
                    if let Ok(types::records::Record::Manifest(manifest)) = &put.record {
                        layers = manifest.layers.len();
                    }
                }
                [Change::Delete { .. }] => *shares.entry("delete".into()).or_default() += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(layers, 8);
        for (what, share) in [("io.atcr.manifest", 30), ("io.atcr.tag", 35), ("io.atcr.sailor.star", 25), ("delete", 5)]
        {
            let seen = shares[what];
            assert!(seen.abs_diff(share * 100) < 150, "{what}: {seen} of 10,000");
        }
    }
}
