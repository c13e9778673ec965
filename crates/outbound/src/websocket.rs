use std::{pin::Pin, sync::Arc, time::Duration};

use http::{Request, Uri, header::USER_AGENT};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, client::IntoClientRequest, protocol::WebSocketConfig},
};
use url::Url;

use crate::{
    Outbound, OutboundError,
    body::refusal,
    client::CONNECT_TIMEOUT,
    error::{Cause, shown},
    guard::Blocked,
};

/// How long the whole opening may take: name, connections, TLS, upgrade.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// A byte stream, plain or under TLS.
pub trait Transport: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Transport for T {}

/// An open WebSocket: a `Stream` and a `Sink` of [`tungstenite::Message`].
pub type WebSocket = WebSocketStream<Pin<Box<dyn Transport>>>;

impl Outbound {
    /// Opens a WebSocket. Messages over `max_message` bytes end it with an error. Redirects are not followed, nor is an
    /// idle stream noticed: the reader keeps its own stall timer.
    ///
    /// # Errors
    /// Any [`OutboundError`]; a server that refuses the upgrade gives [`OutboundError::Status`], with the XRPC error's
    /// name if it sent one.
    pub async fn websocket(&self, url: &Url, max_message: usize) -> Result<WebSocket, OutboundError> {
        timeout(OPEN_TIMEOUT, self.open(url, max_message)).await.map_err(|_| OutboundError::timeout(url))?
    }

    async fn open(&self, url: &Url, max_message: usize) -> Result<WebSocket, OutboundError> {
        if !matches!(url.scheme(), "ws" | "wss") {
            let why = Blocked::Scheme(url.scheme().to_owned());
            return Err(OutboundError::Blocked { url: shown(url), why });
        }
        let request = self.upgrade_request(url)?;
        let tcp = self.dial(url).await?;
        let transport: Pin<Box<dyn Transport>> =
            if url.scheme() == "wss" { Box::pin(self.encrypt(url, tcp).await?) } else { Box::pin(tcp) };
        let config = WebSocketConfig::default().max_message_size(Some(max_message)).max_frame_size(Some(max_message));
        match client_async_with_config(request, transport, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response)) => {
                Err(refusal(url, response.status(), response.body().as_deref().unwrap_or_default()))
            }
            Err(error) => Err(OutboundError::Broken { url: shown(url), source: Arc::new(error) }),
        }
    }

    fn upgrade_request(&self, url: &Url) -> Result<Request<()>, OutboundError> {
        let uri: Uri = url.as_str().parse().map_err(|error| OutboundError::malformed(url, error))?;
        let mut request = uri.into_client_request().map_err(|error| OutboundError::malformed(url, error))?;
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        Ok(request)
    }

    /// Connects to the first address that answers, of those that the guard lets pass.
    async fn dial(&self, url: &Url) -> Result<TcpStream, OutboundError> {
        let mut failure = OutboundError::timeout(url);
        for address in self.net.addresses(url).await.map_err(|error| error.at(url))? {
            match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Latency only: a stream that cannot be switched still works.
                    stream.set_nodelay(true).ok();
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = connect_error(url, Arc::new(error)),
                Err(_) => failure = OutboundError::timeout(url),
            }
        }
        Err(failure)
    }

    async fn encrypt(&self, url: &Url, tcp: TcpStream) -> Result<impl Transport + use<>, OutboundError> {
        // The brackets of an IPv6 literal are the URL's, not the name's.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| OutboundError::malformed(url, error))?;
        let connector = TlsConnector::from(self.tls.clone());
        connector.connect(name, tcp).await.map_err(|error| connect_error(url, Arc::new(error)))
    }
}

fn connect_error(url: &Url, source: Cause) -> OutboundError {
    OutboundError::Connect { url: shown(url), source }
}
