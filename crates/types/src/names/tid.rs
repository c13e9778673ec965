use std::str::FromStr;

use super::NameError;

const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// A timestamp identifier: 53 bits of microseconds and 10 bits of clock id, in 13 sortable characters
/// ([specification](https://atproto.com/specs/tid)). A repository's `rev` is one. Orders as its text does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tid(u64);

impl FromStr for Tid {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let err = |why| NameError::new("TID", s, why);
        if s.len() != 13 {
            return Err(err("not 13 characters"));
        }
        if !matches!(s.as_bytes().first(), Some(b'2'..=b'7' | b'a'..=b'j')) {
            return Err(err("the first character is not one of 2-7 a-j"));
        }
        s.bytes()
            .try_fold(0u64, |value, byte| {
                let digit = ALPHABET.iter().position(|a| *a == byte)? as u64;
                Some(value << 5 | digit)
            })
            .map(Self)
            .ok_or_else(|| err("only 2-7 and a-z are allowed"))
    }
}

impl std::fmt::Display for Tid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for shift in (0..13).rev() {
            let digit = (self.0 >> (shift * 5)) & 31;
            f.write_str(char::from(ALPHABET[digit as usize]).encode_utf8(&mut [0; 4]))?;
        }
        Ok(())
    }
}

impl serde::Serialize for Tid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Tid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Tid {
    /// The TID of a moment, in microseconds since 1970, and a clock id (10 bits).
    pub fn from_micros(micros: u64, clock_id: u16) -> Self {
        Self((micros & ((1 << 53) - 1)) << 10 | u64::from(clock_id & 0x3ff))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> u64 {
        self.0 >> 10
    }

    /// Whether the TID lies more than five minutes after `now` (microseconds since 1970): a clock that is wrong, or a
    /// writer that wants to win every comparison to come.
    pub fn is_too_far_ahead(self, now_micros: u64) -> bool {
        self.micros() > now_micros.saturating_add(5 * 60 * 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::Tid;

    #[test]
    fn round_trips_and_sorts_as_text() {
        let a: Tid = "3jzfcijpj2z2a".parse().unwrap();
        assert_eq!(a.to_string(), "3jzfcijpj2z2a");
        assert_eq!(a.micros(), 1_688_137_381_887_007);
        let b = Tid::from_micros(a.micros() + 1, 0);
        assert!(b > a && b.to_string() > a.to_string());
    }

    #[test]
    fn refuses() {
        for bad in
            ["", "3jzfcijpj2z2", "3jzfcijpj2z2aa", "kjzfcijpj2z2a", "3jzfcijpj2z21", "3JZFCIJPJ2Z2A", "0000000000000"]
        {
            assert!(bad.parse::<Tid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn five_minutes_of_grace() {
        let now = 1_700_000_000_000_000;
        assert!(!Tid::from_micros(now + 299_000_000, 0).is_too_far_ahead(now));
        assert!(Tid::from_micros(now + 301_000_000, 0).is_too_far_ahead(now));
    }
}
