//! The form of a chunk: events one after the other, lengths before what they measure, compressed by zstd.

use bytes::Bytes;
use types::{Cid, Collection, Form, Rkey, Tid};

use super::{Entry, Part};

/// The first byte of a chunk before compression; another layout gets another number.
const VERSION: u8 = 2;
/// The layout of those that do not say in which form their events came.
const WITHOUT_FORMS: u8 = 1;
/// Records repeat themselves so much that the fastest level leaves little to gain.
const LEVEL: i32 = 1;

/// Why bytes are no chunk.
#[derive(Debug, thiserror::Error)]
#[error("the archive holds a damaged chunk: {0}")]
pub(crate) struct Damaged(&'static str);

/// A chunk: how many bytes it unpacks to, and its bytes.
pub(crate) struct Packed {
    pub raw_size: usize,
    pub bytes: Vec<u8>,
}

/// Packs events; what became of their parts is kept beside the chunk, because it is known later.
pub(crate) fn pack(entries: &[Entry]) -> std::io::Result<Packed> {
    let size: usize = entries.iter().map(|entry| entry.raw.len() + 64 + 96 * entry.parts.len()).sum();
    let mut plain = Vec::with_capacity(size);
    plain.push(VERSION);
    for entry in entries {
        put_bytes(&mut plain, entry.did.as_ref().map_or(&[][..], |did| did.as_str().as_bytes()));
        plain.extend(entry.received_at.to_be_bytes());
        plain.push(u8::from(entry.position.is_some()));
        plain.extend(entry.position.unwrap_or_default().to_be_bytes());
        plain.push(entry.form.map_or(0, Form::number));
        put_bytes(&mut plain, &entry.raw);
        put_number(&mut plain, entry.parts.len());
        for part in &entry.parts {
            put_bytes(&mut plain, part.collection.map_or(&[][..], |collection| collection.as_str().as_bytes()));
            put_bytes(&mut plain, part.rkey.as_ref().map_or(&[][..], |rkey| rkey.as_str().as_bytes()));
            put_bytes(&mut plain, part.rev.map(|rev| rev.to_string()).unwrap_or_default().as_bytes());
            put_bytes(&mut plain, &part.cid.map(Cid::to_bytes).unwrap_or_default());
        }
    }
    Ok(Packed { raw_size: plain.len(), bytes: zstd::bulk::compress(&plain, LEVEL)? })
}

/// Unpacks a chunk; `verdicts` are those of all parts in order.
pub(crate) fn unpack(bytes: &[u8], raw_size: usize, verdicts: &[String]) -> Result<Vec<Entry>, Damaged> {
    if u32::try_from(raw_size).is_err() {
        return Err(Damaged("it claims to be larger than any"));
    }
    let plain = zstd::bulk::decompress(bytes, raw_size).map_err(|_| Damaged("it does not unpack"))?;
    let mut rest = Cursor { all: Bytes::from(plain), at: 0 };
    let has_forms = match rest.byte()? {
        VERSION => true,
        WITHOUT_FORMS => false,
        _ => return Err(Damaged("its layout is not known")),
    };
    let mut verdicts = verdicts.iter();
    let mut entries = Vec::new();
    while rest.at < rest.all.len() {
        let did = rest.name()?;
        let received_at = rest.time()?;
        let position = (rest.byte()? == 1, rest.time()?);
        let position = position.0.then_some(position.1);
        let form = if has_forms { Form::from_number(rest.byte()?) } else { None };
        let raw = rest.bytes()?;
        let mut parts = Vec::new();
        for _ in 0..rest.number()? {
            let (collection, rkey, rev) = (rest.name::<Collection>()?, rest.name::<Rkey>()?, rest.name::<Tid>()?);
            let cid = rest.bytes()?;
            let cid = if cid.is_empty() { None } else { Cid::from_bytes(&cid).ok() };
            let verdict = verdicts.next().cloned().ok_or(Damaged("it has more parts than verdicts"))?;
            parts.push(Part { collection, rkey, rev, cid, verdict });
        }
        entries.push(Entry { did, received_at, position, form, raw, parts });
    }
    Ok(entries)
}

fn put_number(plain: &mut Vec<u8>, number: usize) {
    // 4 GiB and more fit no chunk.
    plain.extend((number as u32).to_be_bytes());
}

fn put_bytes(plain: &mut Vec<u8>, bytes: &[u8]) {
    put_number(plain, bytes.len());
    plain.extend(bytes);
}

struct Cursor {
    all: Bytes,
    at: usize,
}

impl Cursor {
    fn take(&mut self, length: usize) -> Result<Bytes, Damaged> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.all.len()).ok_or(Damaged("it is cut off"))?;
        let taken = self.all.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Damaged> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<usize, Damaged> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn time(&mut self) -> Result<i64, Damaged> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | i64::from(*byte)))
    }

    fn bytes(&mut self) -> Result<Bytes, Damaged> {
        let length = self.number()?;
        self.take(length)
    }

    fn name<T: std::str::FromStr>(&mut self) -> Result<Option<T>, Damaged> {
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| Damaged("a name is not text"))?;
        text.parse().map(Some).map_err(|_| Damaged("a name is none"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::{Cid, Collection, Form, Tid};

    use super::{Entry, Part, pack, put_bytes, put_number, unpack};

    fn entry() -> impl Strategy<Value = Entry> {
        let part = (proptest::option::of(0u64..1 << 50), proptest::bool::ANY, "[a-z]{1,9}").prop_map(
            |(rev, named, verdict)| Part {
                collection: named.then_some(Collection::Tag),
                rkey: named.then(|| "self".parse().unwrap()),
                rev: rev.map(|rev| Tid::from_micros(rev, 3)),
                cid: named.then(|| Cid::of_block(b"x")),
                verdict,
            },
        );
        let raw = proptest::collection::vec(0u8.., 0..300);
        let form = (0u8..9).prop_map(Form::from_number);
        (raw, -9i64.., proptest::option::of(-9i64..), form, proptest::collection::vec(part, 0..4), proptest::bool::ANY)
            .prop_map(|(raw, received_at, position, form, parts, of_someone)| Entry {
                did: of_someone.then(|| "did:plc:alice".parse().unwrap()),
                received_at,
                position,
                form,
                raw: raw.into(),
                parts,
            })
    }

    fn verdicts(entries: &[Entry]) -> Vec<String> {
        entries.iter().flat_map(|entry| entry.parts.iter().map(|part| part.verdict.clone())).collect()
    }

    /// As the first version wrote them.
    #[test]
    fn chunks_without_forms_can_be_read() {
        let mut plain = vec![1];
        put_bytes(&mut plain, b"did:plc:alice");
        plain.extend(7i64.to_be_bytes());
        plain.push(0);
        plain.extend(0i64.to_be_bytes());
        put_bytes(&mut plain, b"{}");
        put_number(&mut plain, 0);
        let found = unpack(&zstd::bulk::compress(&plain, 1).unwrap(), plain.len(), &[]).unwrap();
        let did = Some("did:plc:alice".parse().unwrap());
        assert_eq!(found, [Entry { did, received_at: 7, position: None, form: None, raw: "{}".into(), parts: vec![] }]);
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out(entries in proptest::collection::vec(entry(), 0..9)) {
            let packed = pack(&entries).unwrap();
            let found = unpack(&packed.bytes, packed.raw_size, &verdicts(&entries)).unwrap();
            prop_assert_eq!(found, entries);
        }

        #[test]
        fn damage_is_an_error_not_a_panic(entries in proptest::collection::vec(entry(), 1..5), at: usize, to: u8) {
            let mut packed = pack(&entries).unwrap();
            let at = at % packed.bytes.len();
            packed.bytes[at] = to;
            let _ = unpack(&packed.bytes, packed.raw_size, &verdicts(&entries));
        }
    }
}
