use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StoreError;

/// How the server finds that we are gone: by our socket even while it works, by the network, and, since nothing of ours is
/// done inside a transaction but statements, by silence there. Locks of a dead process hold nobody up for long.
const SERVER_OPTIONS: &str = "-c client_connection_check_interval=1s -c idle_in_transaction_session_timeout=3s \
                              -c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=2 \
                              -c tcp_user_timeout=4s";

/// A connection of the write path, with the notifications that it receives.
pub struct Connection {
    /// Statements go here.
    pub client: Client,
    /// The payloads of notifications on channels that this connection LISTENs to: (channel, payload).
    pub notifications: mpsc::UnboundedReceiver<(String, String)>,
}

/// Opens a connection. Its `search_path` is fixed: the generation's schema if one is given, then the shared groups.
///
/// # Errors
/// [`StoreError::Url`] when the URL does not parse, else whatever Postgres says.
pub async fn connect(url: &str, generation: Option<i32>) -> Result<Connection, StoreError> {
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| StoreError::Url(error.to_string()))?;
    config.options(format!("{} {SERVER_OPTIONS}", search_path_option(generation))).application_name("crowsnest");
    config.keepalives_idle(Duration::from_secs(2)).keepalives_interval(Duration::from_secs(1)).keepalives_retries(2);
    config.tcp_user_timeout(Duration::from_secs(4));
    if config.get_ssl_mode() == SslMode::Disable || config.get_hosts().iter().all(is_local) {
        let (client, connection) = config.connect(NoTls).await?;
        Ok(Connection { client, notifications: drive(connection) })
    } else {
        let (client, connection) = config.connect(tls()?).await?;
        Ok(Connection { client, notifications: drive(connection) })
    }
}

/// `-c search_path=…` as a start-up option, so that no later statement can run without it.
pub(crate) fn search_path_option(generation: Option<i32>) -> String {
    format!("-c search_path={}", search_path(generation))
}

pub(crate) fn search_path(generation: Option<i32>) -> String {
    match generation {
        Some(generation) => format!("{},obs,ops,ext", migrations::generation::schema(generation)),
        None => "public,obs,ops,ext".to_owned(),
    }
}

fn is_local(host: &tokio_postgres::config::Host) -> bool {
    match host {
        tokio_postgres::config::Host::Unix(_) => true,
        tokio_postgres::config::Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
    }
}

fn tls() -> Result<MakeRustlsConnect, StoreError> {
    use rustls_platform_verifier::ConfigVerifierExt;
    let config = rustls::ClientConfig::with_platform_verifier()
        .map_err(|error| StoreError::Url(format!("TLS is not available: {error}")))?;
    Ok(MakeRustlsConnect::new(config))
}

/// Polls the connection until it ends, passing notifications on.
fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>) -> mpsc::UnboundedReceiver<(String, String)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut sender = Some(sender);
        loop {
            match std::future::poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(note))) => {
                    let message = (note.channel().to_owned(), note.payload().to_owned());
                    // A connection whose owner does not listen still has to be driven.
                    sender = sender.filter(|sender| sender.send(message).is_ok());
                }
                Some(Ok(AsyncMessage::Notice(notice))) => tracing::debug!(%notice, "Postgres says"),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::warn!(%error, "a Postgres connection broke");
                    break;
                }
                None => break,
            }
        }
    });
    receiver
}
