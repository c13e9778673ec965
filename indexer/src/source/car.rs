//! CAR version 1 ([specification](https://ipld.io/specs/transport/car/carv1/)), as a commit event carries one: a header, then
//! blocks, each preceded by its length and CID.

use std::collections::HashMap;

use serde::Deserialize;

use super::cbor;

/// Those blocks of a CAR that are `wanted`, by their binary CIDs, unhashed. What else it holds (a commit brings tree nodes)
/// is passed over, so that a CAR of a million tiny blocks takes no memory.
///
/// # Errors
/// What is wrong with it, for people.
pub fn blocks(mut car: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Result<HashMap<&[u8], &[u8]>, &'static str> {
    #[derive(Deserialize)]
    struct Header {
        version: u64,
    }
    let header = section(&mut car)?.ok_or("the CAR is empty")?;
    let header: Header = cbor::only(header).map_err(|_| "the CAR's header does not decode")?;
    if header.version != 1 {
        return Err("the CAR's version is not 1");
    }
    let mut blocks = HashMap::new();
    while let Some(section) = section(&mut car)? {
        let mut rest = section;
        cid::Cid::read_bytes(&mut rest).map_err(|_| "a block of the CAR has no CID")?;
        let (cid, data) = section.split_at(section.len() - rest.len());
        if wanted(cid) {
            blocks.insert(cid, data);
        }
    }
    Ok(blocks)
}

/// The next length-prefixed section; `None` at the end.
fn section<'a>(car: &mut &'a [u8]) -> Result<Option<&'a [u8]>, &'static str> {
    if car.is_empty() {
        return Ok(None);
    }
    let length = usize::try_from(varint(car)?).map_err(|_| "a section of the CAR is too long")?;
    let (section, rest) = car.split_at_checked(length).ok_or("the CAR breaks off")?;
    *car = rest;
    Ok(Some(section))
}

/// An unsigned LEB128 number of at most 63 bits.
fn varint(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("the CAR breaks off")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a section of the CAR is too long")
}

#[cfg(test)]
mod tests {
    use types::Cid;

    use super::blocks;

    const HEADER: &[u8] = b"\xa1gversion\x01";

    fn car(header: &[u8], block: &[u8]) -> Vec<u8> {
        let cid = Cid::of_block(block).to_bytes();
        let mut car = vec![header.len() as u8];
        car.extend(header);
        car.push((cid.len() + block.len()) as u8);
        car.extend(cid);
        car.extend(block);
        car
    }

    #[test]
    fn reads_blocks_by_cid() {
        let car = car(HEADER, b"block");
        assert_eq!(blocks(&car, |_| true).unwrap()[&*Cid::of_block(b"block").to_bytes()], b"block");
        assert!(blocks(&car, |_| false).unwrap().is_empty());
    }

    #[test]
    fn refuses_what_is_no_car() {
        let whole = car(HEADER, b"block");
        for (bad, why) in [
            (&b""[..], "the CAR is empty"),
            (&whole[..whole.len() - 1], "the CAR breaks off"),
            (&car(b"\xa1gversion\x02", b"x"), "the CAR's version is not 1"),
            (&car(b"\xff", b"x"), "the CAR's header does not decode"),
            (&[0xff; 20], "a section of the CAR is too long"),
            (&[&whole[..11], &[3, 1, 2, 3]].concat(), "a block of the CAR has no CID"),
        ] {
            assert_eq!(blocks(bad, |_| true), Err(why));
        }
    }
}
