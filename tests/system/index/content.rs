//! What accounts write: every collection, both generations, good, bad and forged.

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use types::Collection;

use super::history::{HOLDS, Slot, Who, did};

/// The third cannot be pulled: OCI names are lower case.
const REPOSITORIES: [&str; 4] = ["app", "team/tool", "Upper", "app"];
const TAGS: [&str; 3] = ["latest", "v1", "v2"];
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A record that is being written.
pub struct Pen<'a> {
    pub random: &'a mut StdRng,
    /// The history's number.
    pub number: u32,
    pub who: Who,
    /// A number that no other record of the history has.
    pub nonce: u64,
}

/// A place in an account's repository, of few, so that they are written to often.
pub fn slot(random: &mut StdRng, number: u32, who: Who) -> Slot {
    use Collection::{Captain, Crew, HoldLayer, HoldStats, LegacyHold, Manifest, Page, Profile, Scan, Star, Tag};
    let own = [Manifest, Manifest, Manifest, Tag, Tag, Tag, Star, Star, Star, Page, Profile, LegacyHold, Crew];
    let holds = [Captain, Crew, HoldStats, HoldStats, Scan, HoldLayer];
    // Some of what only a hold may say is said by people, and the other way round.
    let collections = if (who >= HOLDS) ^ random.random_bool(0.06) { &holds[..] } else { &own[..] };
    let collection = *collections.choose(random).expect("not empty");
    let n = random.random_range(0..3);
    let rkey = match collection {
        Captain | Profile => "self".to_owned(),
        Page => ["app", "Upper"][n % 2].to_owned(),
        LegacyHold => [format!("n{number}.hold.example"), format!("n{number}.old.example")][n % 2].clone(),
        Scan => digest(number, 0, n)[7..].to_owned(),
        Manifest => manifest_key(n),
        _ => format!("{}{n}", &collection.as_str()[8..9]),
    };
    Slot { collection, rkey }
}

fn manifest_key(n: usize) -> String {
    format!("m{n}")
}

fn digest(number: u32, who: Who, n: usize) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(format!("{number} {who} {n}"))))
}

impl Pen<'_> {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *from.choose(self.random).expect("not empty")
    }

    fn person(&mut self) -> Who {
        self.random.random_range(0..HOLDS)
    }

    fn name(&self, who: Who) -> String {
        did(self.number, who)
    }

    /// A time that no other record has, in no order.
    fn time(&self) -> String {
        let second = self.nonce * 7919 % 1_000_003;
        let (day, second) = (second / 86_400, second % 86_400);
        format!("2026-03-{:02}T{:02}:{:02}:{:02}Z", day + 1, second / 3600, second / 60 % 60, second % 60)
    }

    /// What is written to a place.
    pub fn write(&mut self, slot: &Slot) -> Value {
        // Nothing in a profile has to be there.
        if slot.collection != Collection::Profile && self.random.random_bool(0.12) {
            return self.spoilt(slot);
        }
        let mut record = match slot.collection {
            Collection::Manifest => self.manifest(),
            Collection::Tag => self.tag(),
            Collection::Star => self.star(),
            Collection::Profile => {
                json!({"defaultHold": self.name(3), "createdAt": self.time(), "ociClient": "podman"})
            }
            Collection::Page => {
                let description = format!("# Read me {}\n\nText.", self.nonce);
                json!({"repository": slot.rkey, "description": description, "createdAt": self.time()})
            }
            Collection::LegacyHold => {
                // Now and then somebody else is called the owner: that is forged.
                let owner = if self.random.random_bool(0.3) { self.person() } else { self.who };
                json!({"endpoint": format!("https://{}", slot.rkey), "owner": self.name(owner),
                       "public": self.nonce.is_multiple_of(2), "createdAt": self.time()})
            }
            Collection::Captain => {
                let owner = self.person();
                json!({"owner": self.name(owner), "public": self.nonce.is_multiple_of(2), "allowAllCrew": self.nonce.is_multiple_of(3),
                       "deployedAt": self.time(), "region": self.pick(&["eu", "us"])})
            }
            Collection::Crew if self.who >= HOLDS => {
                let member = self.person();
                json!({"member": self.name(member), "role": "writer", "permissions": ["blob:read", "blob:write"],
                       "addedAt": self.time()})
            }
            Collection::Crew => self.old_crew(),
            Collection::HoldLayer => self.layer(),
            Collection::HoldStats => {
                let owner = self.person();
                json!({"ownerDid": self.name(owner), "repository": self.pick(&REPOSITORIES), "updatedAt": self.time(),
                       "pullCount": self.nonce % 1000, "pushCount": self.nonce % 7})
            }
            Collection::Scan => {
                let owner = self.person();
                let manifest = format!("at://{}/io.atcr.manifest/{}", self.name(owner), manifest_key(0));
                json!({"manifest": manifest, "repository": "app", "userDid": self.name(owner), "critical": self.nonce % 5,
                       "high": 2, "medium": 3, "low": 4, "total": 9 + self.nonce % 5, "scannerVersion": "s 1.0",
                       "scannedAt": self.time()})
            }
        };
        record["$type"] = slot.collection.as_str().into();
        if self.random.random_bool(0.2) {
            record["aFieldOfTheFuture"] = json!({"n": self.nonce});
        }
        record
    }

    /// What no reader can make anything of, under a good address.
    fn spoilt(&mut self, slot: &Slot) -> Value {
        let (number, who) = (self.number, self.who);
        let mut record = match (slot.collection, self.random.random_range(0..3)) {
            (Collection::Manifest, 0) => {
                json!({"digest": digest(number, who, 0), "mediaType": IMAGE, "schemaVersion": 2})
            }
            (Collection::Manifest, 1) => {
                json!({"repository": "app", "digest": 7, "mediaType": IMAGE, "schemaVersion": 2, "createdAt": self.time()})
            }
            (Collection::Tag, 0) => json!({"repository": "app", "tag": "latest", "updatedAt": self.time()}),
            (Collection::Tag, 1) => {
                json!({"tag": "latest", "manifestDigest": digest(number, who, 0), "updatedAt": self.time()})
            }
            (Collection::Star, 0) => json!({"subject": 5, "createdAt": self.time()}),
            (Collection::Star, 1) => json!({"createdAt": self.time()}),
            (Collection::Crew, 0) if who < HOLDS => {
                let hold = format!("at://{}/io.atcr.hold/n{number}.old.example", self.name(who));
                json!({"hold": hold, "role": "read", "member": self.name(0), "memberPattern": "*", "createdAt": self.time()})
            }
            (Collection::Captain, 0) => json!({"public": true, "allowAllCrew": true, "deployedAt": self.time()}),
            (Collection::Manifest | Collection::Tag | Collection::Star | Collection::Profile, _) => json!({}),
            (Collection::Page, _) => json!({"repository": 3, "createdAt": self.time()}),
            (Collection::LegacyHold, _) => json!({"endpoint": 5, "owner": self.name(who), "public": true}),
            (Collection::Captain, _) => json!({"owner": 5, "public": true, "allowAllCrew": true}),
            (Collection::Crew, _) => json!({"member": 5, "role": "read", "permissions": []}),
            (Collection::HoldLayer, _) => json!({"digest": 5, "size": "large"}),
            (Collection::HoldStats, _) => json!({"ownerDid": 5, "repository": "app", "pullCount": 1, "pushCount": 1}),
            (Collection::Scan, _) => json!({"manifest": 5, "userDid": self.name(0)}),
        };
        record["nonsense"] = self.nonce.into();
        record
    }

    fn manifest(&mut self) -> Value {
        let n = self.random.random_range(0..4);
        let mut record = json!({
            "repository": self.pick(&REPOSITORIES), "digest": digest(self.number, self.who, n), "schemaVersion": 2,
            "mediaType": IMAGE, "createdAt": self.time(), "annotations": {"org.opencontainers.image.title": "T"},
        });
        let blob = |name: &str| format!("sha256:{}", hex::encode(Sha256::digest(name)));
        if self.random.random_bool(0.25) {
            record["mediaType"] = INDEX.into();
            let arm = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
            record["manifests"] = json!([
                {"mediaType": IMAGE, "size": 400 + self.nonce, "digest": digest(self.number, self.who, 1),
                 "platform": {"os": "linux", "architecture": "amd64"}},
                {"mediaType": IMAGE, "size": 500, "digest": digest(self.number, self.who, 2), "platform": arm},
                {"mediaType": IMAGE, "size": 600, "digest": digest(self.number, self.who, 3)},
            ]);
        } else {
            let config =
                json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob("c"), "size": 9});
            record["config"] = config;
            let count = self.random.random_range(0..4);
            let layers =
                (0..count).map(|n| json!({"mediaType": LAYER, "digest": blob(&format!("{n}")), "size": 1000 + n}));
            record["layers"] = layers.collect();
        }
        if self.random.random_bool(0.15) {
            let about = digest(self.number, self.who, self.random.random_range(0..4));
            record["subject"] = json!({"mediaType": IMAGE, "digest": about, "size": 1});
        }
        match self.random.random_range(0..5) {
            n @ (0 | 1) => record["holdDid"] = self.name(HOLDS + n).into(),
            2 => record["holdEndpoint"] = format!("https://n{}.hold.example", self.number).into(),
            3 => record["holdEndpoint"] = format!("https://n{}.old.example:8443", self.number).into(),
            _ => {}
        }
        record
    }

    fn tag(&mut self) -> Value {
        let mut record = json!({"repository": self.pick(&REPOSITORIES), "tag": self.pick(&TAGS)});
        let n = self.random.random_range(0..4);
        // A tag that points into somebody else's repository is forged.
        let whose = if self.random.random_bool(0.12) { self.person() } else { self.who };
        match self.random.random_range(0..4) {
            0 => record["manifestDigest"] = digest(self.number, self.who, n).into(),
            1 => {
                record["manifest"] = format!("at://{}/io.atcr.manifest/{}", self.name(whose), manifest_key(n)).into();
                record["manifestDigest"] = digest(self.number, self.who, (n + 1) % 4).into();
            }
            _ => record["manifest"] = format!("at://{}/io.atcr.manifest/{}", self.name(whose), manifest_key(n)).into(),
        }
        let time = self.pick(&["updatedAt", "updatedAt", "createdAt"]);
        record[time] = self.time().into();
        record
    }

    fn star(&mut self) -> Value {
        let (owner, repository) = (self.person(), self.pick(&REPOSITORIES));
        let owner = self.name(owner);
        let subject = match self.random.random_range(0..7) {
            0..3 => json!(format!("at://{owner}/io.atcr.repo.page/{repository}")),
            3..6 => json!({"did": owner, "repository": repository}),
            // Something, but no repository.
            _ => json!(format!("at://{owner}/app.bsky.feed.post/{repository}")),
        };
        json!({"subject": subject, "createdAt": self.time()})
    }

    fn old_crew(&mut self) -> Value {
        // A crew of somebody else's hold is forged.
        let owner = if self.random.random_bool(0.25) { self.person() } else { self.who };
        let host = self.pick(&["hold", "old"]);
        let hold = format!("at://{}/io.atcr.hold/n{}.{host}.example", self.name(owner), self.number);
        let mut record =
            json!({"hold": hold, "role": self.pick(&["owner", "write", "read"]), "createdAt": self.time()});
        let member = self.person();
        match self.random.random_range(0..3) {
            0 => record["memberPattern"] = self.pick(&["*", "*.example.com", "bob.*"]).into(),
            _ => record["member"] = self.name(member).into(),
        }
        record
    }

    fn layer(&mut self) -> Value {
        let owner = self.person();
        let mut record = json!({"digest": digest(9, 9, 9), "size": 7, "mediaType": LAYER, "createdAt": self.time()});
        if self.random.random_bool(0.5) {
            record["manifest"] = format!("at://{}/io.atcr.manifest/{}", self.name(owner), manifest_key(1)).into();
            record["userDid"] = self.name(owner).into();
        } else {
            record["repository"] = "app".into();
            record["userHandle"] = "someone.example".into();
        }
        record
    }
}
