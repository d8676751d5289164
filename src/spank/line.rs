//! Which of our lines in plugstack.conf counts in this process: the first.
//!
//! Slurm loads a plugin once for each of its lines and calls each hook for each of them. The
//! library is the same one, and so is this state. Slurm makes the words of a line once a
//! process and keeps them, so their address tells the lines apart.

use std::sync::OnceLock;

/// The first line that Slurm has called us for.
#[derive(Default)]
struct First(OnceLock<usize>);

impl First {
    const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Whether the line whose words are at this address is the first.
    fn is(&self, address: usize) -> bool {
        *self.0.get_or_init(|| address) == address
    }
}

#[cfg(not(test))]
static FIRST: First = First::new();

/// Whether a hook is called for the line that counts.
#[cfg(not(test))]
pub(super) fn is_first(address: usize) -> bool {
    FIRST.is(address)
}

#[cfg(test)]
pub(super) use per_thread::{forget, is_first};

/// In tests, each thread is a process of its own.
#[cfg(test)]
mod per_thread {
    use super::First;
    use std::cell::RefCell;

    thread_local! {
        static FIRST: RefCell<First> = const { RefCell::new(First::new()) };
    }

    pub(crate) fn is_first(address: usize) -> bool {
        FIRST.with_borrow(|first| first.is(address))
    }

    pub(crate) fn forget() {
        FIRST.take();
    }
}

#[cfg(test)]
mod tests {
    use super::First;

    #[test]
    fn the_first_line_stays_the_first() {
        let first = First::new();
        assert_eq!([8, 8, 0, 16, 8].map(|line| first.is(line)), [true, true, false, false, true]);
        // A line without words has no address.
        let first = First::new();
        assert_eq!([0, 8, 0].map(|line| first.is(line)), [true, false, true]);
    }
}
