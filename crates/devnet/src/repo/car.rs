use ::cid::Cid;
use bytes::{BufMut as _, Bytes, BytesMut};
use ipld_core::ipld::Ipld;
use std::collections::{BTreeMap, HashSet};

use super::Block;
use crate::Result;

/// Writes a CAR version 1 with one root (<https://ipld.io/specs/transport/car/carv1/>); a block that comes twice is
/// written once.
pub(crate) fn write_car(root: Cid, blocks: impl IntoIterator<Item = Block>) -> Result<Bytes> {
    let header = BTreeMap::from([
        ("roots".to_owned(), Ipld::List(vec![Ipld::Link(root)])),
        ("version".to_owned(), Ipld::Integer(1)),
    ]);
    let header = Block::encode(&Ipld::Map(header))?.bytes;
    let mut car = BytesMut::new();
    put_varint(&mut car, header.len());
    car.put(header);
    let mut written = HashSet::new();
    for block in blocks {
        if written.insert(block.cid) {
            let cid = block.cid.to_bytes();
            put_varint(&mut car, cid.len() + block.bytes.len());
            car.put_slice(&cid);
            car.put(block.bytes);
        }
    }
    Ok(car.freeze())
}

fn put_varint(buffer: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        buffer.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    buffer.put_u8(value as u8);
}
