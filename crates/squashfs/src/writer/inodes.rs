//! The bytes of an inode.
//!
//! ```text
//! all:  type 2, mode 2, index of the owner 2, of the group 2, time 4, number 4
//!
//! type          basic                                   extended
//! directory   1 block 4, links 4, length + 3 2,       8 links 4, length + 3 4, block 4, parent 4,
//!               offset 2, parent 4                      index entries 2, offset 2, attributes 4, index
//! file        2 start 4, fragment 4, offset in it 4,  9 start 8, size 8, bytes not stored 8, links 4,
//!               size 4, sizes of the blocks             fragment 4, offset in it 4, attributes 4, sizes
//! link        3 links 4, length 4, target            10 the same, attributes 4
//! block       4 links 4, device 4                    11 the same, attributes 4
//! character   5 the same                             12 the same
//! fifo        6 links 4                              13 the same, attributes 4
//! socket      7 the same                             14 the same
//! ```
//!
//! An extended inode is used only if the basic one lacks a field that has to be stored.

use super::directories::Listing;
use super::error::Error;
use super::metadata::BLOCK;
use super::xattrs;
use crate::tree::{Device, Metadata};

/// The fragment of a file without one.
pub(super) const NO_FRAGMENT: u32 = u32::MAX;
/// The longest target of a symbolic link that Linux reads, in bytes.
const LONGEST_TARGET: usize = 4095;
/// The difference between the type of an extended inode and of the basic one.
const EXTENDED: u16 = 7;

/// The fields that inodes of all types have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) uid: u16,
    pub(super) gid: u16,
    pub(super) number: u32,
    pub(super) links: u32,
    /// The index of the extended attributes.
    pub(super) xattrs: u32,
}

/// Where the content of a file is.
#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    pub(super) size: u64,
    /// The offset of the first block, in bytes from the superblock.
    pub(super) start: u64,
    /// The fragment and the offset in it.
    pub(super) fragment: Option<(u32, u32)>,
    /// The number of bytes in blocks of zeros.
    pub(super) zeros: u64,
    /// The sizes of the blocks.
    pub(super) blocks: Vec<u32>,
}

/// The bytes of an inode, which are appended field by field.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn short(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn long(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn wide(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}

impl Common<'_> {
    fn has_xattrs(&self) -> bool {
        self.xattrs != xattrs::NONE
    }

    fn begin(&self, kind: u16, mode: u16) -> Bytes {
        Bytes(Vec::with_capacity(64))
            .short(kind)
            .short(mode & 0o7777)
            .short(self.uid)
            .short(self.gid)
            .long(self.metadata.mtime)
            .long(self.number)
    }

    /// Begins an inode whose extended form differs only by the attributes at its end.
    fn with(&self, kind: u16, mode: u16, fields: impl FnOnce(Bytes) -> Bytes) -> Vec<u8> {
        if self.has_xattrs() {
            fields(self.begin(kind + EXTENDED, mode)).long(self.xattrs).0
        } else {
            fields(self.begin(kind, mode)).0
        }
    }

    /// A directory with the entries of `listing`, in the directory with the number `parent`.
    ///
    /// # Errors
    /// The directory table is too large.
    pub(super) fn directory(&self, listing: &Listing, parent: u32) -> Result<Vec<u8>, Error> {
        let mode = self.metadata.mode;
        let too_many = |_| Error::TooMany("names");
        let block = u32::try_from(listing.position.block).map_err(too_many)?;
        let (offset, length) = (listing.position.offset, listing.length + 3);
        let links = listing.subdirectories.saturating_add(2);
        let spans = usize::from(offset) + listing.length as usize > BLOCK;
        Ok(match u16::try_from(length) {
            Ok(length) if !spans && !self.has_xattrs() => {
                self.begin(1, mode)
                    .long(block)
                    .long(links)
                    .short(length)
                    .short(offset)
                    .long(parent)
                    .0
            }
            _ => {
                self.begin(1 + EXTENDED, mode)
                    .long(links)
                    .long(length)
                    .long(block)
                    .long(parent)
                    .short(listing.index_count)
                    .short(offset)
                    .long(self.xattrs)
                    .raw(&listing.index)
                    .0
            }
        })
    }

    /// A regular file.
    pub(super) fn file(&self, data: &Data) -> Vec<u8> {
        let mode = self.metadata.mode;
        let (fragment, offset) = data.fragment.unwrap_or((NO_FRAGMENT, 0));
        let is_plain = !self.has_xattrs() && self.links == 1 && data.zeros == 0;
        let inode = match (u32::try_from(data.start), u32::try_from(data.size)) {
            (Ok(start), Ok(size)) if is_plain => {
                self.begin(2, mode).long(start).long(fragment).long(offset).long(size)
            }
            _ => {
                let inode = self.begin(2 + EXTENDED, mode).wide(data.start).wide(data.size);
                let inode = inode.wide(data.zeros).long(self.links).long(fragment).long(offset);
                inode.long(self.xattrs)
            }
        };
        data.blocks.iter().fold(inode, |inode, size| inode.long(*size)).0
    }

    /// A symbolic link. Its mode has no meaning, so it is what Linux shows: 0777.
    ///
    /// # Errors
    /// The target is empty or too long.
    pub(super) fn symlink(&self, target: &[u8]) -> Result<Vec<u8>, Error> {
        let length = u32::try_from(target.len()).unwrap_or(u32::MAX);
        if !(1..=LONGEST_TARGET).contains(&target.len()) || target.contains(&0) {
            return Err(Error::Target(target.len()));
        }
        Ok(self.with(3, 0o777, |inode| inode.long(self.links).long(length).raw(target)))
    }

    /// A device; `kind` is 4 for a block device and 5 for a character device.
    ///
    /// # Errors
    /// The number is too large.
    pub(super) fn device(&self, kind: u16, device: Device) -> Result<Vec<u8>, Error> {
        let Device { major, minor } = device;
        if major >= 1 << 12 || minor >= 1 << 20 {
            return Err(Error::Device { major, minor });
        }
        let number = (minor & 0xff) | major << 8 | (minor & !0xff) << 12;
        Ok(self.with(kind, self.metadata.mode, |inode| inode.long(self.links).long(number)))
    }

    /// A fifo, type 6, or a socket, type 7.
    pub(super) fn endpoint(&self, kind: u16) -> Vec<u8> {
        self.with(kind, self.metadata.mode, |inode| inode.long(self.links))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_behind_4_gib_has_an_extended_inode() {
        let metadata = Metadata::default();
        let (uid, gid, number) = (0, 0, 1);
        let common =
            Common { metadata: &metadata, uid, gid, number, links: 1, xattrs: xattrs::NONE };
        for (start, size, kind) in
            [(u32::MAX.into(), u32::MAX.into(), 2), (1_u64 << 32, 5, 9), (5, 1_u64 << 32, 9)]
        {
            let data = Data { start, size, ..Data::default() };
            let inode = common.file(&data);
            assert_eq!(inode.first_chunk().map(|kind| u16::from_le_bytes(*kind)), Some(kind));
            if kind == 9 {
                let fields = [start.to_le_bytes(), size.to_le_bytes()].concat();
                assert_eq!(inode.get(16..32), Some(&fields[..]));
            }
        }
    }
}
