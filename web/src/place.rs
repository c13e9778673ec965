//! Places in the list of the newest repositories, as addresses and streams carry them: `{microseconds}/{DID}/{name}`, the
//! name percent-encoded.

use chrono::DateTime;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use store::queries::Place;
use types::Did;

use crate::error::WebError;

/// Longer ones are none of ours.
const LONGEST: usize = 4_000;

/// Writes a place.
pub fn write(place: &Place) -> String {
    let name = utf8_percent_encode(&place.name, NON_ALPHANUMERIC);
    format!("{}/{}/{name}", place.at.timestamp_micros(), place.did)
}

/// Reads a place; `None` of nothing.
///
/// # Errors
/// [`WebError::BadRequest`] when it is not one of ours.
pub fn read(text: &str) -> Result<Option<Place>, WebError> {
    if text.is_empty() {
        return Ok(None);
    }
    let parse = || {
        let (micros, rest) = text.split_once('/')?;
        let (did, name) = rest.split_once('/')?;
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        let did: Did = did.parse().ok()?;
        let name = percent_decode_str(name).decode_utf8().ok()?.into_owned();
        (!name.contains('\0')).then(|| Place { at, did: did.as_str().to_owned(), name })
    };
    match parse() {
        // Postgres knows fewer years than we do.
        Some(place) if text.len() <= LONGEST && (1..=294_000).contains(&chrono::Datelike::year(&place.at)) => {
            Ok(Some(place))
        }
        _ => Err(WebError::BadRequest("This page's address is broken: its cursor is not one of ours.".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use store::queries::Place;

    use super::{read, write};

    #[test]
    fn places_survive_the_way_there_and_back() {
        for name in ["app", "team/app", "a b?c#d%e\n", "ünï/<b>"] {
            let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
            let place = Place { at, did: "did:web:a.example%3A80".into(), name: name.into() };
            let text = write(&place);
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            assert_eq!(read(&text).unwrap(), Some(place));
        }
    }

    #[test]
    fn broken_places_are_refused() {
        assert_eq!(read("").unwrap(), None);
        let long = format!("1/did:plc:a/{}", "a".repeat(5_000));
        for text in [
            "x",
            "1",
            "1/did:plc:a",
            "x/did:plc:a/b",
            "1/nobody/b",
            "1/did:plc:a/%00",
            "9223372036854775807/did:plc:a/b",
            &long,
        ] {
            assert!(read(text).is_err(), "{text:.60}");
        }
    }
}
