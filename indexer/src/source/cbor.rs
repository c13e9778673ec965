//! DAG-CBOR ([specification](https://ipld.io/specs/codecs/dag-cbor/spec/)): the one place where bytes from a stream are
//! parsed as CBOR. Nothing is nested deeper than 128; sizes are capped by the frame, and by [`MAX_BLOCK`].

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ipld_core::ipld::Ipld;
use serde::{
    Deserialize,
    de::{Deserializer, Error, Visitor},
};
use serde_cbor::{Value, tags::current_cbor_tag};
use types::records::MAX_VALUES;

/// The largest record ([data model](https://atproto.com/specs/data-model)).
pub const MAX_BLOCK: usize = 1 << 20;

/// The tag of a link, and the byte that precedes its CID.
const LINK: u64 = 42;
const LINK_PREFIX: u8 = 0;

/// Why bytes are not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Not CBOR.
    #[error("not CBOR: {0}")]
    Syntax(String),
    /// CBOR of another shape.
    #[error("{0}")]
    Shape(String),
}

impl From<serde_cbor::Error> for CborError {
    fn from(error: serde_cbor::Error) -> Self {
        if error.is_data() { Self::Shape(error.to_string()) } else { Self::Syntax(error.to_string()) }
    }
}

/// Reads the first item of some bytes, and returns what follows it.
///
/// # Errors
/// Any [`CborError`].
pub fn first<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), CborError> {
    let mut deserializer = serde_cbor::Deserializer::from_slice(bytes).disable_packed_format().disable_legacy_enums();
    let item = T::deserialize(&mut deserializer)?;
    let rest = bytes.get(deserializer.byte_offset()..).unwrap_or_default();
    Ok((item, rest))
}

/// Reads bytes that are one item.
///
/// # Errors
/// Any [`CborError`].
pub fn only<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CborError> {
    match first(bytes)? {
        (item, []) => Ok(item),
        (_, rest) => Err(CborError::Syntax(format!("{} bytes follow", rest.len()))),
    }
}

/// A link: the binary CID under tag 42, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a>(pub &'a [u8]);

impl<'de: 'a, 'a> Deserialize<'de> for Link<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tagged;
        impl<'de> Visitor<'de> for Tagged {
            type Value = Link<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a link")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Link<'de>, D::Error> {
                if current_cbor_tag() != Some(LINK) {
                    return Err(D::Error::custom("a tag other than 42"));
                }
                match <&'de [u8]>::deserialize(deserializer)? {
                    [LINK_PREFIX, cid @ ..] => Ok(Link(cid)),
                    _ => Err(D::Error::custom("a link without its prefix")),
                }
            }
        }
        deserializer.deserialize_any(Tagged)
    }
}

/// A record's block as JSON ([mapping](https://atproto.com/specs/data-model#json-representation)).
///
/// # Errors
/// When the block is not canonical DAG-CBOR, or holds what JSON cannot.
pub fn block_to_json(block: &[u8]) -> Result<Vec<u8>, CborError> {
    if block.len() > MAX_BLOCK {
        return Err(CborError::Shape(format!("{} bytes are more than a record may have", block.len())));
    }
    let ipld = ipld(block)?;
    // The parser takes more than is canonical; the maintained codec writes nothing else.
    let canonical = serde_ipld_dagcbor::to_vec(&ipld).map_err(|error| CborError::Shape(error.to_string()))?;
    if canonical != block {
        return Err(CborError::Syntax("not canonical DAG-CBOR".into()));
    }
    serde_json::to_vec(&to_json(ipld)?).map_err(|error| CborError::Shape(error.to_string()))
}

/// What a block holds, canonical or not.
pub(crate) fn ipld(block: &[u8]) -> Result<Ipld, CborError> {
    if !is_bounded(block) {
        return Err(CborError::Shape(format!("more than {MAX_VALUES} values")));
    }
    to_ipld(only(block)?)
}

/// Whether a block holds no more items than a record may hold values, and does not claim to: parsed, an item of a byte takes
/// a hundred, and each list within a list has memory set aside for as many items as it says. Told by the items' heads.
pub(crate) fn is_bounded(mut block: &[u8]) -> bool {
    let mut claimed = 0u64;
    for _ in 0..MAX_VALUES {
        let Some((head, rest)) = block.split_first() else { return true };
        // What is malformed ends here, and is for the parser to refuse.
        let argument = match head & 31 {
            short @ 0..24 => Some((u64::from(short), rest)),
            long @ 24..28 => rest
                .split_at_checked(1 << (long - 24))
                .map(|(number, rest)| (number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)), rest)),
            _ => Some((0, rest)),
        };
        let Some((argument, rest)) = argument else { return true };
        let (text, items) = match head >> 5 {
            2 | 3 => (argument, 0),
            4 => (0, argument),
            5 => (0, argument.saturating_mul(2)),
            _ => (0, 0),
        };
        claimed = claimed.saturating_add(items);
        if claimed > MAX_VALUES as u64 {
            return false;
        }
        let Some(rest) = usize::try_from(text).ok().and_then(|text| rest.get(text..)) else { return true };
        block = rest;
    }
    block.is_empty()
}

fn to_ipld(value: Value) -> Result<Ipld, CborError> {
    let shape = |why: &str| CborError::Shape(why.to_owned());
    Ok(match value {
        Value::Null => Ipld::Null,
        Value::Bool(b) => Ipld::Bool(b),
        Value::Integer(i) => Ipld::Integer(i),
        Value::Float(f) => Ipld::Float(f),
        Value::Bytes(bytes) => Ipld::Bytes(bytes),
        Value::Text(text) => Ipld::String(text),
        Value::Array(items) => Ipld::List(items.into_iter().map(to_ipld).collect::<Result<_, _>>()?),
        Value::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| match key {
                Value::Text(key) => Ok((key, to_ipld(value)?)),
                _ => Err(shape("a key that is no text")),
            });
            Ipld::Map(entries.collect::<Result<BTreeMap<_, _>, _>>()?)
        }
        Value::Tag(LINK, link) => match *link {
            Value::Bytes(bytes) if bytes.first() == Some(&LINK_PREFIX) => {
                Ipld::Link(cid::Cid::try_from(&bytes[1..]).map_err(|error| CborError::Shape(error.to_string()))?)
            }
            _ => return Err(shape("an odd link")),
        },
        _ => return Err(shape("a tag that DAG-CBOR does not have")),
    })
}

fn to_json(ipld: Ipld) -> Result<serde_json::Value, CborError> {
    use serde_json::Value as Json;
    let shape = |why: &str| CborError::Shape(why.to_owned());
    Ok(match ipld {
        Ipld::Null => Json::Null,
        Ipld::Bool(b) => Json::Bool(b),
        Ipld::Integer(i) => match (i64::try_from(i), u64::try_from(i)) {
            (Ok(i), _) => i.into(),
            (_, Ok(u)) => u.into(),
            _ => return Err(shape("an integer of more than 64 bits")),
        },
        Ipld::Float(f) => serde_json::Number::from_f64(f).ok_or_else(|| shape("a float that is no number"))?.into(),
        Ipld::String(text) => Json::String(text),
        Ipld::Bytes(bytes) => serde_json::json!({ "$bytes": STANDARD_NO_PAD.encode(bytes) }),
        Ipld::Link(cid) => serde_json::json!({ "$link": cid.to_string() }),
        Ipld::List(items) => Json::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?),
        Ipld::Map(entries) => Json::Object(
            entries.into_iter().map(|(key, value)| Ok((key, to_json(value)?))).collect::<Result<_, CborError>>()?,
        ),
    })
}

#[cfg(test)]
#[path = "cbor_tests.rs"]
mod tests;
