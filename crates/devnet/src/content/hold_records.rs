//! What the holds say of the images that they keep: layers, pull counts, scans.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use types::{Did, Digest, Tid};

use super::{DAY, Dice, END, hold_did};
use crate::{
    Result,
    devnet::{HOLD_PRIVATE, HOLD_PUBLIC, HOLD_UNCRAWLED},
    network::{Home, Network, datetime},
    repo::Write,
    server::Urls,
};

/// Dated after everything else, because it speaks of it.
const AT: u64 = END - DAY / 2;

/// A manifest that a hold keeps.
struct Kept {
    owner: Did,
    handle: String,
    rkey: String,
    record: Value,
}

/// Publishes the holds' own records about what is in the network by now.
pub(crate) fn publish(network: &Network, urls: &Urls, seed: u64) -> Result<()> {
    for hold in [HOLD_PUBLIC, HOLD_UNCRAWLED, HOLD_PRIVATE] {
        let did = hold_did(urls, hold)?;
        let kept = kept_by(network, &did);
        let mut dice = Dice::new(seed, &format!("hold {hold}"));
        let mut writes = stats(&kept, &mut dice);
        writes.extend(layers(&kept));
        for (index, kept) in kept.iter().enumerate().filter(|(index, _)| index % 4 == 0) {
            writes.push(scan(network, &did, kept, index / 4, &mut dice)?);
        }
        for (index, chunk) in writes.chunks(100).enumerate() {
            network.write(&did, chunk.to_vec(), Some(AT + index as u64 * 1_000_000))?;
        }
    }
    Ok(())
}

fn kept_by(network: &Network, hold: &Did) -> Vec<Kept> {
    let state = network.state();
    let users = state.accounts().filter(|account| matches!(account.home, Home::Pds(_)));
    users
        .flat_map(|account| account.repo.list("io.atcr.manifest").map(move |(rkey, record)| (account, rkey, record)))
        .filter(|(.., record)| record.value["holdDid"] == json!(hold))
        .map(|(account, rkey, record)| Kept {
            owner: account.did.clone(),
            handle: account.handle.to_string(),
            rkey: rkey.to_owned(),
            record: Value::clone(&record.value),
        })
        .collect()
}

fn stats(kept: &[Kept], dice: &mut Dice) -> Vec<Write> {
    let mut repositories = BTreeMap::<(&Did, &str), u64>::new();
    for kept in kept {
        *repositories.entry((&kept.owner, kept.record["repository"].as_str().unwrap_or_default())).or_default() += 1;
    }
    let stat = |((owner, repository), pushes): ((&Did, &str), u64)| {
        let pulls = dice.below(40) * dice.below(90);
        let record = json!({"$type": "io.atcr.hold.stats", "ownerDid": owner, "repository": repository,
                            "pullCount": pulls, "pushCount": pushes, "lastPull": datetime(AT),
                            "lastPush": datetime(AT - DAY), "updatedAt": datetime(AT)});
        let key = Digest::sha256(format!("{owner}/{repository}").as_bytes());
        Write::create("io.atcr.hold.stats", &key.hex()[..32], record)
    };
    repositories.into_iter().map(stat).collect()
}

/// The first layer of every manifest, each second one in the old shape.
fn layers(kept: &[Kept]) -> Vec<Write> {
    let layer = |(index, kept): (usize, &Kept)| {
        let layer = kept.record["layers"].get(0)?;
        let mut record = json!({"$type": "io.atcr.hold.layer", "digest": layer["digest"], "size": layer["size"],
                                "mediaType": layer["mediaType"], "createdAt": kept.record["createdAt"]});
        if index % 2 == 0 {
            record["manifest"] = json!(kept.uri());
            record["userDid"] = json!(kept.owner);
        } else {
            record["repository"] = kept.record["repository"].clone();
            record["userHandle"] = json!(kept.handle);
        }
        Some(Write::create("io.atcr.hold.layer", Tid::from_micros(AT + index as u64, 1).to_string(), record))
    };
    kept.iter().enumerate().filter_map(layer).collect()
}

impl Kept {
    fn uri(&self) -> String {
        format!("at://{}/io.atcr.manifest/{}", self.owner, self.rkey)
    }
}

/// Mostly a scan that worked; now and then one that failed or was skipped.
fn scan(network: &Network, hold: &Did, kept: &Kept, index: usize, dice: &mut Dice) -> Result<Write> {
    let mut record = json!({"$type": "io.atcr.hold.scan", "manifest": kept.uri(), "repository": kept.record["repository"],
                            "userDid": kept.owner, "scannerVersion": "grype 0.96.0", "scannedAt": datetime(AT)});
    let counts = match index % 7 {
        5 => {
            record["status"] = json!("failed");
            record["reason"] = json!("the image's operating system was not recognised");
            [0; 4]
        }
        6 => {
            record["status"] = json!("skipped");
            record["reason"] = json!("not an image");
            [0; 4]
        }
        _ => {
            record["status"] = json!("ok");
            let report = json!({"bomFormat": "SPDX", "spdxVersion": "SPDX-2.3", "name": kept.record["repository"]});
            record["sbomBlob"] = network.put_blob(hold, "application/spdx+json", report.to_string().as_bytes())?;
            [dice.below(2), dice.below(4), dice.below(12), dice.below(30)]
        }
    };
    for (severity, count) in ["critical", "high", "medium", "low"].into_iter().zip(counts) {
        record[severity] = json!(count);
    }
    record["total"] = json!(counts.iter().sum::<usize>());
    Ok(Write::create("io.atcr.hold.scan", &kept.rkey, record))
}
