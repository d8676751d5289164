//! Random numbers from a seed.

/// A generator: splitmix64, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator for the item `index` of the series `series`.
    pub(crate) fn of(series: u64, index: u64) -> Self {
        let mut random = Self(series.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ index);
        random.number();
        random
    }

    /// The next number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    /// One of the items, which must not be empty.
    pub(crate) fn one_of<T: Copy + Default>(&mut self, items: &[T]) -> T {
        let index = self.below(items.len() as u64);
        usize::try_from(index).ok().and_then(|index| items.get(index)).copied().unwrap_or_default()
    }

    /// 64 hexadecimal digits.
    pub(crate) fn hex(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.number())).collect()
    }
}
