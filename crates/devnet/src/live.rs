//! A network that does not stand still: every few seconds someone tags, stars or edits. The records are a bounded set
//! that is written over, so that a devnet which runs for weeks does not grow but for its log.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use types::{Did, Digest};

use crate::{
    Result,
    content::{CATALOG, Dice, Entry, PAGE, StarSubject, Target, star, tag},
    network::{Network, datetime},
    repo::{Action, Write},
};

/// Who stars things while the devnet runs.
const STARGAZERS: [&str; 4] = ["ravi.test", "hanna.homelab.test", "gamesbymo.test", "erin.test"];
/// Tags that move or come and go.
const MOVING_TAGS: [&str; 5] = ["edge", "nightly", "rc", "canary", "dev"];

/// Publishes until it is dropped.
pub(crate) async fn publish(network: Arc<Network>) {
    let now = || u64::try_from(chrono::Utc::now().timestamp_micros()).unwrap_or_default();
    for round in 0.. {
        let mut dice = Dice::new(now(), &format!("live {round}"));
        tokio::time::sleep(Duration::from_millis(2_500 + dice.below(2_500) as u64)).await;
        if let Err(error) = step(&network, &mut dice, now()) {
            tracing::warn!(%error, "a live event was not published");
        }
    }
}

fn step(network: &Network, dice: &mut Dice, now: u64) -> Result<()> {
    let Some(entry) = dice.pick(CATALOG) else { return Ok(()) };
    let owner = network.keys.did_plc(entry.owner)?;
    if network.state().account(&owner).is_none_or(|account| account.status.is_some()) {
        return Ok(());
    }
    match dice.below(10) {
        0..5 => move_tag(network, dice, entry, &owner, now),
        5..9 => toggle_star(network, dice, entry, &owner, now),
        _ => edit_page(network, entry, &owner, now),
    }
}

/// Points a moving tag at one of the repository's manifests, or takes it away.
fn move_tag(network: &Network, dice: &mut Dice, entry: &Entry, owner: &Did, now: u64) -> Result<()> {
    let manifests: Vec<Digest> = {
        let state = network.state();
        let records = state.account(owner).into_iter().flat_map(|account| account.repo.list("io.atcr.manifest"));
        let ours = records.filter(|(_, record)| record.value["repository"] == json!(entry.name));
        ours.filter_map(|(_, record)| record.value["digest"].as_str()?.parse().ok()).collect()
    };
    let (Some(digest), Some(name)) = (dice.pick(&manifests), dice.pick(&MOVING_TAGS)) else { return Ok(()) };
    let target = Target { owner, repository: entry.name, hold: 0, at: now };
    let write = tag(&target, name, digest);
    if dice.below(6) == 0 {
        return remove(network, owner, write);
    }
    put(network, owner, write)
}

fn toggle_star(network: &Network, dice: &mut Dice, entry: &Entry, owner: &Did, now: u64) -> Result<()> {
    let Some(gazer) = dice.pick(&STARGAZERS) else { return Ok(()) };
    let gazer = network.keys.did_plc(gazer)?;
    // One key a subject, so that starring again replaces.
    let key = Digest::sha256(format!("{owner}/{}", entry.name).as_bytes()).hex()[..16].to_owned();
    let write = Write { rkey: format!("live-{key}"), ..star(owner, entry.name, StarSubject::Uri, now) };
    if exists(network, &gazer, &write) { remove(network, &gazer, write) } else { put(network, &gazer, write) }
}

fn edit_page(network: &Network, entry: &Entry, owner: &Did, now: u64) -> Result<()> {
    let page = {
        let state = network.state();
        let record = state.account(owner).and_then(|account| account.repo.get(&format!("{PAGE}/{}", entry.name)));
        record.map(|record| Value::clone(&record.value))
    };
    let Some(mut page) = page else { return Ok(()) };
    let text = page["description"].as_str().unwrap_or_default();
    let text = text.split("\n*Checked ").next().unwrap_or_default().to_owned();
    page["description"] = json!(format!("{text}\n*Checked {}.*\n", datetime(now)));
    page["updatedAt"] = json!(datetime(now));
    put(network, owner, Write::update(PAGE, entry.name, page))
}

fn exists(network: &Network, did: &Did, write: &Write) -> bool {
    network.state().account(did).is_some_and(|account| account.repo.get(&write.path()).is_some())
}

fn put(network: &Network, did: &Did, write: Write) -> Result<()> {
    let action = if exists(network, did, &write) { Action::Update } else { Action::Create };
    network.write(did, vec![Write { action, ..write }], None).map(drop)
}

fn remove(network: &Network, did: &Did, write: Write) -> Result<()> {
    if !exists(network, did, &write) {
        return Ok(());
    }
    network.write(did, vec![Write::delete(write.collection, write.rkey)], None).map(drop)
}
