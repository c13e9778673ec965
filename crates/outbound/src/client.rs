use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION, USER_AGENT},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use url::Url;

use crate::{
    body::Streamed,
    error::{OutboundError, shown},
    guard::{Blocked, Guard},
    net::{Net, ResolveError, SystemLookup},
    tls,
};

/// How long a connection may take, name and TLS included.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How the dialer is set up.
#[derive(Clone, Debug)]
pub struct OutboundConfig {
    /// Relaxes the [`Guard`]: for the demo and for tests.
    pub allow_private_network: bool,
    /// Where the operator can be reached, a URL or an e-mail address: part of every request's User-Agent.
    pub contact: String,
}

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For [`Outbound::stream`] until the answer's headers are there, otherwise until its last byte.
    pub timeout: Duration,
    /// The most bytes that a body may have.
    pub max_bytes: u64,
    /// The most redirects that are followed; with 0, a redirect is an answer like others.
    pub max_redirects: u8,
}

impl Limits {
    /// For a small document: 10 s, 1 MiB, 5 redirects.
    pub const SMALL: Self = Self { timeout: Duration::from_secs(10), max_bytes: 1 << 20, max_redirects: 5 };

    /// The same with another size cap.
    pub const fn with_max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// The same with another time cap.
    pub const fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same without following redirects.
    pub const fn without_redirects(self) -> Self {
        Self { max_redirects: 0, ..self }
    }
}

/// A successful answer, read to its end.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The status, 200 to 299.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Where it came from, after redirects.
    pub url: Url,
}

impl Fetched {
    /// Reads the body as JSON.
    ///
    /// # Errors
    /// [`OutboundError::Malformed`] when it is not the JSON that `T` asks for.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, OutboundError> {
        serde_json::from_slice(&self.body).map_err(|error| OutboundError::malformed(&self.url, error))
    }
}

/// The one dialer: every byte that leaves the process goes through it, and through its [`Guard`]. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    pub(crate) net: Net,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) user_agent: HeaderValue,
    http: reqwest::Client,
}

impl Outbound {
    /// Sets the dialer up with the system's resolver and certificate authorities.
    ///
    /// # Errors
    /// [`OutboundError::Setup`] when there are no certificate authorities, or the contact is no header text.
    pub fn new(config: &OutboundConfig) -> Result<Self, OutboundError> {
        let guard = Guard::new(config.allow_private_network);
        let net = Net { guard, lookup: Arc::new(SystemLookup) };
        Self::build(net, tls::client_config(guard)?, &config.contact)
    }

    pub(crate) fn build(net: Net, tls: rustls::ClientConfig, contact: &str) -> Result<Self, OutboundError> {
        let agent = format!("crowsnest/{} (+{contact})", env!("CARGO_PKG_VERSION"));
        let user_agent = HeaderValue::from_str(&agent)
            .map_err(|_| OutboundError::Setup(format!("{contact:?} cannot be part of a User-Agent")))?;
        // Bodies are hashed and passed on as they come, so nothing may decompress them on the way.
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(Arc::new(net.clone()))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .build()
            .map_err(|error| OutboundError::Setup(error.to_string()))?;
        Ok(Self { net, tls: Arc::new(tls), user_agent, http })
    }

    /// The rules in force.
    pub fn guard(&self) -> Guard {
        self.net.guard
    }

    /// Judges a URL that somebody else will dial (a redirect that we pass on), its host's addresses included.
    ///
    /// # Errors
    /// [`OutboundError::Blocked`] or [`OutboundError::Dns`].
    pub async fn vet(&self, url: &Url) -> Result<(), OutboundError> {
        self.net.addresses(url).await.map(drop).map_err(|error| error.at(url))
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// Any [`OutboundError`]; a status outside 200 to 299 is [`OutboundError::Status`].
    pub async fn get(&self, url: &Url, limits: Limits) -> Result<Fetched, OutboundError> {
        within(url, limits, async { self.follow(url, HeaderMap::new(), limits).await?.fetched().await }).await
    }

    /// Fetches a JSON document.
    ///
    /// # Errors
    /// As [`Outbound::get`], and [`OutboundError::Malformed`] when it is not the JSON that `T` asks for.
    pub async fn get_json<T: DeserializeOwned>(&self, url: &Url, limits: Limits) -> Result<T, OutboundError> {
        self.get(url, limits).await?.json()
    }

    /// Posts a JSON document. Redirects are not followed.
    ///
    /// # Errors
    /// As [`Outbound::get`].
    pub async fn post_json(
        &self,
        url: &Url,
        document: &impl Serialize,
        limits: Limits,
    ) -> Result<Fetched, OutboundError> {
        let body = serde_json::to_vec(document).map_err(|error| OutboundError::malformed(url, error))?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        self.send_once(Method::POST, url, headers, body.into(), limits).await
    }

    /// Sends something secret, and reads the answer. Redirects are not followed: it is for this server alone.
    ///
    /// # Errors
    /// As [`Outbound::get`].
    pub(crate) async fn send_once(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        limits: Limits,
    ) -> Result<Fetched, OutboundError> {
        within(url, limits, async {
            let response = self.send(method, url, headers, body).await?;
            Streamed::new(response, url.clone(), limits).fetched().await
        })
        .await
    }

    /// Asks for a body that is passed on as it comes. Any status is an answer here.
    ///
    /// # Errors
    /// Any [`OutboundError`] but [`OutboundError::Status`].
    pub async fn stream(&self, url: &Url, headers: HeaderMap, limits: Limits) -> Result<Streamed, OutboundError> {
        within(url, limits, self.follow(url, headers, limits)).await
    }

    async fn follow(&self, url: &Url, mut headers: HeaderMap, limits: Limits) -> Result<Streamed, OutboundError> {
        let mut current = url.clone();
        for _ in 0..=limits.max_redirects {
            let response = self.send(Method::GET, &current, headers.clone(), Bytes::new()).await?;
            if limits.max_redirects == 0 || !is_redirect(response.status()) {
                return Ok(Streamed::new(response, current, limits));
            }
            let next = location(&current, response.headers())?;
            if next.origin() != current.origin() {
                for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                    headers.remove(secret);
                }
            }
            current = next;
        }
        Err(OutboundError::TooManyRedirects { url: shown(url) })
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<reqwest::Response, OutboundError> {
        let blocked = |why| OutboundError::Blocked { url: shown(url), why };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(blocked(Blocked::Scheme(url.scheme().to_owned())));
        }
        // A literal address never reaches the resolver that filters names.
        self.net.guard.check(url).map_err(blocked)?;
        headers.insert(USER_AGENT, self.user_agent.clone());
        let request = self.http.request(method, url.clone()).headers(headers).body(body);
        request.send().await.map_err(|error| classify(url, error))
    }
}

async fn within<T>(
    url: &Url,
    limits: Limits,
    work: impl Future<Output = Result<T, OutboundError>>,
) -> Result<T, OutboundError> {
    timeout(limits.timeout, work).await.map_err(|_| OutboundError::timeout(url))?
}

/// The statuses that ask to look elsewhere ([RFC 9110, 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)).
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect points.
pub(crate) fn location(url: &Url, headers: &HeaderMap) -> Result<Url, OutboundError> {
    headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|target| url.join(target).ok())
        .ok_or_else(|| OutboundError::malformed(url, "a redirect without a readable Location"))
}

/// Reads out of reqwest's error what happened; the guard's refusal of a name lies deep in its chain.
pub(crate) fn classify(url: &Url, error: reqwest::Error) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<ResolveError>() {
            return refusal.clone().at(url);
        }
        cause = error.source();
    }
    let (timed_out, unconnected) = (error.is_timeout(), error.is_connect());
    // Without its URL, whose query may be secret.
    let source = Arc::new(error.without_url());
    match (timed_out, unconnected) {
        (true, _) => OutboundError::timeout(url),
        (_, true) => OutboundError::Connect { url: shown(url), source },
        _ => OutboundError::Broken { url: shown(url), source },
    }
}
