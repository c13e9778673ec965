//! Compressed frames of Jetstream v2: each is one frame of zstd, packed by a dictionary that the server gives out.

use outbound::{Limits, Outbound, OutboundError};
use url::Url;
use zstd::{bulk::Decompressor, zstd_safe::get_frame_content_size};

use super::jetstream_v2::MAX_FRAME;
use crate::event::FrameError;

/// The largest dictionary that we take; the public one has 64 KiB.
const MAX_DICTIONARY: u64 = 1 << 20;
/// What a dictionary begins with ([RFC 8878, section 5](https://www.rfc-editor.org/rfc/rfc8878#section-5)).
const MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// A buffer that a large frame left is kept up to this size.
const KEPT: usize = 1 << 20;

/// Unpacks the frames of a stream.
pub struct Inflater {
    /// The dictionary's number.
    pub id: u32,
    decompressor: Decompressor<'static>,
    text: Vec<u8>,
}

/// Why there is no dictionary.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// It was not served.
    #[error("it is not served")]
    Fetch(#[from] OutboundError),
    /// It is none.
    #[error("it is no dictionary")]
    Malformed,
}

impl Inflater {
    /// Fetches the dictionary of the server that a stream comes from.
    ///
    /// # Errors
    /// Any [`DictionaryError`].
    pub async fn of(source: &Url, outbound: &Outbound) -> Result<Self, DictionaryError> {
        let mut url = source.clone();
        url.set_path(&source.path().replace("subscribeEvents", "getZstdDictionary"));
        let scheme = if source.scheme() == "wss" { "https" } else { "http" };
        url.set_scheme(scheme).map_err(|()| DictionaryError::Malformed)?;
        let fetched = outbound.get(&url, Limits::SMALL.with_max_bytes(MAX_DICTIONARY)).await?;
        Self::new(&fetched.body)
    }

    /// By a dictionary that was fetched.
    ///
    /// # Errors
    /// [`DictionaryError::Malformed`].
    pub fn new(dictionary: &[u8]) -> Result<Self, DictionaryError> {
        let id = match dictionary.split_at_checked(8) {
            Some((&[a, b, c, d, ref id @ ..], _)) if [a, b, c, d] == MAGIC => id.try_into().map(u32::from_le_bytes),
            _ => return Err(DictionaryError::Malformed),
        };
        let id = id.ok().filter(|id| *id > 0).ok_or(DictionaryError::Malformed)?;
        let decompressor = Decompressor::with_dictionary(dictionary).map_err(|_| DictionaryError::Malformed)?;
        Ok(Self { id, decompressor, text: Vec::new() })
    }

    /// The text of a frame, which is no larger than one that is not compressed may be.
    ///
    /// # Errors
    /// [`FrameError::Broken`].
    pub fn text(&mut self, frame: &[u8]) -> Result<&str, FrameError> {
        let broken = |why: String| FrameError::Broken(why);
        let size = match get_frame_content_size(frame) {
            Ok(Some(size)) => usize::try_from(size).unwrap_or(usize::MAX),
            Ok(None) => MAX_FRAME,
            Err(_) => return Err(broken("it does not begin as zstd does".into())),
        };
        if size > MAX_FRAME {
            return Err(broken(format!("it would unpack to {size} bytes")));
        }
        self.text.clear();
        self.text.shrink_to(KEPT);
        self.text.reserve(size);
        self.decompressor.decompress_to_buffer(frame, &mut self.text).map_err(|error| broken(error.to_string()))?;
        std::str::from_utf8(&self.text).map_err(|error| broken(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::{DictionaryError, Inflater, MAX_FRAME};

    fn dictionary() -> Vec<u8> {
        let samples: Vec<String> =
            (0..500).map(|n| format!(r#"{{"seq":{n},"did":"did:plc:{:024}"}}"#, n * 31)).collect();
        zstd::dict::from_samples(&samples, 4 << 10).unwrap()
    }

    #[test]
    fn unpacks_what_was_packed_and_no_more_than_a_frame() {
        let dictionary = dictionary();
        let mut pack = zstd::bulk::Compressor::with_dictionary(3, &dictionary).unwrap();
        let mut inflater = Inflater::new(&dictionary).unwrap();
        for text in ["", r#"{"seq":7}"#, &"é".repeat(1_000_000), r#"{"seq":8}"#] {
            assert_eq!(inflater.text(&pack.compress(text.as_bytes()).unwrap()).unwrap(), text);
        }
        // A few hundred bytes that would be many.
        inflater.text(&pack.compress(&vec![b'x'; MAX_FRAME + 1]).unwrap()).unwrap_err();
        let endless = zstd::stream::encode_all(std::io::repeat(b'x').take(1 << 28), 3).unwrap();
        inflater.text(&endless).unwrap_err();
        assert!(inflater.text.capacity() <= MAX_FRAME);
        inflater.text(&pack.compress(b"\xff").unwrap()).unwrap_err();
        inflater.text(b"{}").unwrap_err();
        inflater.text(b"").unwrap_err();
        let whole = pack.compress(b"the whole of it").unwrap();
        inflater.text(&whole[..whole.len() - 1]).unwrap_err();
        assert_eq!(inflater.text(&whole).unwrap(), "the whole of it");
    }

    #[test]
    fn a_dictionary_has_a_number() {
        for other in [&b""[..], b"<html>", b"\x37\xa4\x30\xec", b"\x37\xa4\x30\xec\0\0\0\0"] {
            assert!(matches!(Inflater::new(other), Err(DictionaryError::Malformed)));
        }
    }
}
