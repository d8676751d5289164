//! Random numbers that depend on nothing but a seed, so that a failure can be repeated.

/// A generator of random numbers: SplitMix64 by Steele, Lea and Flood.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of a seed. Neighbouring seeds have unrelated numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Self { state: seed };
        random.state = random.bits();
        random
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number less than `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.bits() % end).unwrap_or(0)
    }

    /// True in one of `n` cases.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the values; `None` if there are none.
    pub fn pick<'a, T>(&mut self, values: &'a [T]) -> Option<&'a T> {
        values.get(self.below(values.len()))
    }

    /// The index of one of the weights, each as likely as its share of the sum.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// Bytes that either compress well or not at all.
    pub fn content(&mut self, length: usize) -> Vec<u8> {
        if self.one_in(3) {
            return (0..length).map(|_| self.bits().to_le_bytes()[0]).collect();
        }
        let word = format!("{} ", self.below(100_000));
        word.bytes().cycle().take(length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_always_has_the_same_numbers() {
        let numbers = |seed| {
            (0..4).map(move |_| seed).scan(Random::new(seed), |random, _| Some(random.below(1000)))
        };
        assert_eq!(numbers(1).collect::<Vec<_>>(), numbers(1).collect::<Vec<_>>());
        assert_ne!(numbers(1).collect::<Vec<_>>(), numbers(2).collect::<Vec<_>>());
    }

    #[test]
    fn weights_are_respected() {
        let mut random = Random::new(7);
        assert!((0..100).all(|_| random.weighted(&[0, 3, 0]) == 1));
    }
}
