//! Servers on loopback and names of our own, for the tests of this crate.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::Router;
use futures::future::BoxFuture;
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use url::Url;

use crate::{
    Guard, Outbound,
    net::{Lookup, Net, SystemLookup},
};

/// Serves on a free port of loopback until the test's runtime ends.
pub async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://127.0.0.1:{port}/").parse().unwrap()
}

/// Self-signed, for `public.example`, `localhost` and 127.0.0.1, until 2125; every dialer here trusts it.
const CERTIFICATE: &[u8] = include_bytes!("cert.der");
const KEY: &[u8] = include_bytes!("key.der");

/// Serves under TLS.
pub async fn serve_tls(router: Router) -> Url {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CERTIFICATE.into()], PrivatePkcs8KeyDer::from(KEY).into())
        .unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let listener = TlsListener { tcp, tls: Arc::new(config).into() };
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("https://127.0.0.1:{port}/").parse().unwrap()
}

struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (tcp, peer) = self.tcp.accept().await.unwrap();
            if let Ok(tls) = self.tls.accept(tcp).await {
                return (tls, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
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

/// A dialer, strict or relaxed, that knows these names only.
pub fn outbound_with(private: bool, names: Arc<dyn Lookup>) -> Outbound {
    build(Guard::new(private), names)
}

/// A strict dialer on an internet whose only public address is 127.0.0.1.
pub fn outbound_of_loopback(names: Arc<dyn Lookup>) -> Outbound {
    build(Guard::on_another_internet(|ip| ip == IpAddr::from([127, 0, 0, 1])), names)
}

fn build(guard: Guard, lookup: Arc<dyn Lookup>) -> Outbound {
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFICATE.into()).unwrap();
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Outbound::build(Net { guard, lookup }, tls, "https://crowsnest.test/about").unwrap()
}

/// A relaxed dialer with the system's names.
pub fn outbound() -> Outbound {
    outbound_with(true, Arc::new(SystemLookup))
}
