//! Flags, one struct a concern, to be flattened into a command: `#[command(flatten)] database: DatabaseArgs`.
//! Every flag has an environment variable, `CROWSNEST_` and its name; the flag wins.

mod source_url;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use url::Url;

pub use source_url::{SourceKind, SourceUrl, SourceUrlError};

/// Which Postgres to use.
#[derive(Args, Clone, Debug)]
pub struct DatabaseArgs {
    /// Postgres to use, as postgres://user:password@host:port/database; without it crowsnest runs its own in the data
    /// folder
    #[arg(long, env = "CROWSNEST_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// Folder for everything crowsnest keeps on disk
    #[arg(long, env = "CROWSNEST_DATA_DIR", default_value = ".crowsnest", value_name = "DIR")]
    pub data_dir: PathBuf,
}

/// Where the AT Protocol network is and how we introduce ourselves to it.
#[derive(Args, Clone, Debug)]
pub struct NetworkArgs {
    /// PLC directory that resolves did:plc
    #[arg(long, env = "CROWSNEST_PLC_URL", default_value = "https://plc.directory", value_name = "URL", value_parser = values::http_url)]
    pub plc_url: Url,

    /// Relay that lists the repositories to backfill
    #[arg(long, env = "CROWSNEST_RELAY_URL", default_value = "https://relay1.us-west.bsky.network", value_name = "URL", value_parser = values::http_url)]
    pub relay_url: Url,

    /// Service to ask com.atproto.identity.resolveHandle, instead of DNS and /.well-known/atproto-did
    #[arg(long, env = "CROWSNEST_HANDLE_RESOLVER_URL", value_name = "URL", value_parser = values::http_url)]
    pub handle_resolver_url: Option<Url>,

    /// Allow plain http and ws, private addresses and any port: for a network on this machine only
    #[arg(long, env = "CROWSNEST_ALLOW_PRIVATE_NETWORK", value_parser = FalseyValueParser::new())]
    pub allow_private_network: bool,

    /// Address or page where the people whose servers we call can reach you; sent in the User-Agent
    #[arg(long, env = "CROWSNEST_CONTACT", default_value = env!("CARGO_PKG_REPOSITORY"), value_parser = values::contact)]
    pub contact: String,
}

impl NetworkArgs {
    /// The User-Agent of every outbound request: `crowsnest/<version> (+<contact>)`.
    pub fn user_agent(&self) -> String {
        format!("crowsnest/{} (+{})", env!("CARGO_PKG_VERSION"), self.contact)
    }
}

/// Where events come from.
#[derive(Args, Clone, Debug)]
pub struct SourceArgs {
    /// Event stream to follow: wss://HOST/subscribe, wss://HOST/xrpc/network.bsky.jetstream.subscribeEvents or
    /// wss://HOST/xrpc/com.atproto.sync.subscribeRepos; repeat it (or separate by commas) to name others to fail over to,
    /// in that order
    #[arg(long, env = "CROWSNEST_SOURCE", value_name = "URL", value_delimiter = ',', default_values = PUBLIC_JETSTREAMS)]
    pub source: Vec<SourceUrl>,

    /// Ask sources that can (Jetstream v2) to compress what they send
    #[arg(long, env = "CROWSNEST_SOURCE_COMPRESSION", value_enum, default_value_t = SourceCompression::None)]
    pub source_compression: SourceCompression,

    /// Leave a source after so many seconds without a sign of life
    #[arg(long, env = "CROWSNEST_SOURCE_STALL", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(3..=3600))]
    pub source_stall: u64,

    /// Return to a source that is preferred once it has been well for so many seconds
    #[arg(long, env = "CROWSNEST_SOURCE_RETURN", value_name = "SECONDS", default_value_t = 240, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub source_return: u64,
}

/// How a source is asked to send its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SourceCompression {
    /// As text: what we ask for is little.
    #[default]
    None,
    /// Each frame by zstd, with the dictionary that the source gives out.
    Zstd,
}

/// The public Jetstream v1 hosts, tried in this order.
const PUBLIC_JETSTREAMS: [&str; 4] = [
    "wss://jetstream1.us-east.bsky.network/subscribe",
    "wss://jetstream2.us-east.bsky.network/subscribe",
    "wss://jetstream1.us-west.bsky.network/subscribe",
    "wss://jetstream2.us-west.bsky.network/subscribe",
];

/// How much of the archive of events is kept.
#[derive(Args, Clone, Copy, Debug)]
pub struct ArchiveArgs {
    /// Days for which events are kept as they came; 0 keeps none
    #[arg(long, env = "CROWSNEST_ARCHIVE_DAYS", default_value_t = 30, value_name = "DAYS")]
    pub archive_days: u16,

    /// Bytes that the archive may take on disk, as 500M or 10G; the oldest events go first
    #[arg(long, env = "CROWSNEST_ARCHIVE_BYTES", default_value = "10G", value_name = "BYTES", value_parser = values::bytes)]
    pub archive_bytes: u64,
}

/// What we serve and under which name.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Address and port to serve on; without it, those of Leptos.toml: 127.0.0.1:5000
    #[arg(long, env = "CROWSNEST_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,

    /// Origin (scheme, host, port) under which people reach this server, for links, token realms and OAuth; without it,
    /// http:// and the address served on
    #[arg(long, env = "CROWSNEST_PUBLIC_URL", value_name = "URL", value_parser = values::origin)]
    pub public_url: Option<Url>,

    /// Proxies, as addresses or CIDR blocks, whose X-Forwarded-For or Forwarded is believed; repeat it or separate by commas
    #[arg(long, env = "CROWSNEST_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',', value_parser = values::ip_net)]
    pub trusted_proxies: Vec<IpNet>,

    /// Connections at once, at most; one client may have a quarter of them
    #[arg(long, env = "CROWSNEST_MAX_CONNECTIONS", default_value_t = 4096, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(4..=1_000_000))]
    pub max_connections: u32,

    /// Seconds in which requests under way may end when everything stops
    #[arg(long, env = "CROWSNEST_DRAIN", default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub drain: u64,

    /// Where operators look.
    #[command(flatten)]
    pub admin: AdminArgs,
}

/// How the pull API serves.
#[derive(Args, Clone, Copy, Debug)]
pub struct RegistryArgs {
    /// How blobs come to clients: by a redirect to the hold that has them, or through this server, which checks them
    #[arg(long, env = "CROWSNEST_BLOBS", value_enum, default_value_t = Blobs::Redirect)]
    pub blobs: Blobs,

    /// Blobs that pass through this server at once, at most
    #[arg(long, env = "CROWSNEST_BLOBS_AT_ONCE", default_value_t = 256, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub blobs_at_once: u32,

    /// Requests a second of one client (an IPv4 address, an IPv6 /64) and of one token, ten times as many at once; 0 for no
    /// limit. This machine's own are not counted
    #[arg(long, env = "CROWSNEST_REQUESTS_PER_SECOND", default_value_t = 100, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub requests_per_second: u32,

    /// Look-ups a second, on the network, of what is not indexed yet, for one client, twenty times as many at once; 0 for no
    /// limit
    #[arg(long, env = "CROWSNEST_LOOKUPS_PER_SECOND", default_value_t = 5, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub lookups_per_second: u32,
}

/// How blobs come to clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Blobs {
    /// From where the hold says that they are.
    #[default]
    Redirect,
    /// Through this server, which hashes them on their way.
    Proxy,
}

/// Where operators look.
#[derive(Args, Clone, Copy, Debug)]
pub struct AdminArgs {
    /// Serve /healthz, /readyz and /metrics on this address too, apart from the public one
    #[arg(long, env = "CROWSNEST_ADMIN_LISTEN", value_name = "ADDR:PORT")]
    pub admin_listen: Option<SocketAddr>,
}

impl ServeArgs {
    /// The origin to write into links and tokens: `--public-url`, or else `http://` and the address that was bound, with the
    /// loopback address in place of an unspecified one (`0.0.0.0`, `::`).
    pub fn public_url(&self, bound: SocketAddr) -> Url {
        self.public_url.clone().unwrap_or_else(|| values::http_origin_of(bound))
    }
}

/// What is logged and how.
#[derive(Args, Clone, Debug)]
pub struct TelemetryArgs {
    /// Form of a log line
    #[arg(long, env = "CROWSNEST_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What to log: a level, or directives as in info,crowsnest_indexer=debug
    #[arg(long, env = "CROWSNEST_LOG", default_value = "info,sqlx=warn,sea_orm_migration=warn", value_name = "FILTER", value_parser = values::log_filter)]
    pub log: String,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: time, level, sentence, fields.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

#[cfg(test)]
mod tests;
