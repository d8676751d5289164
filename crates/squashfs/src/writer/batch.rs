//! Small files that are buffered until there are enough of them to sort.
//!
//! Files smaller than a block share blocks, the fragments. Readers decompress whole blocks, and
//! programs read files of one directory together, so neighbours in the tree belong in one block,
//! whatever the order in the layer. A file that is hidden while it waits is never written.

use std::cmp::Ordering;

/// The largest number of bytes in a batch, with paths and bookkeeping.
const LARGEST: usize = 64 << 20;
/// The number of blocks that a batch fills, if that is less.
const BLOCKS: usize = 512;
/// The memory for an entry besides its path and its data, in bytes.
const OVERHEAD: usize = 128;

/// A small file.
#[derive(Debug)]
pub(super) struct Entry {
    /// The number of its content.
    pub(super) content: u32,
    pub(super) path: Box<[u8]>,
    pub(super) data: Box<[u8]>,
    /// The hash of the data.
    pub(super) hash: [u8; 32],
}

impl Entry {
    fn bytes(&self) -> usize {
        OVERHEAD + self.path.len() + self.data.len()
    }
}

/// The files that wait.
#[derive(Debug)]
pub(super) struct Batch {
    entries: Vec<Option<Entry>>,
    bytes: usize,
    full: usize,
}

impl Batch {
    pub(super) fn new(block_size: usize) -> Self {
        Self { entries: Vec::new(), bytes: 0, full: LARGEST.min(BLOCKS * block_size) }
    }

    /// Adds a file and returns its index in this batch.
    pub(super) fn add(&mut self, entry: Entry) -> usize {
        self.bytes += entry.bytes();
        self.entries.push(Some(entry));
        self.entries.len() - 1
    }

    /// Removes the file with this index.
    pub(super) fn remove(&mut self, index: usize) -> Option<Entry> {
        let entry = self.entries.get_mut(index)?.take()?;
        // The bookkeeping stays until the batch is packed.
        self.bytes -= entry.bytes() - OVERHEAD;
        Some(entry)
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.full
    }

    /// Takes all files, sorted by path.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Entry> + use<> {
        self.bytes = 0;
        let entries = std::mem::take(&mut self.entries);
        let mut entries: Vec<Entry> = entries.into_iter().flatten().collect();
        entries.sort_by(|a, b| by_component(&a.path, &b.path));
        entries.into_iter()
    }
}

/// Compares paths so that a directory and everything in it stay together: `a/b` before `a-b`.
fn by_component(a: &[u8], b: &[u8]) -> Ordering {
    a.split(|byte| *byte == b'/').cmp(b.split(|byte| *byte == b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, length: usize) -> Entry {
        let path = path.as_bytes().into();
        Entry { content: 0, path, data: vec![0; length].into(), hash: [0; 32] }
    }

    #[test]
    fn files_leave_sorted_by_path() {
        let mut batch = Batch::new(4096);
        let paths = ["a/z", "b", "a-b/c", "a/b/c", "a"];
        for path in paths {
            batch.add(entry(path, 1));
        }
        let sorted: Vec<_> = batch.take().map(|entry| entry.path).collect();
        assert_eq!(sorted, ["a", "a/b/c", "a/z", "a-b/c", "b"].map(|path| path.as_bytes().into()));
        assert_eq!(batch.take().count(), 0);
    }

    #[test]
    fn a_removed_file_is_gone_and_its_memory_too() {
        let mut batch = Batch::new(4096);
        let large = batch.add(entry("large", 2 << 20));
        batch.add(entry("small", 1));
        assert!(batch.is_full());
        assert!(batch.remove(large).is_some());
        assert!(batch.remove(large).is_none());
        assert!(!batch.is_full());
        assert_eq!(batch.take().map(|entry| entry.path).collect::<Vec<_>>(), [(*b"small").into()]);
    }

    #[test]
    fn many_empty_paths_fill_a_batch_too() {
        let mut batch = Batch::new(4096);
        while !batch.is_full() {
            batch.add(entry("", 0));
        }
        assert_eq!(batch.take().count(), (2 << 20) / OVERHEAD);
    }
}
