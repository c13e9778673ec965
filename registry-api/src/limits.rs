//! How much one client may ask for: of us, and of others through us.

use std::{
    hash::{DefaultHasher, Hash, Hasher as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
};
use metrics::counter;
use moka::{policy::EvictionPolicy, sync::Cache};
use service::client::Client;
use url::Url;

use crate::{
    Registry,
    errors::{Code, OciError, Result, host},
};

/// The most clients that are counted; the one that was silent longest is forgotten first.
const CLIENTS: u64 = 100_000;
/// The most headers that a request may have, and bytes of them. What is much larger does not even arrive.
const HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 << 10;

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So often a second, for ever; 0: without limit.
    pub per_second: u32,
    /// So often at once, after a rest.
    pub burst: u32,
}

impl Rate {
    /// Without limit.
    pub const NONE: Self = Self { per_second: 0, burst: 0 };
}

/// How much clients may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one client, and with one token. This machine's own are not counted: behind a proxy that is not known as one
    /// everybody comes from here.
    pub requests: Rate,
    /// Look-ups on the network, of what the index lacks, for one client.
    pub lookups: Rate,
    /// Look-ups at one server, for all clients.
    pub per_server: Rate,
}

impl Limits {
    /// No limits at all.
    pub const NONE: Self = Self { requests: Rate::NONE, lookups: Rate::NONE, per_server: Rate::NONE };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: Rate { per_second: 100, burst: 1000 },
            lookups: Rate { per_second: 5, burst: 100 },
            per_server: Rate { per_second: 20, burst: 200 },
        }
    }
}

/// What was asked for lately.
pub(crate) struct Limiters {
    requests: Limiter<Who>,
    lookups: Limiter<Client>,
    per_server: Limiter<String>,
}

/// Who is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Client(Client),
    /// By its hash.
    Token(u64),
}

impl Limiters {
    pub fn new(limits: &Limits) -> Self {
        Self {
            requests: Limiter::new(limits.requests),
            lookups: Limiter::new(limits.lookups),
            per_server: Limiter::new(limits.per_server),
        }
    }

    fn request(&self, client: Client, headers: &HeaderMap) -> Result<()> {
        if client.is_local() {
            return Ok(());
        }
        let refused = |seconds| refused("requests", "you ask too often: slow down", seconds);
        self.requests.take(Who::Client(client)).map_err(refused)?;
        let Some(token) = headers.get(AUTHORIZATION) else { return Ok(()) };
        let mut hasher = DefaultHasher::new();
        token.as_bytes().hash(&mut hasher);
        self.requests.take(Who::Token(hasher.finish())).map_err(refused)
    }

    /// Something is about to be looked up for a client.
    pub fn lookup(&self, client: Client) -> Result<()> {
        let message = "you ask for too much that is not indexed yet: slow down";
        self.lookups.take(client).map_err(|seconds| refused("lookups", message, seconds))
    }

    /// Something is about to be looked up at a server.
    pub fn at_server(&self, server: &Url) -> Result<()> {
        let host = host(server);
        self.per_server.take(server.origin().ascii_serialization()).map_err(|seconds| {
            let message = format!("too much is being looked for at {host}: try again later");
            refused("server", &message, seconds)
        })
    }
}

fn refused(what: &'static str, message: &str, seconds: u64) -> OciError {
    counter!("crowsnest_limited_total", "what" => what).increment(1);
    OciError::new(Code::TooManyRequests, message).with_retry_after(seconds)
}

/// Lets a request in, or refuses it before anybody looks at what it asks for.
pub(crate) async fn admit(State(registry): State<Arc<Registry>>, request: Request) -> Result<Request> {
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS || bytes > HEADER_BYTES {
        let message = format!("at most {HEADERS} headers are read, and {HEADER_BYTES} bytes of them");
        return Err(OciError::new(Code::HeadersTooLarge, message));
    }
    let client = request.extensions().get::<Client>().copied().unwrap_or(Client::LOCAL);
    registry.limits.request(client, headers)?;
    Ok(request)
}

/// Counts by the generic cell rate algorithm: of each key it is known when all that it did would have been allowed one after
/// the other ([GCRA](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm)).
struct Limiter<K> {
    known: Option<Cache<K, Arc<AtomicU64>>>,
    began: Instant,
    /// Nanoseconds that each one takes, and that may be borrowed.
    step: u64,
    credit: u64,
}

impl<K: Hash + Eq + Send + Sync + 'static> Limiter<K> {
    fn new(Rate { per_second, burst }: Rate) -> Self {
        let step = 1_000_000_000 / u64::from(per_second.max(1));
        let credit = step * u64::from(burst.max(1));
        // Whoever rests until its credit is full is a stranger again.
        let rest = Duration::from_nanos(credit).max(Duration::from_secs(1));
        let cache = || {
            let cache = Cache::builder().max_capacity(CLIENTS).eviction_policy(EvictionPolicy::lru());
            cache.time_to_idle(rest).build()
        };
        Self { known: (per_second > 0).then(cache), began: Instant::now(), step, credit }
    }

    /// Takes one, or tells after how many seconds there is one.
    fn take(&self, key: K) -> std::result::Result<(), u64> {
        self.take_at(key, self.began.elapsed().as_nanos() as u64)
    }

    fn take_at(&self, key: K, now: u64) -> std::result::Result<(), u64> {
        let Some(known) = &self.known else { return Ok(()) };
        let done = known.get_with(key, Arc::default);
        let taken = done.fetch_update(Ordering::AcqRel, Ordering::Acquire, |done| {
            let next = done.max(now) + self.step;
            (next <= now + self.credit).then_some(next)
        });
        let wait = |done: u64| (done.max(now) + self.step).saturating_sub(now + self.credit);
        taken.map(drop).map_err(|done| wait(done).div_ceil(1_000_000_000).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::{Limiter, Rate};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_and_then_its_rate() {
        let limiter = Limiter::new(Rate { per_second: 2, burst: 3 });
        let take = |who, millis: u64| limiter.take_at(who, 10 * SECOND + millis * 1_000_000);
        assert_eq!([(); 4].map(|()| take("a", 0)), [Ok(()), Ok(()), Ok(()), Err(1)]);
        assert_eq!(take("b", 0), Ok(()), "others have their own");
        assert_eq!([take("a", 499), take("a", 500), take("a", 501)], [Err(1), Ok(()), Err(1)]);
        assert_eq!([(); 4].map(|()| take("a", 60_000)), [Ok(()), Ok(()), Ok(()), Err(1)], "credit is bounded");
    }

    #[test]
    fn the_wait_is_told_in_whole_seconds() {
        let limiter = Limiter::new(Rate { per_second: 1, burst: 1 });
        assert_eq!(
            [limiter.take_at("a", 0), limiter.take_at("a", 0), limiter.take_at("a", SECOND / 2)],
            [Ok(()), Err(1), Err(1)]
        );
        let off = Limiter::new(Rate::NONE);
        assert!((0..1000).all(|_| off.take("a").is_ok()));
    }
}
