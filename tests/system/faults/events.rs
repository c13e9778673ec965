//! A stream's events, and what the accounts' repositories hold once some of them were sent.

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::{Value, json};
use types::{Cid, Hint};

use crate::index::cid;
use crate::index::generate;
use crate::index::history::{ACCOUNTS, Delivery, History, did, rev};

/// Where holds of histories are that nobody runs: nobody listens there.
const NOWHERE: &str = "https://127.0.0.1:9";
/// The time between two events, so that a reader who goes back some seconds reads some hundreds again.
const APART_MICROS: i64 = 20_000;

/// One line of the stream, and what it says: a record at a revision.
pub struct Event {
    pub time: i64,
    pub line: String,
    /// DID, collection, key, revision; nothing of an account's event.
    pub record: Option<[String; 4]>,
    history: usize,
    at: u64,
}

/// The network's past: histories, and one stream of all of them.
pub struct Past {
    pub histories: Vec<History>,
    pub events: Vec<Event>,
}

impl Past {
    pub fn new(seed: u64, histories: u32) -> Self {
        let histories: Vec<History> =
            (1..=histories).map(|number| on_loopback(generate::history(seed, number))).collect();
        let mut events: Vec<Event> = histories.iter().enumerate().flat_map(|(n, history)| events(n, history)).collect();
        // Histories begin one after the other and overlap.
        events.sort_by_key(|event| (event.at + event.history as u64 * 35, event.history));
        let begin = Utc::now().timestamp_micros() - 7_200_000_000;
        for (n, event) in events.iter_mut().enumerate() {
            event.time = begin + n as i64 * APART_MICROS;
            event.line = event.line.replacen("\"TIME\"", &event.time.to_string(), 1);
        }
        Past { histories, events }
    }

    /// Everybody who ever committed anything.
    pub fn accounts(&self) -> BTreeSet<String> {
        let commits =
            self.histories.iter().flat_map(|history| history.commits.iter().map(move |commit| (history, commit)));
        commits.map(|(history, commit)| did(history.number, commit.who)).collect()
    }

    /// An account's history, its place in it, and the moment up to which the first `sent` events tell of it.
    pub fn account(&self, name: &str, sent: usize) -> Option<(&History, usize, u64)> {
        let known = |(n, history): (usize, &'_ History)| {
            let who = (0..ACCOUNTS).find(|who| did(history.number, *who) == name)?;
            Some((n, who))
        };
        let (n, who) = self.histories.iter().enumerate().find_map(known)?;
        let at = self.events[..sent].iter().filter(|event| event.history == n).map(|event| event.at).max();
        Some((&self.histories[n], who, at.unwrap_or_default()))
    }
}

/// The history without its hold that has no directory but DNS, and with the addresses of others on loopback.
fn on_loopback(mut history: History) -> History {
    let number = history.number;
    let (web, plc) = (did(number, 3), did(number, 4));
    history.commits.retain(|commit| commit.who != 3);
    history.purges.clear();
    let elsewhere = |record: &mut Value| {
        let text = record.to_string().replace(&web, &plc);
        let text = text.replace(&format!("https://n{number}.hold.example"), NOWHERE);
        let text = text.replace(&format!("https://n{number}.old.example:8443"), NOWHERE);
        let text = text.replace(&format!("https://n{number}.old.example"), NOWHERE);
        *record = serde_json::from_str(&text).expect("JSON");
    };
    for commit in &mut history.commits {
        commit.ops.iter_mut().filter_map(|(_, record)| record.as_mut()).for_each(elsewhere);
    }
    history
}

fn events(n: usize, history: &History) -> Vec<Event> {
    let mut events = Vec::new();
    for commit in &history.commits {
        let did = did(history.number, commit.who);
        for (slot, record) in &commit.ops {
            let rev = rev(commit.at).to_string();
            let mut line = json!({"did": did, "time_us": "TIME", "kind": "commit", "commit": {"rev": rev,
                "operation": if record.is_some() { "update" } else { "delete" },
                "collection": slot.collection.as_str(), "rkey": slot.rkey}});
            if let Some(record) = record {
                line["commit"]["cid"] = Cid::from_bytes(&cid::of(record)).expect("a CID").to_string().into();
                line["commit"]["record"] = record.clone();
            }
            let record = Some([did.clone(), slot.collection.to_string(), slot.rkey.clone(), rev]);
            events.push(Event { time: 0, line: line.to_string(), record, history: n, at: commit.at });
        }
    }
    for (n_th, (delivery, _)) in history.deliveries.iter().enumerate() {
        if let Delivery::Look { who, hint: Hint::Account { active } } = delivery {
            let did = did(history.number, *who);
            let line =
                json!({"did": did, "time_us": "TIME", "kind": "account", "account": {"active": active, "did": did}});
            events.push(Event { time: 0, line: line.to_string(), record: None, history: n, at: n_th as u64 });
        }
    }
    events
}
