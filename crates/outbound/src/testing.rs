//! Servers on loopback and names of our own, for the tests of this crate.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::Router;
use futures::future::BoxFuture;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::Url;

use crate::{Outbound, OutboundConfig, net::Lookup};

/// Serves on a free port of loopback until the test's runtime ends.
pub async fn serve(router: Router) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://127.0.0.1:{port}/").parse().unwrap()
}

/// Names and their addresses, and how often they were asked for.
#[derive(Default)]
pub struct Names {
    pub addresses: HashMap<&'static str, Vec<IpAddr>>,
    pub asked: AtomicUsize,
}

impl Names {
    pub fn of<const N: usize>(names: [(&'static str, &str); N]) -> Arc<Self> {
        let addresses = names.map(|(name, list)| (name, list.split(' ').map(|ip| ip.parse().unwrap()).collect()));
        Arc::new(Self { addresses: addresses.into(), asked: AtomicUsize::new(0) })
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Lookup for Names {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.addresses.get(host.as_str()).cloned();
        Box::pin(async move { found.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// A dialer, strict or relaxed, that knows these names only, and trusts this certificate only.
pub fn outbound_with(private: bool, names: Arc<dyn Lookup>, root: Option<&'static [u8]>) -> Outbound {
    let mut roots = RootCertStore::empty();
    for der in root {
        roots.add(der.into()).unwrap();
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = OutboundConfig { allow_private_network: private, contact: "https://crowsnest.test/about".into() };
    Outbound::build(&config, names, tls).unwrap()
}

/// A relaxed dialer with the system's names.
pub fn outbound() -> Outbound {
    outbound_with(true, Arc::new(crate::net::SystemLookup), None)
}
