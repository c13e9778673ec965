use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use types::{Did, Digest};

use super::oci::Manifest;
use crate::{
    Result,
    network::{Network, datetime},
    repo::{Action, Write},
    server::Urls,
};

/// Gathers what everyone published, with its times, and commits it in the order of time.
pub(crate) struct Publisher<'a> {
    pub(crate) network: &'a Network,
    pub(crate) urls: &'a Urls,
    pending: Vec<(u64, Did, Vec<Write>)>,
}

/// How a record names its hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldField {
    /// `holdDid`
    Did,
    /// `holdEndpoint`, deprecated
    Endpoint,
}

/// Where a manifest is pushed to.
#[derive(Clone, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) owner: &'a Did,
    pub(crate) repository: &'a str,
    pub(crate) hold: usize,
    /// Microseconds since 1970.
    pub(crate) at: u64,
}

impl<'a> Publisher<'a> {
    pub(crate) fn new(network: &'a Network, urls: &'a Urls) -> Self {
        Self { network, urls, pending: Vec::new() }
    }

    pub(crate) fn write(&mut self, at: u64, did: &Did, writes: Vec<Write>) {
        self.pending.push((at, did.clone(), writes));
    }

    /// Puts the image's bytes where they belong and returns the writes that declare it.
    pub(crate) fn manifest(&self, target: &Target<'_>, manifest: &Manifest) -> Result<Write> {
        self.store(target.hold, manifest)?;
        let blob = self.network.put_blob(target.owner, &manifest.blob.media_type, &manifest.blob.bytes)?;
        let record = self.manifest_record(target, manifest, HoldField::Did, Some(blob));
        Ok(Write::create("io.atcr.manifest", manifest.blob.digest.hex(), record))
    }

    /// Puts the config and the layers on the hold.
    pub(crate) fn store(&self, hold: usize, manifest: &Manifest) -> Result<()> {
        manifest.on_hold.iter().try_for_each(|blob| self.network.put_hold_blob(hold, &blob.bytes).map(drop))
    }

    /// The record of a manifest (`io.atcr.manifest`).
    pub(crate) fn manifest_record(
        &self,
        target: &Target<'_>,
        manifest: &Manifest,
        hold: HoldField,
        blob: Option<Value>,
    ) -> Value {
        let json = &manifest.json;
        let mut record = json!({
            "$type": "io.atcr.manifest", "repository": target.repository, "digest": manifest.blob.digest,
            "mediaType": manifest.blob.media_type, "schemaVersion": 2, "createdAt": datetime(target.at),
        });
        for field in ["config", "layers", "subject", "annotations"] {
            if let Some(value) = json.get(field) {
                record[field] = value.clone();
            }
        }
        if let Some(manifests) = json["manifests"].as_array() {
            record["manifests"] = manifests.iter().map(manifest_reference).collect();
        }
        let endpoint = &self.urls.holds[target.hold];
        match hold {
            HoldField::Did => record["holdDid"] = json!(Did::web_of_endpoint(endpoint)),
            HoldField::Endpoint => record["holdEndpoint"] = json!(endpoint),
        }
        if let Some(blob) = blob {
            record["manifestBlob"] = blob;
        }
        record
    }

    /// Commits everything, oldest first, in commits of at most 200 writes. A record that exists is replaced; the same
    /// one twice in a commit is written once, as the later.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.pending.sort_by_key(|(at, ..)| *at);
        for (at, did, writes) in self.pending {
            let writes: BTreeMap<String, Write> = writes.into_iter().map(|write| (write.path(), write)).collect();
            let mut writes: Vec<Write> = writes.into_values().collect();
            for write in &mut writes {
                let exists =
                    self.network.state().account(&did).is_some_and(|account| account.repo.get(&write.path()).is_some());
                if exists && write.action == Action::Create {
                    write.action = Action::Update;
                }
            }
            for chunk in writes.chunks(200) {
                self.network.write(&did, chunk.to_vec(), Some(at))?;
            }
        }
        Ok(())
    }
}

/// OCI writes `os.version`, the lexicon `osVersion`.
fn manifest_reference(descriptor: &Value) -> Value {
    let mut reference = descriptor.clone();
    if let Some(platform) = reference["platform"].as_object_mut() {
        for (theirs, ours) in [("os.version", "osVersion"), ("os.features", "osFeatures")] {
            if let Some(value) = platform.remove(theirs) {
                platform.insert(ours.to_owned(), value);
            }
        }
    }
    reference
}

/// A tag of the present generation, pointing at a manifest by at-uri.
pub(crate) fn tag(target: &Target<'_>, tag: &str, digest: &Digest) -> Write {
    let record = json!({
        "$type": "io.atcr.tag", "repository": target.repository, "tag": tag,
        "manifest": format!("at://{}/io.atcr.manifest/{}", target.owner, digest.hex()),
        "updatedAt": datetime(target.at),
    });
    Write::create("io.atcr.tag", tag_key(target.repository, tag), record)
}

/// `<repository>_<tag>`; a slash is not allowed in a record key.
pub(crate) fn tag_key(repository: &str, tag: &str) -> String {
    format!("{}_{tag}", repository.replace('/', "-"))
}

/// The annotations that most images have.
pub(crate) fn annotations(pairs: &[(&str, &str)]) -> Map<String, Value> {
    pairs.iter().map(|(key, value)| (format!("org.opencontainers.image.{key}"), json!(value))).collect()
}
