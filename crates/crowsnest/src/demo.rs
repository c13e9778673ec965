//! The demo: a network on this machine instead of the public one.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, time::Duration};

use devnet::{Devnet, DevnetConfig};
use service::config::{DatabaseArgs, NetworkArgs, SourceArgs};
use store::{Reader, StoreError};
use tokio::time::{sleep, timeout};
use url::Url;

use crate::{data_dir, failure::Failure};

/// Starts the demo network and points the flags at it.
pub async fn start(data_dir: &Path, network: &mut NetworkArgs, source: &mut SourceArgs) -> Result<Devnet, Failure> {
    let devnet =
        Devnet::start(DevnetConfig { live: true, ..DevnetConfig::new(data_dir) }).await.map_err(Failure::setup)?;
    let places = devnet.manifest();
    network.plc_url = places.plc.parse()?;
    network.relay_url = places.relay.parse()?;
    network.handle_resolver_url = Some(devnet.handle_resolver_url().parse()?);
    network.allow_private_network = true;
    source.source = vec![places.jetstream_v1.parse()?];
    Ok(devnet)
}

/// Points the flags at the demo whose index the data folder holds, unless they point somewhere themselves.
pub fn find(database: &DatabaseArgs, network: &mut NetworkArgs) -> Result<(), Failure> {
    let path = data_dir::devnet_json(&database.data_dir);
    if database.database_url.is_some() || network.allow_private_network || !path.exists() {
        return Ok(());
    }
    let places: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    let place = |name: &str| places[name].as_str().unwrap_or_default().parse::<Url>();
    network.plc_url = place("plc")?;
    network.relay_url = place("relay")?;
    network.handle_resolver_url = Some(network.relay_url.clone());
    network.allow_private_network = true;
    tracing::info!(places = %path.display(), "This is the demo's index: its network is asked, which has to run");
    Ok(())
}

/// The image that the instructions pull.
const EXAMPLE: (&str, &str) = ("alice.test", "hello");
/// How long the example is waited for, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// Waits until the index shows what the instructions pull, for a while at most.
pub async fn indexed(reader: &Reader) -> Result<(), Failure> {
    let shown = async {
        while !is_shown(reader).await? {
            sleep(LOOK).await;
        }
        Ok::<_, StoreError>(())
    };
    match timeout(PATIENCE, shown).await {
        Ok(shown) => Ok(shown?),
        Err(_) => {
            tracing::warn!("The demo is not indexed yet; it will be in a while");
            Ok(())
        }
    }
}

async fn is_shown(reader: &Reader) -> Result<bool, StoreError> {
    let (handle, repository) = EXAMPLE;
    let (Ok(handle), Ok(repository)) = (handle.parse(), repository.parse()) else { return Ok(false) };
    let Some(owner) = reader.actor_by_handle(&handle).await? else { return Ok(false) };
    reader.repository_exists(&owner.did.parse()?, &repository).await
}

/// Tells scripts where everything is. Written whole or not at all, since scripts wait for it.
pub fn write_places(devnet: &Devnet, data_dir: &Path, database_url: &str) -> Result<(), Failure> {
    let mut places = devnet.manifest();
    places.database_url = Some(database_url.to_owned());
    let path = data_dir::devnet_json(data_dir);
    let unfinished = path.with_extension("json.new");
    // It holds passwords, the database's among them.
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(&serde_json::to_vec_pretty(&places)?)?;
    fs::rename(&unfinished, &path)?;
    Ok(())
}
