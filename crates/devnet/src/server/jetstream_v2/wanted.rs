//! What a subscriber asks for.

use tokio_tungstenite::tungstenite::Message;
use types::Did;

use super::frame;
use crate::{
    network::{Event, EventKind},
    server::xrpc::XrpcError,
};

/// The kinds of events that can be asked for.
const KINDS: [&str; 4] = ["commit", "identity", "account", "sync"];
/// The parameters of version 1.
const OLD_NAMES: [&str; 4] = ["wantedCollections", "wantedDids", "compress", "requireHello"];

#[derive(Debug, Default)]
pub(super) struct Wanted {
    kinds: Vec<String>,
    collections: Vec<String>,
    dids: Vec<Did>,
    /// A number, which is included, or microseconds since 1970.
    pub(super) cursor: Option<u64>,
    max_message_size: Option<usize>,
    /// The dictionary by which frames are compressed.
    pub(super) dictionary: Option<u32>,
}

impl Wanted {
    pub(super) fn parse(query: &str) -> Result<Self, XrpcError> {
        let mut wanted = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let invalid = || XrpcError::invalid(format!("{name} may not be {value:?}"));
            match &*name {
                "kinds" if KINDS.contains(&&*value) => wanted.kinds.push(value.into_owned()),
                "kinds" => return Err(invalid()),
                "collections" => wanted.collections.push(value.into_owned()),
                "dids" => wanted.dids.push(value.parse().map_err(|_| invalid())?),
                "cursor" => wanted.cursor = Some(value.parse().map_err(|_| invalid())?),
                "maxMessageSizeBytes" => {
                    let size: u32 = value.parse().map_err(|_| invalid())?;
                    wanted.max_message_size = usize::try_from(size).ok().filter(|size| *size > 0);
                }
                "zstdDictionary" => wanted.dictionary = Some(value.parse().map_err(|_| invalid())?),
                old if OLD_NAMES.contains(&old) => {
                    return Err(XrpcError::invalid(format!("{old} is a parameter of version 1")));
                }
                _ => {}
            }
        }
        if wanted.collections.len() > 100 || wanted.dids.len() > 10_000 {
            return Err(XrpcError::invalid("at most 100 collections and 10000 DIDs"));
        }
        if !wanted.collections.is_empty() && !wanted.kind("commit") {
            return Err(XrpcError::invalid("collections without commits"));
        }
        Ok(wanted)
    }

    fn kind(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind)
    }

    pub(super) fn render(&self, event: &Event) -> Vec<Message> {
        if let EventKind::Raw { text } = &event.kind {
            return text.iter().map(|text| Message::text(text.as_str())).collect();
        }
        if !self.dids.is_empty() && !self.dids.contains(&event.did) {
            return Vec::new();
        }
        event
            .jetstream_v2()
            .into_iter()
            .filter(|(number, kind, collection, _)| {
                self.cursor.is_none_or(|cursor| cursor >= super::TIMES || *number >= cursor)
                    && self.kind(kind)
                    && collection.is_none_or(|name| is_wanted(&self.collections, name))
            })
            .map(|(.., payload)| frame(payload))
            .filter(|text| self.max_message_size.is_none_or(|most| text.len() <= most))
            .map(Message::text)
            .collect()
    }
}

/// Whether a collection is asked for, by name or by prefix; everything is if nothing is.
pub(in crate::server) fn is_wanted(wanted: &[String], collection: &str) -> bool {
    let matches = |wanted: &String| match wanted.strip_suffix('*') {
        Some(prefix) => prefix.ends_with('.') && collection.starts_with(prefix),
        None => wanted == collection,
    };
    wanted.is_empty() || wanted.iter().any(matches)
}

#[cfg(test)]
mod tests {
    use super::{Wanted, is_wanted};

    #[test]
    fn parameters() {
        let wanted = Wanted::parse("collections=io.atcr.*&collections=a.b.c&cursor=17&kinds=commit").unwrap();
        assert!(wanted.kind("commit") && !wanted.kind("sync"));
        assert_eq!((wanted.cursor, wanted.dictionary), (Some(17), None));
        for refused in [
            "wantedCollections=io.atcr.*",
            "wantedDids=did:plc:a",
            "compress=true",
            "requireHello=true",
            "cursor=x",
            "cursor=-1",
            "dids=alice.test",
            "kinds=label",
            "kinds=sync&collections=io.atcr.*",
            "maxMessageSizeBytes=-1",
        ] {
            Wanted::parse(refused).unwrap_err();
        }
        Wanted::parse(&"collections=a.b.c&".repeat(100)).unwrap();
        Wanted::parse(&"collections=a.b.c&".repeat(101)).unwrap_err();
    }

    #[test]
    fn collections_by_name_and_prefix() {
        let wanted = ["io.atcr.*".to_owned(), "a.b.c".to_owned()];
        for (collection, expected) in [
            ("io.atcr.tag", true),
            ("io.atcr.hold.captain", true),
            ("a.b.c", true),
            ("a.b.c.d", false),
            ("io.atcrx.tag", false),
        ] {
            assert_eq!(is_wanted(&wanted, collection), expected, "{collection}");
        }
        assert!(is_wanted(&[], "anything"));
    }
}
