use std::io;

use axum::body::Body;
use bytes::Bytes;
use metrics::counter;
use outbound::{OutboundError, Streamed};
use tokio::sync::OwnedSemaphorePermit;
use types::DigestCheck;

/// Why a blob ends before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    /// Whoever has it stopped.
    #[error(transparent)]
    Source(#[from] OutboundError),
    /// Fewer bytes than the manifest says.
    #[error("it ended {0} bytes early")]
    Short(u64),
    /// All of them are there, and hash to something else.
    #[error("its bytes do not hash to its digest")]
    OtherBytes,
}

/// A blob on its way through this server.
pub(super) struct Passage {
    pub source: Streamed,
    /// Bytes before those that are wanted.
    pub skip: u64,
    /// Bytes that are still to come.
    pub left: u64,
    /// Set when all bytes pass here: only then can they be compared with the digest.
    pub check: Option<DigestCheck>,
    /// What goes out only when it is known that more follows, or that all was right: nobody takes for whole what is not.
    held: Option<Bytes>,
    ending: Ending,
    _permit: OwnedSemaphorePermit,
}

impl Passage {
    pub fn new(
        source: Streamed,
        skip: u64,
        left: u64,
        check: Option<DigestCheck>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { source, skip, left, check, held: None, ending: Ending("abandoned"), _permit: permit }
    }

    /// The next bytes, `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        let passed = self.pass().await;
        match &passed {
            Ok(Some(bytes)) => counter!("crowsnest_proxied_bytes_total").increment(bytes.len() as u64),
            Ok(None) => self.ending.0 = "complete",
            Err(Cut::OtherBytes) => self.ending.0 = "other_bytes",
            Err(_) => self.ending.0 = "broken",
        }
        passed
    }

    async fn pass(&mut self) -> Result<Option<Bytes>, Cut> {
        while self.left > 0 {
            let mut chunk = self.source.chunk().await?.ok_or(Cut::Short(self.left))?;
            if let Some(check) = &mut self.check {
                check.update(&chunk);
            }
            let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(chunk.len());
            self.skip -= skipped as u64;
            let mut chunk = chunk.split_off(skipped);
            chunk.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= chunk.len() as u64;
            if !chunk.is_empty()
                && let Some(ready) = self.held.replace(chunk)
            {
                return Ok(Some(ready));
            }
        }
        if self.check.take().is_some_and(|check| !check.holds()) {
            return Err(Cut::OtherBytes);
        }
        Ok(self.held.take())
    }

    /// All of it, for what is small.
    pub async fn collect(mut self) -> Result<Bytes, Cut> {
        let mut bytes = bytes::BytesMut::new();
        while let Some(chunk) = self.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// As a body. A cut breaks the connection, so that the client sees that it does not have all; `told` hears why.
    pub fn into_body(self, told: impl Fn(&Cut) + Send + Sync + 'static) -> Body {
        Body::from_stream(futures::stream::try_unfold((self, told), |(mut this, told)| async move {
            match this.next().await {
                Ok(chunk) => Ok(chunk.map(|chunk| (chunk, (this, told)))),
                Err(cut) => {
                    told(&cut);
                    Err(io::Error::other(cut))
                }
            }
        }))
    }
}

/// How it ended, counted when it did; a client that goes away just drops it.
struct Ending(&'static str);

impl Drop for Ending {
    fn drop(&mut self) {
        counter!("crowsnest_proxied_blobs_total", "result" => self.0).increment(1);
    }
}
