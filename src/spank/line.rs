//! Finds the first of the plugin's lines in plugstack.conf. Only this line is used.
//!
//! Slurm loads a plugin once for each of its lines and calls each hook once for each line. All
//! lines share one library and therefore this state. Slurm allocates the arguments of a line once
//! per process and keeps them, so their address identifies the line.

use std::sync::OnceLock;

/// The address of the arguments of the first line that Slurm called a hook for.
#[derive(Default)]
struct First(OnceLock<usize>);

impl First {
    const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Whether the line whose arguments are at `address` is the first.
    fn is(&self, address: usize) -> bool {
        *self.0.get_or_init(|| address) == address
    }
}

#[cfg(not(test))]
static FIRST: First = First::new();

/// Whether a hook is called for the first line. `address` is that of the line's arguments.
#[cfg(not(test))]
pub(super) fn is_first(address: usize) -> bool {
    FIRST.is(address)
}

#[cfg(test)]
pub(super) use per_thread::{forget, is_first};

/// In tests, each thread has its own state, like a process.
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
        // A line without arguments has address 0.
        let first = First::new();
        assert_eq!([0, 8, 0].map(|line| first.is(line)), [true, false, true]);
    }
}
