use sha2::{Digest as _, Sha256};

/// A stream of pseudo-random numbers that depends on a seed and a label alone: whatever else is added to the content,
/// what is drawn for one label stays.
pub(crate) struct Dice {
    key: [u8; 32],
    counter: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64, label: &str) -> Self {
        let key = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(label).finalize();
        Self { key: key.into(), counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        Sha256::new().chain_update(self.key).chain_update(self.counter.to_be_bytes()).finalize().into()
    }

    /// A number below `end`; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let [a, b, c, d, ..] = self.block();
        (u32::from_be_bytes([a, b, c, d]) as usize).checked_rem(end).unwrap_or(0)
    }

    /// One of the items.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Bytes that do not compress.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let blocks = std::iter::repeat_with(|| self.block()).take(length.div_ceil(32));
        let mut bytes: Vec<u8> = blocks.flatten().collect();
        bytes.truncate(length);
        bytes
    }
}
