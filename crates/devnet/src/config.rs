use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

/// What a devnet is started with.
#[derive(Clone, Debug)]
pub struct DevnetConfig {
    /// The devnet keeps its state in `<data_dir>/devnet`.
    pub data_dir: PathBuf,
    /// Decides every DID, key, record and blob (hold DIDs contain a port, so they differ between data directories).
    pub seed: u64,
    /// Whether to publish a small event every few seconds.
    pub live: bool,
    /// Whether to fill a new devnet with accounts and images; without it there are only the holds.
    pub content: bool,
    /// How often Jetstream v2 pings its subscribers; the other streams do it every second.
    pub v2_ping: Duration,
}

impl DevnetConfig {
    /// A quiet devnet with the demo's content.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), seed: 1, live: false, content: true, v2_ping: Duration::from_secs(30) }
    }
}

/// Where everything is: the content of `devnet.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DevnetManifest {
    /// Base URL of the PLC directory.
    pub plc: String,
    /// Base URL of the relay, which also resolves handles.
    pub relay: String,
    /// URL of Jetstream v1's stream, path included.
    pub jetstream_v1: String,
    /// URL of Jetstream v2's stream, path included.
    pub jetstream_v2: String,
    /// URL of the relay's `subscribeRepos`, path included.
    pub firehose: String,
    /// Base URLs of the PDSs.
    pub pds: Vec<String>,
    /// Base URLs of the holds.
    pub holds: Vec<String>,
    /// Every ordinary account.
    pub accounts: Vec<DevnetAccount>,
    /// Filled in by whoever runs the index beside the devnet.
    pub database_url: Option<String>,
}

/// An account and how to sign in to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DevnetAccount {
    /// Its present handle.
    pub handle: String,
    /// Its DID.
    pub did: String,
    /// Its password, for `com.atproto.server.createSession`.
    pub password: String,
    /// Base URL of its PDS.
    pub pds: String,
}
