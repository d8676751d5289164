//! Limits the memory that a hostile file can make its reader allocate.

use super::Damage;

/// Limits of what is read into memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The memory in bytes for inodes, names, extended attributes and lists of blocks, as
    /// estimated. A tree of an ordinary image needs about 250 bytes for each path.
    pub memory: u64,
}

impl Default for Limits {
    /// Enough for sixteen million paths.
    fn default() -> Self {
        Self { memory: 4 << 30 }
    }
}

/// The memory that is left.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    limit: u64,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { left: limits.memory, limit: limits.memory }
    }

    /// Takes a number of bytes.
    ///
    /// # Errors
    /// If less is left. `at` is the offset of the data that needs them.
    pub(super) fn take(&mut self, at: u64, bytes: usize) -> Result<(), Damage> {
        match self.left.checked_sub(bytes as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                Err(Damage::at(at, format!("its metadata needs more than {} bytes", self.limit)))
            }
        }
    }
}
