//! Damaged file systems: a defect or a difference is found, and memory stays bounded.

use crate::support::{Source, pack, read};
use sifcache_squashfs::listing::{Line, listing};
use sifcache_squashfs::reader::Damage;
use std::fs;

/// The address space of this process during the tests in bytes. A large allocation ends it.
const MEMORY: u64 = 1 << 30;

/// The number of bytes that are damaged together.
const RUN: usize = 13;

fn limit_memory() {
    let limit = rustix::process::Rlimit { current: Some(MEMORY), maximum: None };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).unwrap();
}

fn all(bytes: &[u8]) -> Result<Vec<Line>, Damage> {
    let reader = read(bytes)?;
    let lines = listing(&reader);
    match reader.check_all(&mut |_| Ok(())) {
        // What the check accepts can be read.
        Ok(()) => Ok(lines.unwrap()),
        Err(damage) => Err(damage),
    }
}

fn number(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// Inverts each run of a few bytes, and cuts the file there.
#[test]
fn damage_anywhere() {
    let source = Source::small();
    // The options of lz4 follow the superblock, and are not needed to read it.
    for (compression, start) in [("gzip", 96), ("zstd", 96), ("xz", 96), ("lz4", 106)] {
        let packed = pack(&source, &["-comp", compression, "-b", "4096", "-nopad"]);
        let whole = fs::read(&packed.path).unwrap();
        limit_memory();
        let intact = all(&whole).unwrap();
        let data = start..number(&whole, 64);
        for at in (0..whole.len()).step_by(RUN) {
            let end = whole.len().min(at + RUN);
            let mut damaged = whole.clone();
            damaged[at..end].iter_mut().for_each(|byte| *byte ^= 0xff);
            let found = all(&damaged);
            if data.contains(&at) && data.contains(&(end - 1)) {
                let differs = found.as_ref().map_or(true, |lines| *lines != intact);
                assert!(differs, "{compression}: {at}");
            }
            damaged.truncate(at);
            assert!(all(&damaged).is_err(), "{compression}: {at}");
        }
    }
}

/// Every single bit of an uncompressed table, where no checksum helps.
#[test]
fn damage_of_each_bit_of_the_tables() {
    let source = Source::small();
    let packed = pack(&source, &["-noI", "-noX", "-noId", "-b", "4096", "-nopad"]);
    let whole = fs::read(&packed.path).unwrap();
    limit_memory();
    let mut different = 0;
    let intact = all(&whole).unwrap();
    let tables = number(&whole, 64)..whole.len();
    let bits = tables.len() * 8;
    for at in tables {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            different += usize::from(all(&damaged).map_or(true, |lines| lines != intact));
        }
    }
    // The rest are bits that nobody reads: link counts, numbers of parents, unused fields.
    assert!(different * 10 > bits * 7, "{different} of {bits}");
}
