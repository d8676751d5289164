//! The directory table: the names in each directory.
//!
//! ```text
//! for each directory, for each run of names:
//!     header: number of names - 1    4   at most 255
//!             block of the inodes    4   start in the inode table, the same for the whole run
//!             base of inode numbers  4
//!     for each name:
//!             offset of the inode    2   in the uncompressed block
//!             inode number - base    2   signed
//!             type                   2   1 to 7, also for extended inodes
//!             length - 1             2
//!             name
//! ```
//!
//! A directory whose entries lie in several metadata blocks has an index in its inode: for the
//! first header in each block after the first one, its offset in the entries, the start of the
//! block, and the first name of the run. A lookup decompresses one block then instead of all. So a
//! run ends at the first name that reaches into the next block.

use super::error::Error;
use super::metadata::{Position, Stream};
use crate::compression::compressor::Compressor;

const MOST_NAMES: usize = 256;
const LONGEST_NAME: usize = 256;

/// A name with what the entry says about its inode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    pub(super) inode: Position,
    pub(super) number: u32,
    /// The type of the basic inode, 1 to 7.
    pub(super) kind: u16,
}

/// The entries of a directory in the table.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) position: Position,
    /// The length of the entries in bytes.
    pub(super) length: u32,
    /// The number of directories among the entries.
    pub(super) subdirectories: u32,
    /// The index as it follows the inode, and the number of its entries.
    pub(super) index: Vec<u8>,
    pub(super) index_count: u16,
}

/// Writes the entries of one directory.
struct Lister<'a> {
    stream: &'a mut Stream,
    compressor: &'a mut Compressor,
    listing: Listing,
}

/// Writes the entries of a directory, which are sorted by name.
///
/// # Errors
/// A name is invalid, or there are too many.
pub(super) fn write(
    stream: &mut Stream,
    compressor: &mut Compressor,
    entries: &[Entry<'_>],
) -> Result<Listing, Error> {
    let position = stream.position();
    let listing =
        Listing { position, length: 0, subdirectories: 0, index: Vec::new(), index_count: 0 };
    let mut lister = Lister { stream, compressor, listing };
    let mut rest = entries;
    while !rest.is_empty() {
        rest = lister.run(rest)?;
    }
    Ok(lister.listing)
}

impl Lister<'_> {
    /// Writes a run and returns the entries after it.
    fn run<'a>(&mut self, entries: &'a [Entry<'a>]) -> Result<&'a [Entry<'a>], Error> {
        let Some(first) = entries.first() else { return Ok(entries) };
        let start = self.stream.position();
        self.add_to_index(start, first.name)?;
        let room = super::metadata::BLOCK - usize::from(start.offset);
        let mut names = Vec::new();
        let mut count = 0;
        for entry in entries.iter().take(MOST_NAMES) {
            let is_full = count > 0 && 12 + names.len() >= room;
            if is_full || entry.inode.block != first.inode.block {
                break;
            }
            let Some(difference) = difference(entry.number, first.number) else { break };
            encode(&mut names, entry, difference)?;
            self.listing.subdirectories += u32::from(entry.kind == 1);
            count += 1;
        }
        let block = u32::try_from(first.inode.block).map_err(|_| Error::TooMany("inodes"))?;
        self.header(count, block, first.number);
        self.stream.put(self.compressor, &names);
        let length = u32::try_from(12 + names.len()).unwrap_or(u32::MAX);
        // The inode stores the length plus 3.
        let sum = self.listing.length.checked_add(length).filter(|sum| *sum < u32::MAX - 3);
        self.listing.length = sum.ok_or(Error::TooMany("names in a directory"))?;
        Ok(entries.get(count..).unwrap_or_default())
    }

    fn header(&mut self, count: usize, block: u32, base: u32) {
        let count = u32::try_from(count).unwrap_or(1).saturating_sub(1);
        for value in [count, block, base] {
            self.stream.put(self.compressor, &value.to_le_bytes());
        }
    }

    /// Adds an index entry if this header is the first one in its block.
    fn add_to_index(&mut self, start: Position, name: &[u8]) -> Result<(), Error> {
        let listing = &mut self.listing;
        let begin = u64::from(listing.position.offset);
        let block = (begin + u64::from(listing.length)) / super::metadata::BLOCK as u64;
        // Each block but the first one has an entry.
        if block <= listing.index_count.into() || listing.index_count == u16::MAX {
            return Ok(());
        }
        let start = u32::try_from(start.block).map_err(|_| Error::TooMany("names"))?;
        let length = u32::try_from(name.len()).unwrap_or(1).saturating_sub(1);
        for value in [listing.length, start, length] {
            listing.index.extend_from_slice(&value.to_le_bytes());
        }
        listing.index.extend_from_slice(name);
        listing.index_count += 1;
        Ok(())
    }
}

fn difference(number: u32, base: u32) -> Option<i16> {
    i16::try_from(i64::from(number) - i64::from(base)).ok()
}

fn encode(names: &mut Vec<u8>, entry: &Entry<'_>, difference: i16) -> Result<(), Error> {
    let name = entry.name;
    let length = u16::try_from(name.len()).ok().filter(|length| (1..=256).contains(length));
    let is_valid =
        !name.iter().any(|byte| matches!(byte, b'/' | 0)) && !matches!(name, b"." | b"..");
    let invalid = || {
        Error::Name(String::from_utf8_lossy(name.get(..LONGEST_NAME).unwrap_or(name)).into_owned())
    };
    let length = length.filter(|_| is_valid).ok_or_else(invalid)?;
    names.extend_from_slice(&entry.inode.offset.to_le_bytes());
    names.extend_from_slice(&difference.to_le_bytes());
    names.extend_from_slice(&entry.kind.to_le_bytes());
    names.extend_from_slice(&(length - 1).to_le_bytes());
    names.extend_from_slice(name);
    Ok(())
}
