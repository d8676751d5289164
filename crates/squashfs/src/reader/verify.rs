//! Compares a file system with the checksums of the data that was written to it.

use super::block::{Block, BlockReader, Length};
use super::metadata::Metadata;
use super::workers::{self, OnProgress};
use super::{Damage, Reader};
use crate::checksums::{Checksums, checksum};

/// The message about data whose checksum differs.
const DIFFERENT: &str = "the bytes differ from those that were written";

impl Reader {
    /// Checks that this file system contains the data that was passed to the writer: compares every
    /// decompressed block and the tables with their checksums, and makes sure that all files consist of
    /// such blocks. Reads everything once, in the order of the file, on up to `workers` threads.
    ///
    /// # Errors
    /// The first defect that was found, or `on_progress` asked to stop.
    pub fn verify(
        &self,
        checksums: &Checksums,
        workers: usize,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Damage> {
        self.supported()?;
        let tables = &checksums.tables;
        if tables.offset.checked_add(tables.size) != Some(self.superblock.used) {
            return Err(Damage::at(tables.offset, "the tables have another length"));
        }
        let size = usize::try_from(tables.size).unwrap_or(usize::MAX);
        if checksum(&self.bytes(tables.offset, size)?) != tables.checksum {
            return Err(Damage::at(tables.offset, DIFFERENT));
        }
        on_progress(tables.size)?;
        let metadata = Metadata::new(self)?;
        let blocks = expected(&self.blocks(&metadata, on_progress)?, checksums)?;
        let read = |reader: &mut BlockReader<'_>, (block, expected): &(Block, u64)| {
            reader.read(*block)?;
            match checksum(&reader.bytes) == *expected {
                true => Ok(block.stored_size()),
                false => Err(Damage::at(block.at, DIFFERENT)),
            }
        };
        workers::each(self, &blocks, workers, read, on_progress)?;
        self.rest(&metadata)
    }
}

/// The blocks with their checksums. A block of the checksums that no file has is included.
fn expected(blocks: &[Block], checksums: &Checksums) -> Result<Vec<(Block, u64)>, Damage> {
    let mut blocks = blocks.iter().peekable();
    let mut found = Vec::with_capacity(checksums.blocks.len());
    for expected in &checksums.blocks {
        let (at, size) = (expected.offset, expected.size);
        let mut is_used = false;
        while let Some(block) = blocks.next_if(|block| (block.at, block.size) == (at, size)) {
            found.push((*block, expected.checksum));
            is_used = true;
        }
        if !is_used {
            let block = Block { at, size, length: Length::AtLeast(0) };
            found.push((block, expected.checksum));
        }
    }
    match blocks.next() {
        None => Ok(found),
        Some(block) => Err(Damage::at(block.at, "a block that was not written")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksums::{self, Tables};
    use crate::reader::Stopped;
    use std::fs::{self, File};
    use std::process::Command;
    use tempfile::TempDir;

    /// A file system of the real mksquashfs, and the checksums of its data.
    struct Packed {
        directory: TempDir,
        bytes: Vec<u8>,
        checksums: Checksums,
    }

    impl Packed {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let source = directory.path().join("source");
            fs::create_dir(&source).unwrap();
            for name in ["a", "b"] {
                let text: String = (0..20_000).map(|number| format!("{name}{number} ")).collect();
                fs::write(source.join(name), text).unwrap();
                fs::write(source.join(format!("small-{name}")), name).unwrap();
            }
            let path = directory.path().join("packed");
            let mut command = Command::new("mksquashfs");
            command.args([&source, &path]).args(["-comp", "zstd", "-b", "4096", "-nopad"]);
            assert!(command.output().expect("mksquashfs").status.success());
            let bytes = fs::read(path).unwrap();
            let mut packed = Self { directory, bytes, checksums: Checksums::default() };
            packed.checksums = packed.sum();
            packed
        }

        fn reader(&self) -> Reader {
            let path = self.directory.path().join("changed");
            fs::write(&path, &self.bytes).unwrap();
            Reader::open(File::open(path).unwrap(), 0, self.bytes.len() as u64).unwrap()
        }

        fn sum(&self) -> Checksums {
            let reader = self.reader();
            let metadata = Metadata::new(&reader).unwrap();
            let mut blocks = BlockReader::new(&reader).unwrap();
            let sum = |block: &Block| {
                blocks.read(*block).unwrap();
                let checksum = checksum(&blocks.bytes);
                checksums::Block { offset: block.at, size: block.size, checksum }
            };
            let found = reader.blocks(&metadata, &mut |_| Ok(())).unwrap();
            let offset = reader.superblock.tables.inodes;
            let size = reader.superblock.used - offset;
            let checksum = checksum(&self.bytes[offset as usize..]);
            let tables = Tables { offset, size, checksum };
            Checksums { blocks: found.iter().map(sum).collect(), tables }
        }

        fn verify(&self, workers: usize) -> String {
            let verified = self.reader().verify(&self.checksums, workers, &mut |_| Ok(()));
            verified.map_or_else(|damage| damage.to_string(), |()| "nothing".to_owned())
        }
    }

    #[test]
    fn what_was_written_is_verified_completely() {
        let packed = Packed::new();
        assert!(packed.checksums.blocks.len() > 50);
        for workers in [0, 1, 3] {
            assert_eq!(packed.verify(workers), "nothing");
        }
        let mut read = 0;
        let mut count = |bytes| {
            read += bytes;
            Ok(())
        };
        packed.reader().verify(&packed.checksums, 2, &mut count).unwrap();
        assert_eq!(read, packed.bytes.len() as u64 - super::super::superblock::LENGTH as u64);
        let stopped = packed.reader().verify(&packed.checksums, 2, &mut |_| Err(Stopped));
        assert!(matches!(stopped, Err(Damage::Stopped)));
    }

    /// The first defect in the order of the file is reported, however many threads there are.
    #[test]
    fn blocks_that_differ() {
        let mut packed = Packed::new();
        let at: Vec<u64> = packed.checksums.blocks.iter().map(|block| block.offset).collect();
        for block in [40, 20, 7] {
            packed.checksums.blocks[block].checksum ^= 1;
            for workers in [1, 4] {
                let expected = format!("damaged at byte {}: {DIFFERENT}", at[block]);
                let found = packed.verify(workers);
                assert!(found.ends_with(&expected), "{found}");
            }
        }
        packed.checksums.blocks.remove(5);
        let expected = format!("damaged at byte {}: a block that was not written", at[5]);
        assert!(packed.verify(1).ends_with(&expected), "{}", packed.verify(1));
    }

    #[test]
    fn tables_that_differ() {
        let mut packed = Packed::new();
        let last = packed.bytes.len() - 1;
        packed.bytes[last] ^= 1;
        assert!(packed.verify(1).ends_with(DIFFERENT), "{}", packed.verify(1));
        packed.bytes[last] ^= 1;
        packed.checksums.tables.size -= 1;
        assert!(packed.verify(1).ends_with("another length"), "{}", packed.verify(1));
    }
}
