use std::{path::PathBuf, time::Duration};

use service::config::Blobs;
use url::Url;

use crate::Limits;

/// How the registry is set up; read once.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// The origin that clients know: the token realm and the tokens' audience. Never taken from a request.
    pub public_url: Url,
    /// The database.
    pub database_url: String,
    /// The generation of the index that is served.
    pub generation: i32,
    /// The file that keeps the key which signs tokens, made when it is not there. Without one, the key lives and dies with
    /// the process, and other processes refuse its tokens.
    pub token_key: Option<PathBuf>,
    /// How blobs come to clients.
    pub blobs: Blobs,
    /// How many of them pass through at once.
    pub blobs_at_once: usize,
    /// How much clients may ask for.
    pub limits: Limits,
    /// How long others are waited for.
    pub patience: Patience,
}

/// How long a pull waits for what is not ours.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the network to say who has a handle, or where an account's records are.
    pub identity: Duration,
    /// For a hold to say where a blob is.
    pub hold: Duration,
    /// How long a hold that failed several times in a row is left alone; then one client asks it again.
    pub hold_pause: Duration,
    /// For a turn among the blobs that pass through.
    pub turn: Duration,
    /// For everything that a PDS is asked to find one manifest.
    pub pds: Duration,
    /// For the writer to apply what was left in its inbox.
    pub index: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            identity: Duration::from_secs(5),
            hold: Duration::from_secs(5),
            hold_pause: Duration::from_secs(10),
            turn: Duration::from_secs(5),
            pds: Duration::from_secs(15),
            index: Duration::from_secs(3),
        }
    }
}
