//! A zstd dictionary of a Jetstream's own frames.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde_json::json;

use super::frame;
use crate::{Error, server::xrpc::XrpcError};

/// The largest dictionary; the public one is as large.
const SIZE: usize = 64 << 10;
const LEVEL: i32 = 3;

/// A dictionary and its number.
pub(super) struct Dictionary {
    pub(super) id: u32,
    pub(super) bytes: Bytes,
}

/// Compresses the frames of one subscription.
pub(super) struct Compressor(Mutex<zstd::bulk::Compressor<'static>>);

impl Dictionary {
    /// Trains one on frames; a network without any gets one all the same.
    pub(super) fn train(frames: impl Iterator<Item = String>) -> Result<Self, XrpcError> {
        let made_up = (0..500).map(|n| {
            let did = format!("did:plc:{:024}", n * 7_919);
            let account = json!({"active": n % 9 != 0, "did": did, "seq": n, "time": "2026-01-01T00:00:00.000Z"});
            frame(json!({"$type": "network.bsky.jetstream.subscribeEvents#account", "seq": n * 31, "did": did,
                "time": "2026-01-01T00:00:00.000000Z", "account": account}))
        });
        let samples: Vec<String> = frames.chain(made_up).collect();
        let bytes = zstd::dict::from_samples(&samples, SIZE).map_err(failed)?;
        // The number is the four bytes behind the magic number (RFC 8878 section 5).
        let id = bytes.get(4..8).and_then(|id| id.try_into().ok()).map(u32::from_le_bytes).unwrap_or_default();
        Ok(Self { id, bytes: bytes.into() })
    }

    /// Compresses by this dictionary, if it is the one that is asked for.
    pub(super) fn compressor(&self, id: u32) -> Result<Compressor, XrpcError> {
        if id != self.id {
            return Err(XrpcError::bad("UnknownZstdDictionary", format!("the dictionary is {}", self.id)));
        }
        let compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, &self.bytes).map_err(failed)?;
        Ok(Compressor(Mutex::new(compressor)))
    }
}

impl Compressor {
    /// One frame of zstd.
    pub(super) fn compress(&self, text: &[u8]) -> Vec<u8> {
        let mut compressor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It fails only for want of memory; an empty message shows as a broken stream.
        compressor.compress(text).unwrap_or_default()
    }
}

fn failed(error: std::io::Error) -> XrpcError {
    Error::Encode(error.to_string()).into()
}
