//! Where blobs are, remembered for those that anyone may have: presigned URLs, for less than they are good for.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, Utc};
use outbound::Caller;
use store::freshness::{Cache, Key, Moment};
use types::{Did, Digest};
use url::Url;

use crate::{
    Registry,
    errors::Result,
    flights::Together,
    holds::Hold,
    owners::Account,
    private::{self, Asker},
};

/// The most addresses that are remembered.
pub(crate) const LOCATED: u64 = 20_000;
/// What is left of its life when an address is forgotten: who gets it last has time to use it. One that says nothing is good for
/// twice as long at least.
const RESERVE: Duration = Duration::from_secs(60);
/// However long it says that it is good for.
const MOST: Duration = Duration::from_secs(3600);

/// A hold, whose blob, and which.
type Asked = (String, Did, Digest);

/// The addresses that were found.
pub(crate) struct Locations {
    known: Cache<Asked, (Url, Instant)>,
    under_way: Together<Asked, Option<Url>>,
}

/// Where the bytes are.
pub(crate) struct Place {
    pub url: Url,
    /// It was not asked for now, and may have become stale.
    pub is_remembered: bool,
    /// It is for whoever asks.
    pub is_public: bool,
}

impl Locations {
    pub fn new(known: Cache<Asked, (Url, Instant)>) -> Self {
        Self { known, under_way: Together::new() }
    }
}

/// A blob that a client looks for.
pub(crate) struct Search<'a> {
    pub registry: &'a Registry,
    pub hold: &'a Hold,
    pub account: &'a Account,
    pub digest: &'a Digest,
    /// A moment before the hold was read.
    pub since: Moment,
    pub asker: Asker<'a>,
}

impl Search<'_> {
    /// Where it is, as was said a while ago if anyone may have it.
    pub async fn place(&self) -> Result<Place> {
        let known = &self.registry.locations.known;
        if !self.hold.is_public() {
            return self.ask().await;
        }
        match known.get(&self.asked()).filter(|(_, until)| Instant::now() < *until) {
            Some((url, _)) => Ok(Place { url, is_remembered: true, is_public: true }),
            None => self.ask().await,
        }
    }

    /// Where it is now: for anyone, or for this reader. What a reader alone may have is remembered nowhere.
    pub async fn ask(&self) -> Result<Place> {
        let found = if self.hold.is_private() { None } else { self.ask_for_anyone().await? };
        if let Some(url) = found {
            return Ok(Place { url, is_remembered: false, is_public: self.hold.is_public() });
        }
        // Boxed, as all that is rare and large.
        let asking = private::locate(self.registry, self.hold, self.account, self.digest, &self.asker);
        Ok(Place { url: Box::pin(asking).await?, is_remembered: false, is_public: false })
    }

    /// `None` when the hold does not serve it to anyone. Those who ask for the same of a public hold ask once.
    async fn ask_for_anyone(&self) -> Result<Option<Url>> {
        let (hold, account) = (self.hold, self.account);
        let asking = Box::pin(hold.ask(self.registry, &hold.target, Caller::Nobody, account, self.digest));
        let Some(did) = hold.did().filter(|_| hold.is_public()) else { return asking.await };
        let Locations { known, under_way } = &self.registry.locations;
        let found = under_way.run(self.asked(), asking).await?;
        if let Some(url) = &found
            && let Some(life) = remembered_for(url, Utc::now())
        {
            let keys = vec![Key::of(&format!("captain:{did}")), Key::of(&format!("did:{did}"))];
            known.put(self.asked(), (url.clone(), Instant::now() + life), self.since, keys);
        }
        Ok(found)
    }

    fn asked(&self) -> Asked {
        (self.hold.name().to_owned(), self.account.did.clone(), self.digest.clone())
    }
}

/// For how long an address is given out: two thirds of what it says that it has left
/// ([presigned URLs](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)), and never in its last minute.
fn remembered_for(url: &Url, now: DateTime<Utc>) -> Option<Duration> {
    let find = |name: &str| url.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let number = |name: &str| find(name)?.parse::<i64>().ok();
    let signed = |prefix: &str| {
        let date = NaiveDateTime::parse_from_str(&find(&format!("X-{prefix}-Date"))?, "%Y%m%dT%H%M%SZ").ok()?;
        let seconds = number(&format!("X-{prefix}-Expires"))?;
        // By another clock than ours it cannot have been signed later than now.
        let left = date.and_utc().checked_add_signed(chrono::TimeDelta::try_seconds(seconds)?)? - now;
        Some(left.num_seconds().min(seconds))
    };
    let left =
        signed("Amz").or_else(|| signed("Goog")).or_else(|| Some(number("Expires")?.saturating_sub(now.timestamp())));
    let Some(left) = left else { return Some(RESERVE) };
    let left = Duration::from_secs(u64::try_from(left).ok()?);
    let life = (left * 2 / 3).min(left.checked_sub(RESERVE)?).min(MOST);
    (life > Duration::ZERO).then_some(life)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, Utc};

    use super::remembered_for;

    #[test]
    fn for_less_than_it_is_good_for() {
        let now: DateTime<Utc> = "2026-01-10T12:05:00Z".parse().unwrap();
        for (query, seconds) in [
            ("", Some(60)),
            ("X-Amz-Signature=x", Some(60)),
            ("X-Amz-Date=20260110T120500Z&X-Amz-Expires=900&X-Amz-Signature=x", Some(600)),
            ("x-amz-expires=900&x-amz-date=20260110T120000Z", Some(400)),
            ("X-Goog-Date=20260110T120500Z&X-Goog-Expires=900", Some(600)),
            // A clock that is ahead of ours.
            ("X-Amz-Date=20260110T130000Z&X-Amz-Expires=900", Some(600)),
            ("X-Amz-Date=20260110T120500Z&X-Amz-Expires=100", Some(40)),
            ("X-Amz-Date=20260110T120500Z&X-Amz-Expires=604800", Some(3600)),
            ("X-Amz-Date=20260110T120500Z&X-Amz-Expires=60", None),
            ("X-Amz-Date=20260110T110000Z&X-Amz-Expires=900", None),
            ("X-Amz-Date=20260110T120500Z&X-Amz-Expires=9223372036854775807", Some(60)),
            ("X-Amz-Date=yesterday&X-Amz-Expires=900", Some(60)),
            ("Expires=1768046700&Signature=x", None),
            ("Expires=1768047600&Signature=x", Some(600)),
        ] {
            let url = format!("https://bucket.example/x?{query}").parse().unwrap();
            assert_eq!(remembered_for(&url, now), seconds.map(Duration::from_secs), "{query}");
        }
    }
}
