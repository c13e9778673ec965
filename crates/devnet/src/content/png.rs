use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};

use super::dice::Dice;
use crate::{Error, Result};

const SIDE: usize = 64;
const CELLS: usize = 8;

/// A square picture, mirrored like an identicon, in two colours drawn from the dice.
pub(crate) fn avatar(dice: &mut Dice) -> Result<Vec<u8>> {
    let failed = Error::file("avatar.png");
    let colours = dice.bytes(6);
    let cells: Vec<bool> = (0..CELLS * CELLS / 2).map(|_| dice.below(2) == 1).collect();
    let mut rows = Vec::with_capacity(SIDE * (1 + 3 * SIDE));
    for y in 0..SIDE {
        rows.push(0);
        for x in 0..SIDE {
            let (column, row) = (x * CELLS / SIDE, y * CELLS / SIDE);
            let on = cells[row * CELLS / 2 + column.min(CELLS - 1 - column)];
            rows.extend(if on { &colours[..3] } else { &colours[3..] });
        }
    }
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    let data = zlib.write_all(&rows).and_then(|()| zlib.finish()).map_err(failed)?;
    let side = (SIDE as u32).to_be_bytes();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    // Eight bits a channel, true colour, the only compression, filter and interlace there are.
    chunk(&mut png, b"IHDR", &[&side[..], &side, &[8, 2, 0, 0, 0]].concat());
    chunk(&mut png, b"IDAT", &data);
    chunk(&mut png, b"IEND", &[]);
    Ok(png)
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    png.extend((data.len() as u32).to_be_bytes());
    png.extend(kind);
    png.extend(data);
    png.extend(crc.sum().to_be_bytes());
}
