//! A random order of variants, so that no variant always follows the same one.

/// The seed. `benches/host/host.c` has the same one.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Returns a new order for each round. All runs have the same orders.
pub(crate) struct Shuffle {
    order: Vec<usize>,
    state: u64,
}

impl Shuffle {
    /// Orders of this many variants.
    pub(crate) fn new(count: usize) -> Self {
        Self { order: (0..count).collect(), state: SEED }
    }

    /// The order of the next round.
    pub(crate) fn next(&mut self) -> Vec<usize> {
        for last in (1..self.order.len()).rev() {
            let other = (self.random() % (last as u64 + 1)) as usize;
            self.order.swap(last, other);
        }
        self.order.clone()
    }

    /// Marsaglia's xorshift64.
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::Shuffle;

    /// Each order has every variant once, and each variant comes first in about a third of them.
    #[test]
    fn orders_are_fair() {
        let mut shuffle = Shuffle::new(3);
        let mut first = [0; 3];
        for _ in 0..3000 {
            let order = shuffle.next();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
            first[order.first().copied().unwrap()] += 1;
        }
        assert!(first.iter().all(|count| (900..1100).contains(count)), "{first:?}");
    }
}
