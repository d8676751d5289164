//! File systems of our own writer: what a real mksquashfs packed, read and written again.

use crate::support::{Source, open, pack};
use sifcache_squashfs::checksums::Checksums;
use sifcache_squashfs::listing::{Line, listing};
use sifcache_squashfs::reader::{Damage, Reader};
use sifcache_squashfs::tree::{Kind, Tree};
use sifcache_squashfs::writer::{Options, Writer};
use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The offset of the file system in its file, as in a SIF file.
const OFFSET: u64 = 65536;

struct Written {
    file: File,
    size: u64,
    checksums: Checksums,
}

impl Written {
    fn reader(&self) -> Reader {
        Reader::open(self.file.try_clone().unwrap(), OFFSET, self.size).unwrap()
    }

    fn verify(&self) -> Result<(), Damage> {
        self.reader().verify(&self.checksums, 2, &mut |_| Ok(()))
    }
}

fn write_again(reader: &Reader, compression: &str, block_size: u32) -> Written {
    let (mut tree, contents) = reader.tree().unwrap();
    let file = tempfile::tempfile().unwrap();
    let compression = compression.parse().unwrap();
    let options = Options { offset: OFFSET, compression, workers: 2, block_size, time: 0 };
    let mut writer = Writer::new(file.try_clone().unwrap(), options).unwrap();
    let mut left = vec![(Vec::new(), Tree::ROOT)];
    let mut seen = HashSet::new();
    while let Some((path, id)) = left.pop() {
        let inode = tree.get_mut(id).unwrap();
        if let Kind::File { size, content: Some(content) } = &mut inode.kind
            && seen.insert(id)
        {
            let mut data = reader.content(&contents, *content).unwrap();
            *content = writer.store(&path, *size, &mut data).unwrap().unwrap();
        }
        for (name, id) in tree.names(id).into_iter().flatten() {
            left.push(([path.as_slice(), b"/", name].concat(), *id));
        }
    }
    let finished = writer.finish(&tree).unwrap();
    Written { file, size: finished.size, checksums: finished.checksums }
}

fn lines(reader: &Reader) -> Vec<String> {
    listing(reader).unwrap().iter().map(Line::to_string).collect()
}

#[test]
fn everything_is_the_same_after_it_was_written_again() {
    let packed = pack(&Source::everything(), &[]);
    let reader = open(&packed.path);
    for (compression, block_size) in [("gzip:1", 131_072), ("zstd:3", 4096), ("zstd:1", 1 << 20)] {
        let written = write_again(&reader, compression, block_size);
        assert_eq!(lines(&written.reader()), lines(&reader), "{compression} {block_size}");
        written.reader().check_all(&mut |_| Ok(())).unwrap();
        written.verify().unwrap();
    }
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let packed = pack(&Source::small(), &[]);
    for compression in ["gzip:6", "zstd:3"] {
        let written = write_again(&open(&packed.path), compression, 4096);
        written.verify().unwrap();
        let used = written.reader().used();
        // Options of the compression, which no reader needs, are before the first block.
        for at in (written.checksums.blocks[0].offset..used).step_by(5) {
            let mut byte = [0];
            written.file.read_exact_at(&mut byte, OFFSET + at).unwrap();
            written.file.write_all_at(&[byte[0] ^ 0x10], OFFSET + at).unwrap();
            assert!(written.verify().is_err(), "{compression}: byte {at} of {used}");
            written.file.write_all_at(&byte, OFFSET + at).unwrap();
        }
        written.verify().unwrap();
    }
}
