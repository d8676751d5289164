//! Tar archives of layers: the same entries come out however the bytes arrive, a part of an archive
//! gives the first of its entries, and no more is read than the limit allows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sifcache_layers::archive::{Entries, Entry, EntryKind};
use sifcache_layers::{Failure, Limits};
use std::io::Read;

/// The unit of a tar archive in bytes.
const BLOCK: usize = 512;
/// The most bytes of an archive, with the holes of its sparse files.
const LIMIT: u64 = 1 << 20;

/// An entry with the bytes of its content.
type Whole = (Entry, Vec<u8>);

/// A reader that returns a few bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut archive = bytes.to_vec();
    seal(&mut archive);
    let (whole, failure) = read(&archive, archive.len().max(1));
    let (pieces, same) = read(&archive, bytes.len() % 13 + 1);
    assert_eq!(whole, pieces);
    assert_eq!(failure.is_some(), same.is_some());
    let part = archive.len() - archive.len() / 3;
    let (first, _) = read(&archive[..part], part.max(1));
    assert!(whole.starts_with(&first));
});

/// Corrects the checksums, because a fuzzer hardly finds them.
fn seal(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(block) = archive.get_mut(at..).and_then(|rest| rest.get_mut(..BLOCK)) {
        if block.iter().any(|byte| *byte != 0) {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let digits = block[124..136].iter().filter(|byte| byte.is_ascii_digit());
        let size =
            digits.fold(0_usize, |size, digit| (size * 8 + usize::from(digit - b'0')) % (1 << 30));
        let data = if matches!(block[156], b'1'..=b'6') { 0 } else { size };
        at += BLOCK + data.next_multiple_of(BLOCK);
    }
}

/// The entries up to the end or to a failure.
fn read(archive: &[u8], piece: usize) -> (Vec<Whole>, Option<Failure>) {
    let limits = Limits { bytes: LIMIT, ..Limits::default() };
    let mut entries = Entries::new(Pieces(archive, piece), limits);
    let mut found = Vec::new();
    let mut total = 0;
    loop {
        let entry = match entries.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return (found, None),
            Err(failure) => return (found, Some(failure)),
        };
        let mut data = Vec::new();
        if let EntryKind::File(size) = entry.kind {
            let mut content = entries.content();
            let read = content.by_ref().take(size).read_to_end(&mut data);
            if let Some(failure) = content.finish() {
                return (found, Some(failure));
            }
            assert!(read.is_ok());
            assert_eq!(data.len() as u64, size);
        }
        total += data.len() as u64;
        assert!(total <= LIMIT);
        found.push((entry, data));
    }
}
