use std::{net::SocketAddr, sync::Arc};

use leptos::config::{LeptosOptions, errors::LeptosConfigError, get_config_from_str};
use outbound::Outbound;
use service::config::SourceUrl;
use store::freshness::Freshness;
use url::Url;

/// Tells how far the index is behind the network. The indexer knows best, while it is the writer (it sees frames and pings
/// that change nothing); where another process is, the database tells what that one heard.
pub trait Lag: Send + Sync {
    /// Milliseconds since the last frame or ping came, or `None` before the first.
    fn lag_ms(&self) -> Option<i64>;
}

/// What the web needs to be told.
#[derive(Clone)]
pub struct WebConfig {
    /// The origin that people use: pull commands and canonical links are made from it, never from the Host header.
    pub public_url: Url,
    /// The version of this program.
    pub version: String,
    /// The sources that the indexer is told to read, so that one never heard of is shown too.
    pub sources: Vec<SourceUrl>,
    /// The indexer's own measure, if it runs in this process.
    pub lag: Option<Arc<dyn Lag>>,
    /// Fetches the pictures of READMEs and repositories; without it they are links.
    pub outbound: Option<Outbound>,
    /// What is told of changes. While nothing is, nothing is kept, and what is new does not move by itself.
    pub freshness: Arc<Freshness>,
}

/// Leptos's options as compiled in, at the address that `--listen` gave, if any.
///
/// # Errors
/// When `Leptos.toml` or a `LEPTOS_*` variable does not parse.
pub fn leptos_options(listen: Option<SocketAddr>) -> Result<LeptosOptions, LeptosConfigError> {
    let mut options = get_config_from_str(include_str!("../../Leptos.toml"))?;
    if let Some(listen) = listen {
        options.site_addr = listen;
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::leptos_options;

    #[test]
    fn the_compiled_in_options_parse_and_listen_overrides() {
        let options = leptos_options(None).unwrap();
        assert_eq!((&*options.output_name, options.site_addr), ("crowsnest", "127.0.0.1:5000".parse().unwrap()));
        let other = "127.0.0.1:7000".parse().unwrap();
        assert_eq!(leptos_options(Some(other)).unwrap().site_addr, other);
    }
}
