use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{Error, Result};

/// A server on a fixed loopback port that can be stopped, dropping its connections at once, and started again.
pub(crate) struct Server {
    name: String,
    port: u16,
    app: Router,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds a loopback port; 0 means any that is free.
    pub(crate) async fn bind(name: &str, port: u16) -> Result<TcpListener> {
        let taken = |source| Error::PortTaken { server: name.to_owned(), port, source };
        TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(taken)
    }

    pub(crate) fn new(name: &str, port: u16, app: Router) -> Self {
        Self { name: name.to_owned(), port, app, running: Mutex::new(None) }
    }

    /// Serves; does nothing when it already does.
    pub(crate) async fn start(&self, listener: Option<TcpListener>) -> Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            let listener = match listener {
                Some(listener) => listener,
                None => Self::bind(&self.name, self.port).await?,
            };
            let stop = CancellationToken::new();
            let task = tokio::spawn(accept(listener, self.app.clone(), stop.clone()));
            *running = Some(Running { stop, task });
        }
        Ok(())
    }

    /// Closes the port and every connection.
    pub(crate) async fn stop(&self) {
        if let Some(Running { stop, task }) = self.running.lock().await.take() {
            stop.cancel();
            if let Err(error) = task.await {
                tracing::warn!(server = self.name, %error, "the server ended badly");
            }
        }
    }
}

async fn accept(listener: TcpListener, app: Router, stop: CancellationToken) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((connection, _)) => _ = tokio::spawn(serve(connection, app.clone(), stop.clone())),
            Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
        }
    }
}

async fn serve(connection: TcpStream, app: Router, stop: CancellationToken) {
    // Frames are small and rare: waiting to fill a packet would show as latency.
    let _ = connection.set_nodelay(true);
    // The websocket task outlives the HTTP connection, so it gets the token too.
    let app = app.layer(axum::Extension(stop.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(connection), TowerToHyperService::new(app));
    if let Some(Err(error)) = stop.run_until_cancelled(serving).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
