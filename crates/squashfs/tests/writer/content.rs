//! Contents of files, made from a seed.

/// What bytes a content has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Words, which compress well.
    Text(u64, usize),
    /// Bytes that do not compress.
    Random(u64, usize),
    Zeros(usize),
    /// Blocks of text, random bytes and zeros in turn.
    Mixed(u64, usize),
}

impl Content {
    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text(seed, length) => {
                let words = Words(seed).flat_map(|word| format!("{} ", word % 1000).into_bytes());
                words.take(length).collect()
            }
            Self::Random(seed, length) => {
                Words(seed).flat_map(u64::to_le_bytes).take(length).collect()
            }
            Self::Zeros(length) => vec![0; length],
            Self::Mixed(seed, length) => {
                let kinds = [Self::Text(seed, 8192), Self::Random(seed, 4096), Self::Zeros(12288)];
                kinds.iter().cycle().flat_map(|kind| kind.bytes()).take(length).collect()
            }
        }
    }
}

/// An endless sequence of pseudo-random numbers.
struct Words(u64);

impl Iterator for Words {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(word ^ word >> 31)
    }
}
