use std::str::FromStr;

use ::cid::Cid;
use bytes::Bytes;
use ipld_core::ipld::Ipld;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// A DAG-CBOR block and its CID.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) cid: Cid,
    pub(crate) bytes: Bytes,
}

impl Block {
    /// Encodes canonically and hashes.
    pub(crate) fn encode(value: &Ipld) -> Result<Self> {
        let bytes = serde_ipld_dagcbor::to_vec(value).map_err(|error| Error::Encode(error.to_string()))?;
        Ok(Self { cid: types::Cid::of_block(&bytes).inner(), bytes: bytes.into() })
    }
}

/// A record's JSON in the AT Protocol's data model: `$link` objects become links, `$bytes` become bytes, floats are
/// refused (<https://atproto.com/specs/data-model#json-representation>).
pub(crate) fn to_ipld(value: &Value) -> Result<Ipld> {
    let invalid = |why| Error::refused("InvalidRecord", why);
    Ok(match value {
        Value::Null => Ipld::Null,
        Value::Bool(bool) => Ipld::Bool(*bool),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Ipld::Integer(integer.into()),
            (None, Some(integer)) => Ipld::Integer(integer.into()),
            (None, None) => return Err(invalid("floats are not allowed")),
        },
        Value::String(string) => Ipld::String(string.clone()),
        Value::Array(items) => Ipld::List(items.iter().map(to_ipld).collect::<Result<_>>()?),
        Value::Object(map) if map.contains_key("$link") => {
            let link = sole(map, "$link").and_then(|text| Cid::from_str(text).ok());
            Ipld::Link(link.ok_or_else(|| invalid("odd $link object"))?)
        }
        Value::Object(map) if map.contains_key("$bytes") => {
            let bytes = sole(map, "$bytes")
                .and_then(|text| data_encoding::BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok());
            Ipld::Bytes(bytes.ok_or_else(|| invalid("odd $bytes object"))?)
        }
        Value::Object(map) => {
            Ipld::Map(map.iter().map(|(key, value)| Ok((key.clone(), to_ipld(value)?))).collect::<Result<_>>()?)
        }
    })
}

fn sole<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).filter(|_| map.len() == 1).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::{Block, to_ipld};

    #[test]
    fn same_cid_as_the_index_computes() {
        let blob = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
        for record in [
            serde_json::json!({}),
            serde_json::json!({"$type": "x", "n": [1, -1, null, true], "ref": {"$link": blob}}),
            serde_json::json!({"bb": {"$bytes": "aGk"}, "a": {"é": u64::MAX}}),
        ] {
            let block = Block::encode(&to_ipld(&record).unwrap()).unwrap();
            assert_eq!(block.cid, types::record_cid(&record).unwrap().inner(), "{record}");
        }
        assert!(to_ipld(&serde_json::json!({"x": 1.5})).is_err());
    }
}
