//! Composition: which services run in this process, on which database, behind which listener.

use std::{
    io::{self, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::Router;
use indexer::{IndexerConfig, IndexerStatus};
use outbound::{Outbound, OutboundConfig, Resolver, ResolverConfig};
use registry_api::{Limits, Rate, Registry, RegistryConfig};
use service::{
    Health, Incident, Postgres,
    config::{AdminArgs, DatabaseArgs, NetworkArgs, RegistryArgs, ServeArgs, SourceCompression, SourceUrl},
    health, listen,
    serve::{self, Caps},
    telemetry::{self, Metrics},
};
use store::{
    Reader,
    freshness::{self, Freshness},
};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::sync::CancellationToken;
use url::Url;
use web::{Lag, WebConfig};

use crate::{
    cli::{Indexer, IndexerAlone, RegistryApi, Up, Web},
    data_dir,
    failure::Failure,
};

/// How often Postgres is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(2);

/// What every service of this process stands on.
struct Base {
    postgres: Postgres,
    generation: i32,
    health: Health,
    metrics: Metrics,
    stop: CancellationToken,
}

impl Base {
    async fn open(database: &DatabaseArgs, metrics: Metrics, stop: CancellationToken) -> Result<Self, Failure> {
        let mut postgres = Postgres::open(database).await.map_err(Failure::setup)?;
        postgres.keep_running();
        let generation = store::prepare(postgres.url()).await?;
        let base = Self { postgres, generation, health: Health::new(), metrics, stop };
        base.watch_database().await?;
        Ok(base)
    }

    /// Keeps `/readyz` true to whether Postgres answers.
    async fn watch_database(&self) -> Result<(), Failure> {
        let reader = Reader::connect(self.postgres.url(), self.generation).await?;
        let ready = self.health.flag("database", "Postgres does not answer");
        ready.set(true);
        let (stop, mut away) = (self.stop.clone(), Incident::default());
        tokio::spawn(async move {
            while stop.run_until_cancelled(sleep(PING_EVERY)).await.is_some() {
                match reader.ping().await {
                    Ok(()) => {
                        ready.set(true);
                        if let Some(lasted) = away.ends() {
                            tracing::info!(incident.ms = lasted.as_millis(), "Postgres answers again");
                        }
                    }
                    Err(error) => {
                        ready.set(false);
                        if away.begins() {
                            tracing::warn!(%error, "Postgres does not answer");
                        }
                    }
                }
            }
        });
        Ok(())
    }

    fn url(&self) -> String {
        self.postgres.url().to_owned()
    }

    /// An index is of one network, and a database does not say of which: whoever follows another one with it should see why
    /// accounts disappear.
    async fn tell_of_other_sources(&self, given: &[SourceUrl]) -> Result<(), Failure> {
        let connection = store::connect(self.postgres.url(), Some(self.generation)).await?;
        let read: Vec<String> =
            store::cursors::load(&connection.client).await?.into_iter().map(|cursor| cursor.source).collect();
        if are_all_others(&read, given) {
            tracing::warn!(
                read = read.join(", "),
                "This index was filled from none of the given sources: if they are of another network, its accounts will not be found there"
            );
        }
        Ok(())
    }

    async fn web(
        &self,
        front: &Front,
        dial: &Dial,
        sources: Vec<SourceUrl>,
        lag: Option<Arc<dyn Lag>>,
    ) -> Result<Router, Failure> {
        let reader = Reader::connect(self.postgres.url(), self.generation).await?;
        let (version, freshness) = (env!("CARGO_PKG_VERSION").to_owned(), Arc::new(Freshness::default()));
        tokio::spawn(freshness::follow(self.url(), freshness.clone(), self.stop.clone()));
        let (public_url, outbound) = (front.url.clone(), Some(dial.outbound.clone()));
        Ok(web::router(WebConfig { public_url, version, sources, lag, outbound, freshness }, reader))
    }

    async fn registry(
        &self,
        front: &Front,
        dial: &Dial,
        data_dir: &Path,
        args: RegistryArgs,
    ) -> Result<Router, Failure> {
        data_dir::make(data_dir)?;
        let config = RegistryConfig {
            public_url: front.url.clone(),
            database_url: self.url(),
            generation: self.generation,
            token_key: Some(data_dir::token_key(data_dir)),
            blobs: args.blobs,
            blobs_at_once: args.blobs_at_once as usize,
            limits: limits(args),
            patience: registry_api::Patience::default(),
        };
        let registry = Registry::open(config, dial.outbound.clone(), dial.resolver.clone()).await?;
        Ok(registry_api::router(registry))
    }

    /// Serves until the stop, then finishes what is in flight and leaves the database.
    async fn serve(self, front: Front, routes: Router) -> Result<(), Failure> {
        let health = health::router(self.health, self.metrics);
        if let Some(admin) = front.admin {
            serve_admin(admin, health.clone());
        }
        let serving = serve::serve(front.listener, routes.merge(health), front.caps, self.stop.clone());
        let patience = async {
            self.stop.cancelled().await;
            sleep(front.drain).await;
        };
        tokio::select! {
            () = serving => {}
            () = patience => tracing::warn!("Connections that did not end were cut"),
        }
        Ok(self.postgres.stop().await?)
    }
}

/// Whether sources were read, and none of these. A cursor may be named by its URL and what it counts.
fn are_all_others(read: &[String], given: &[SourceUrl]) -> bool {
    let is_given = |name: &String| given.iter().any(|source| name.split('#').next() == Some(&source.to_string()));
    !read.is_empty() && !read.iter().any(is_given)
}

/// What faces people and clients. Bound first of all, so that a taken port is told before anything is started.
struct Front {
    listener: TcpListener,
    /// The origin that they know.
    url: Url,
    /// `--admin-listen`
    admin: Option<TcpListener>,
    caps: Caps,
    /// How long requests in flight may take to end when everything stops.
    drain: Duration,
}

impl Front {
    async fn bind(args: &ServeArgs) -> Result<Self, Failure> {
        let address = web::leptos_options(args.listen).map_err(Failure::setup)?.site_addr;
        let listener = listen::bind(address, "--listen").await.map_err(Failure::setup)?;
        // Port 0 has become the port that was given.
        let url = args.public_url(listener.local_addr()?);
        let caps = Caps {
            connections: args.max_connections as usize,
            trusted_proxies: args.trusted_proxies.clone(),
            ..Caps::default()
        };
        let drain = Duration::from_secs(args.drain);
        Ok(Self { listener, url, admin: bind_admin(args.admin).await?, caps, drain })
    }

    /// The one line on stdout, for people and for scripts.
    fn say_ready(&self) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "ready {}", self.url.as_str().trim_end_matches('/'))?;
        Ok(out.flush()?)
    }
}

async fn bind_admin(AdminArgs { admin_listen }: AdminArgs) -> Result<Option<TcpListener>, Failure> {
    let Some(address) = admin_listen else { return Ok(None) };
    listen::bind(address, "--admin-listen").await.map(Some).map_err(Failure::setup)
}

fn serve_admin(listener: TcpListener, health: Router) {
    tokio::spawn(axum::serve(listener, health).into_future());
}

/// The dialer and who is who on the network.
pub struct Dial {
    /// The dialer.
    pub outbound: Outbound,
    /// Who is who.
    pub resolver: Resolver,
}

impl Dial {
    /// As the flags say.
    pub fn new(network: &NetworkArgs) -> Result<Self, Failure> {
        let config =
            OutboundConfig { allow_private_network: network.allow_private_network, contact: network.contact.clone() };
        let outbound = Outbound::new(&config).map_err(Failure::setup)?;
        let config = ResolverConfig {
            plc_url: network.plc_url.clone(),
            handle_resolver_url: network.handle_resolver_url.clone(),
        };
        let resolver = Resolver::new(outbound.clone(), &config).map_err(Failure::setup)?;
        Ok(Self { outbound, resolver })
    }
}

/// `crowsnest up`: everything in one process, on one origin.
#[cfg_attr(not(feature = "devnet"), expect(unused_mut, reason = "only the demo has addresses of its own"))]
pub async fn up(mut args: Up, stop: CancellationToken) -> Result<(), Failure> {
    indexer::check(&args.indexer.source.source).map_err(Failure::setup)?;
    let metrics = observe(&args.indexer.telemetry)?;
    let data_dir = args.indexer.database.data_dir.clone();
    data_dir::make(&data_dir)?;
    // First: whoever has the folder has the port too, most likely, which would say less.
    let _taken = data_dir::take(&data_dir)?;
    let front = Front::bind(&args.serve).await?;
    #[cfg(feature = "devnet")]
    let is_demo = args.demo;
    #[cfg(not(feature = "devnet"))]
    let is_demo = false;
    match args.fresh {
        true => data_dir::forget(&data_dir).await?,
        false => data_dir::must_be_of(&args.indexer.database, is_demo)?,
    }
    #[cfg(feature = "devnet")]
    let demo = if args.demo {
        Some(crate::demo::start(&data_dir, &mut args.indexer.network, &mut args.indexer.source).await?)
    } else {
        None
    };
    let base = Base::open(&args.indexer.database, metrics, stop.clone()).await?;
    let dial = Dial::new(&args.indexer.network)?;
    if !is_demo {
        base.tell_of_other_sources(&args.indexer.source.source).await?;
    }
    let config = indexer_config(&args.indexer, &base, &dial);
    let lag = Arc::new(HeardBy(config.status.clone()));
    let routes = base.registry(&front, &dial, &data_dir, args.registry).await?;
    let routes = routes.merge(base.web(&front, &dial, args.indexer.source.source.clone(), Some(lag)).await?);
    let indexing = tokio::spawn(supervise(config, stop.clone(), base.health.clone()));
    #[cfg(feature = "devnet")]
    if let Some(demo) = &demo {
        crate::demo::write_places(demo, &data_dir, base.postgres.url())?;
        let reader = Reader::connect(base.postgres.url(), base.generation).await?;
        stop.run_until_cancelled(Box::pin(crate::demo::indexed(&reader))).await.transpose()?;
    }
    front.say_ready()?;
    let served = base.serve(front, routes).await;
    stop.cancel();
    let indexed = indexing.await.context("the indexer panicked")?;
    #[cfg(feature = "devnet")]
    if let Some(demo) = demo {
        demo.shutdown().await;
    }
    served.and(indexed)
}

/// `crowsnest indexer`
pub async fn indexer(alone: IndexerAlone, stop: CancellationToken) -> Result<(), Failure> {
    let IndexerAlone { indexer: args, admin } = alone;
    indexer::check(&args.source.source).map_err(Failure::setup)?;
    data_dir::must_be_of(&args.database, false)?;
    let metrics = observe(&args.telemetry)?;
    let admin = bind_admin(admin).await?;
    let base = Base::open(&args.database, metrics, stop.clone()).await?;
    let dial = Dial::new(&args.network)?;
    base.tell_of_other_sources(&args.source.source).await?;
    let config = indexer_config(&args, &base, &dial);
    if let Some(admin) = admin {
        serve_admin(admin, health::router(base.health.clone(), base.metrics.clone()));
    }
    let indexed = Box::pin(supervise(config, stop, base.health.clone())).await;
    base.postgres.stop().await?;
    indexed
}

/// `crowsnest web`
pub async fn web(args: Web, stop: CancellationToken) -> Result<(), Failure> {
    let metrics = observe(&args.telemetry)?;
    let front = Front::bind(&args.serve).await?;
    let base = Base::open(&args.database, metrics, stop).await?;
    let dial = Dial::new(&args.network)?;
    let routes = base.web(&front, &dial, Vec::new(), None).await?;
    front.say_ready()?;
    base.serve(front, routes).await
}

/// `crowsnest registry-api`
pub async fn registry_api(args: RegistryApi, stop: CancellationToken) -> Result<(), Failure> {
    let metrics = observe(&args.telemetry)?;
    let front = Front::bind(&args.serve).await?;
    let base = Base::open(&args.database, metrics, stop).await?;
    let dial = Dial::new(&args.network)?;
    let routes = base.registry(&front, &dial, &args.database.data_dir, args.registry).await?;
    front.say_ready()?;
    base.serve(front, routes).await
}

/// Runs the indexer; when it ends by itself, everything stops with it.
async fn supervise(config: IndexerConfig, stop: CancellationToken, health: Health) -> Result<(), Failure> {
    let result = Box::pin(indexer::run(config, stop.clone(), health)).await;
    if let Err(error) = &result {
        tracing::error!(%error, "The indexer stopped, and everything with it");
    }
    stop.cancel();
    Ok(result?)
}

fn indexer_config(args: &Indexer, base: &Base, dial: &Dial) -> IndexerConfig {
    let (outbound, resolver) = (dial.outbound.clone(), dial.resolver.clone());
    let (source, relay_url) = (&args.source, args.network.relay_url.clone());
    let mut config = IndexerConfig::new(base.url(), source.source.clone(), outbound, resolver, relay_url);
    config.archive = store::archive::Limits { days: args.archive.archive_days, bytes: args.archive.archive_bytes };
    config.verify = args.verify;
    config.compression = source.source_compression == SourceCompression::Zstd;
    config.timing.stall = Duration::from_secs(source.source_stall);
    config.timing.reliable = Duration::from_secs(source.source_return);
    config.timing.probe = (config.timing.reliable / 4).clamp(Duration::from_secs(1), config.timing.probe);
    config
}

/// The indexer of this process tells the web how far behind the network it is.
struct HeardBy(IndexerStatus);

impl Lag for HeardBy {
    fn lag_ms(&self) -> Option<i64> {
        self.0.lag_ms()
    }
}

fn limits(args: RegistryArgs) -> Limits {
    let rate = |per_second: u32, seconds: u32| Rate { per_second, burst: per_second.saturating_mul(seconds) };
    Limits {
        requests: rate(args.requests_per_second, 10),
        lookups: rate(args.lookups_per_second, 20),
        ..Limits::default()
    }
}

fn observe(args: &service::config::TelemetryArgs) -> Result<Metrics, Failure> {
    telemetry::init(args).map_err(Failure::setup)?;
    Metrics::install().map_err(Failure::setup)
}

#[cfg(test)]
mod tests {
    use super::are_all_others;

    #[test]
    fn sources_that_were_never_read_are_told_from_those_that_were() {
        let given = ["wss://a.example/subscribe", "wss://b.example/subscribe"].map(|url| url.parse().unwrap());
        for (read, others) in [
            (&[][..], false),
            (&["ws://127.0.0.1:4/subscribe"], true),
            (&["ws://127.0.0.1:4/subscribe", "wss://b.example/subscribe#sequence"], false),
        ] {
            let read: Vec<String> = read.iter().map(|&name: &&str| name.to_owned()).collect();
            assert_eq!(are_all_others(&read, &given), others, "{read:?}");
        }
    }
}
