use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};
use types::{Did, Digest, Handle, Tid};

use crate::{
    DevnetAccount, DevnetConfig, DevnetManifest, Error, Result, Write, content, live,
    network::{Event, Home, Network},
    ports::{Listeners, Ports},
    server::{self, BlobAnswer, Server, Site, Urls, View},
};

/// The number of the public hold that keeps most of the demo: it answers with redirects, and the relay crawls it.
pub const HOLD_PUBLIC: usize = 0;
/// The number of the public hold that answers with JSON, and that the relay never crawled.
pub const HOLD_UNCRAWLED: usize = 1;
/// The number of Carol's private hold.
pub const HOLD_PRIVATE: usize = 2;
/// The number of Dave's hold of the old generation.
pub const HOLD_LEGACY: usize = 3;

const PDS_COUNT: usize = 2;
const HOLD_COUNT: usize = 4;

/// A running network. Dropping it leaves the servers running until the runtime ends: call [`Devnet::shutdown`].
pub struct Devnet {
    network: Arc<Network>,
    urls: Arc<Urls>,
    plc: Server,
    relay: Server,
    jetstream: Server,
    pds: Vec<Server>,
    holds: Vec<Server>,
    live: Option<JoinHandle<()>>,
}

impl Devnet {
    /// Starts the network, on the ports and with the state that it had before in this data directory.
    ///
    /// # Errors
    /// When the directory cannot be used, belongs to another seed or is damaged, or one of its ports is taken.
    pub async fn start(config: DevnetConfig) -> Result<Self> {
        let directory = config.data_dir.join("devnet");
        std::fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        let (ports, listeners) = Ports::bind(&directory.join("ports.json"), PDS_COUNT, HOLD_COUNT).await?;
        let urls = Arc::new(urls(&ports));
        let network = open(&directory, &config, &urls).await?;
        let mut devnet = Self::assemble(Arc::new(network), urls, &ports, config.v2_ping);
        devnet.serve(listeners).await?;
        if config.live {
            devnet.live = Some(tokio::spawn(live::publish(Arc::clone(&devnet.network))));
        }
        Ok(devnet)
    }

    fn assemble(network: Arc<Network>, urls: Arc<Urls>, ports: &Ports, v2_ping: Duration) -> Self {
        let site = |view| Site { network: Arc::clone(&network), urls: Arc::clone(&urls), view };
        let relay = View::Relay { except_hold: HOLD_UNCRAWLED };
        let hold = |(index, port): (usize, &u16)| {
            let site = site(View::Hold(index));
            let app = match index {
                HOLD_LEGACY => server::legacy_hold_router(site),
                HOLD_UNCRAWLED => server::hold_router(site, BlobAnswer::Json),
                _ => server::hold_router(site, BlobAnswer::Redirect),
            };
            Server::new(&format!("hold {index}"), *port, app)
        };
        let pds = |(index, port): (usize, &u16)| {
            Server::new(&format!("PDS {index}"), *port, server::pds_router(site(View::Pds(index))))
        };
        Self {
            plc: Server::new("PLC directory", ports.plc, server::plc_router(site(relay))),
            relay: Server::new("relay", ports.relay, server::relay_router(site(relay))),
            jetstream: Server::new("Jetstream", ports.jetstream, server::jetstream_router(site(relay), v2_ping)),
            pds: ports.pds.iter().enumerate().map(pds).collect(),
            holds: ports.holds.iter().enumerate().map(hold).collect(),
            live: None,
            network,
            urls,
        }
    }

    async fn serve(&self, listeners: Listeners) -> Result<()> {
        self.plc.start(Some(listeners.plc)).await?;
        self.relay.start(Some(listeners.relay)).await?;
        self.jetstream.start(Some(listeners.jetstream)).await?;
        start_all(&self.pds, listeners.pds).await?;
        start_all(&self.holds, listeners.holds).await
    }

    /// Stops every server and drops their connections.
    pub async fn shutdown(mut self) {
        if let Some(live) = self.live.take() {
            live.abort();
        }
        let rest = [&self.plc, &self.relay, &self.jetstream];
        for server in rest.into_iter().chain(&self.pds).chain(&self.holds) {
            server.stop().await;
        }
    }

    /// Where everything is, with the accounts of this moment.
    pub fn manifest(&self) -> DevnetManifest {
        let ws = |base: &str, path: &str| format!("{}{path}", base.replacen("http://", "ws://", 1));
        let state = self.network.state();
        let accounts = state.accounts().filter(|account| matches!(account.home, Home::Pds(_)));
        DevnetManifest {
            plc: self.urls.plc.clone(),
            relay: self.urls.relay.clone(),
            jetstream_v1: ws(&self.urls.jetstream, "/subscribe"),
            jetstream_v2: ws(&self.urls.jetstream, "/xrpc/network.bsky.jetstream.subscribeEvents"),
            firehose: ws(&self.urls.relay, "/xrpc/com.atproto.sync.subscribeRepos"),
            pds: self.urls.pds.clone(),
            holds: self.urls.holds.clone(),
            accounts: accounts
                .map(|account| DevnetAccount {
                    handle: account.handle.to_string(),
                    did: account.did.to_string(),
                    password: account.password.clone(),
                    pds: self.urls.home(account.home).to_owned(),
                })
                .collect(),
            database_url: None,
        }
    }

    /// Base URL of a server whose `com.atproto.identity.resolveHandle` knows every account.
    pub fn handle_resolver_url(&self) -> &str {
        &self.urls.relay
    }

    /// The DID of the account with this handle.
    pub fn did(&self, handle: &str) -> Option<Did> {
        let handle = handle.parse().ok()?;
        self.network.state().by_handle(&handle).map(|account| account.did.clone())
    }

    /// The DID of a hold, by number ([`HOLD_PUBLIC`], …). [`HOLD_LEGACY`] is no actor: its DID is only what its address
    /// makes.
    pub fn hold_did(&self, hold: usize) -> Option<Did> {
        Did::web_of_endpoint(self.urls.holds.get(hold)?)
    }

    /// The present JSON of a record.
    pub fn record(&self, did: &Did, collection: &str, rkey: &str) -> Option<Value> {
        let state = self.network.state();
        let record = state.account(did)?.repo.get(&format!("{collection}/{rkey}"))?;
        Some(Value::clone(&record.value))
    }

    /// Opens an account on a PDS.
    ///
    /// # Errors
    /// When the handle is none, or taken.
    pub fn create_account(&self, handle: &str, password: &str, pds: usize) -> Result<Did> {
        let handle: Handle = handle.parse()?;
        let did = self.network.keys.did_plc(handle.as_str())?;
        self.network.create_account(did.clone(), handle, Home::Pds(pds), password, None)?;
        Ok(did)
    }

    /// Commits up to 200 writes to one repository, whoever owns it, all or none; the answer is the commit's rev.
    ///
    /// # Errors
    /// When a PDS would refuse one of them.
    pub fn write(&self, did: &Did, writes: Vec<Write>) -> Result<Tid> {
        self.network.write(did, writes, None).map(|written| written.rev)
    }

    /// Stores a blob on an account's PDS; the answer is the `blob` object to put into a record.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn put_blob(&self, did: &Did, mime: &str, bytes: &[u8]) -> Result<Value> {
        self.network.put_blob(did, mime, bytes)
    }

    /// Stores a layer or a config on a hold.
    ///
    /// # Errors
    /// When it cannot be written to disk.
    pub fn put_hold_blob(&self, hold: usize, bytes: &[u8]) -> Result<Digest> {
        self.network.put_hold_blob(hold, bytes)
    }

    /// Changes an account's status: `takendown`, `suspended`, `deleted`, `deactivated`, …; `None` makes it active.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn set_account_status(&self, did: &Did, status: Option<&str>) -> Result<()> {
        self.network.set_status(did, status)
    }

    /// Changes an account's handle.
    ///
    /// # Errors
    /// When the handle is none, or taken.
    pub fn set_handle(&self, did: &Did, handle: &str) -> Result<()> {
        self.network.set_handle(did, handle.parse()?)
    }

    /// Puts arbitrary bytes on every `subscribeRepos` stream, and a text on Jetstream if there is one.
    ///
    /// # Errors
    /// When it cannot be logged.
    pub fn publish_raw_frame(&self, frame: &[u8], jetstream: Option<String>) -> Result<()> {
        self.network.publish_raw(frame, jetstream)
    }

    /// Silences every stream without closing it, as hosts do that stall; `false` lets them go on.
    pub fn pause_streams(&self, paused: bool) {
        self.network.faults.paused.send_replace(paused);
    }

    /// Drops every stream's connection without a close frame.
    pub fn cut_streams(&self) {
        self.network.faults.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Ends every stream with an error that its protocol names, `ConsumerTooSlow` for one; Jetstream v1 has none and is only
    /// closed.
    pub fn end_streams(&self, error: &'static str) {
        self.network.faults.farewell.send_replace(error);
    }

    /// The sequence number of the newest event, as the firehose counts.
    pub fn latest_event(&self) -> u64 {
        self.network.state().latest()
    }

    /// The number by which Jetstream v2 counts the first part of an event of the firehose.
    pub fn v2_number(seq: u64) -> u64 {
        Event::first_part(seq)
    }

    /// Forgets the events below a sequence number of the firehose, as servers do whose retention has passed.
    pub fn forget_events_before(&self, seq: u64) {
        self.network.forget_before(seq);
    }

    /// Lets Jetstream v1 be served as by software of version 2: each event has a `cursor`, its number.
    pub fn count_on_v1(&self, counting: bool) {
        self.network.faults.counting.store(counting, Ordering::Relaxed);
    }

    /// Lets Jetstream v2 answer 503, as while it fills its archive.
    pub fn bootstrap_v2(&self, bootstrapping: bool) {
        self.network.faults.bootstrapping.store(bootstrapping, Ordering::Relaxed);
    }

    /// Stops a PDS; the relay and Jetstream still tell what its accounts publish through [`Devnet::write`].
    pub async fn stop_pds(&self, pds: usize) {
        if let Some(server) = self.pds.get(pds) {
            server.stop().await;
        }
    }

    /// Starts a PDS again.
    ///
    /// # Errors
    /// When its port was taken meanwhile.
    pub async fn start_pds(&self, pds: usize) -> Result<()> {
        start(self.pds.get(pds)).await
    }

    /// Stops a hold.
    pub async fn stop_hold(&self, hold: usize) {
        if let Some(server) = self.holds.get(hold) {
            server.stop().await;
        }
    }

    /// Starts a hold again.
    ///
    /// # Errors
    /// When its port was taken meanwhile.
    pub async fn start_hold(&self, hold: usize) -> Result<()> {
        start(self.holds.get(hold)).await
    }
}

async fn start(server: Option<&Server>) -> Result<()> {
    match server {
        Some(server) => server.start(None).await,
        None => Ok(()),
    }
}

async fn start_all(servers: &[Server], listeners: Vec<TcpListener>) -> Result<()> {
    for (server, listener) in servers.iter().zip(listeners) {
        server.start(Some(listener)).await?;
    }
    Ok(())
}

fn urls(ports: &Ports) -> Urls {
    let url = |port: &u16| format!("http://127.0.0.1:{port}");
    Urls {
        plc: url(&ports.plc),
        relay: url(&ports.relay),
        jetstream: url(&ports.jetstream),
        pds: ports.pds.iter().map(url).collect(),
        holds: ports.holds.iter().map(url).collect(),
    }
}

/// Rebuilds the state, or makes it; both take seconds of work that would block the runtime.
async fn open(directory: &Path, config: &DevnetConfig, urls: &Arc<Urls>) -> Result<Network> {
    let (directory, seed, content, urls) = (directory.to_owned(), config.seed, config.content, Arc::clone(urls));
    let opening = tokio::task::spawn_blocking(move || {
        let (network, filled) = Network::open(&directory, seed)?;
        if !filled {
            content::fill(&network, &urls, seed, content)?;
            network.filled()?;
        }
        Ok(network)
    });
    opening.await.unwrap_or_else(|error| Err(Error::Encode(error.to_string())))
}
