//! All tables, from the inodes to the extended attributes, in the order of the file.
//!
//! ```text
//! ┌────────┬─────────────┬───────────┬────────┬─────┬────────────┐
//! │ inodes │ directories │ fragments │ export │ ids │ attributes │
//! └────────┴─────────────┴───────────┴────────┴─────┴────────────┘
//! ```
//!
//! Inodes and directories are streams of metadata blocks. Each other table is a stream of its
//! entries and behind it an index: the offset of each metadata block, 8 bytes each, from the
//! superblock. The superblock has the offset of the index. The index of the attributes begins with
//! the offset of the attributes 8, the number of sets 4, and 4 unused bytes. Linux checks that each
//! index ends where the next table begins.

use super::directories::{self, Listing};
use super::error::Error;
use super::inodes::{Common, Data};
use super::metadata::{BLOCK, Position, Stream};
use super::order::Order;
use super::superblock::Superblock;
use super::{Options, ids, xattrs};
use crate::compression::compressor::Compressor;
use crate::tables::{MISSING, Tables};
use crate::tree::{InodeId, Kind, Names, Tree};
use std::collections::HashMap;

const UNWRITTEN: u64 = u64::MAX;

/// A fragment: the offset of its block in bytes, and its size as stored.
pub(super) type Fragment = (u64, u32);

/// Finds the data of a file.
pub(super) trait Lookup {
    /// # Errors
    /// The content does not exist.
    fn data(&self, kind: &Kind) -> Result<Data, Error>;
}

/// The tables as bytes, and the superblock that leads to them.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) superblock: Superblock,
    /// The number of extended attributes that squashfs cannot store.
    pub(super) left_out: u64,
}

/// The state while the inodes and directories are written.
struct Encoder<'a, L> {
    tree: &'a Tree,
    order: &'a Order,
    lookup: &'a L,
    compressor: Compressor,
    inodes: Stream,
    directories: Stream,
    ids: ids::Ids,
    xattrs: xattrs::Sets,
    /// The reference of each inode, by index; [`UNWRITTEN`] before it is written.
    written: Vec<u64>,
    /// The entries of the directories whose inodes are not written yet.
    listings: HashMap<usize, Listing>,
}

/// Writes all tables, which begin `start` bytes after the superblock.
///
/// # Errors
/// The tree cannot be stored: see [`Error`].
pub(super) fn encode<L: Lookup>(
    (tree, order): (&Tree, &Order),
    lookup: &L,
    fragments: &[Fragment],
    start: u64,
    options: Options,
) -> Result<Encoded, Error> {
    let compressor = Compressor::new(options.compression).map_err(Error::Compression)?;
    let mut encoder = Encoder {
        tree,
        order,
        lookup,
        compressor,
        inodes: Stream::default(),
        directories: Stream::default(),
        ids: ids::Ids::default(),
        xattrs: xattrs::Sets::default(),
        written: vec![UNWRITTEN; tree.len()],
        listings: HashMap::new(),
    };
    for directory in &order.directories {
        encoder.directory(*directory)?;
    }
    encoder.inode(Tree::ROOT)?;
    encoder.finish(fragments, start, options)
}

impl<L: Lookup> Encoder<'_, L> {
    /// Writes the inodes in a directory and its entries.
    fn directory(&mut self, directory: InodeId) -> Result<(), Error> {
        let tree = self.tree;
        let none = Names::new();
        let names = tree.names(directory).unwrap_or(&none);
        let mut entries = Vec::with_capacity(names.len());
        for (name, id) in names {
            let inode = self.inode(*id)?;
            let (number, kind) = (self.order.number(*id), code(tree, *id));
            entries.push(directories::Entry { name, inode, number, kind });
        }
        let listing = directories::write(&mut self.directories, &mut self.compressor, &entries)?;
        self.listings.insert(directory.index(), listing);
        Ok(())
    }

    /// Writes an inode, if it is not written yet, and returns its position.
    fn inode(&mut self, id: InodeId) -> Result<Position, Error> {
        if let Some(reference) = self.written.get(id.index()).filter(|one| **one != UNWRITTEN) {
            return Ok(Position::from_reference(*reference));
        }
        let bytes = self.inode_bytes(id)?;
        let position = self.inodes.position();
        self.inodes.put(&mut self.compressor, &bytes);
        if let Some(written) = self.written.get_mut(id.index()) {
            *written = position.reference();
        }
        Ok(position)
    }

    fn inode_bytes(&mut self, id: InodeId) -> Result<Vec<u8>, Error> {
        let missing = || Error::Tree(format!("inode {}", id.index()));
        let inode = self.tree.get(id).ok_or_else(missing)?;
        let metadata = &inode.metadata;
        let common = Common {
            metadata,
            uid: self.ids.index(metadata.uid)?,
            gid: self.ids.index(metadata.gid)?,
            number: self.order.number(id),
            links: self.order.links(id),
            xattrs: self.xattrs.index(&mut self.compressor, metadata.xattrs.as_deref())?,
        };
        match &inode.kind {
            Kind::Directory(_) => {
                let listing = self.listings.remove(&id.index()).ok_or_else(missing)?;
                common.directory(&listing, self.order.parent(id))
            }
            file @ Kind::File { .. } => Ok(common.file(&self.lookup.data(file)?)),
            Kind::Symlink(target) => common.symlink(target),
            Kind::BlockDevice(device) => common.device(4, *device),
            Kind::CharDevice(device) => common.device(5, *device),
            Kind::Fifo => Ok(common.endpoint(6)),
            Kind::Socket => Ok(common.endpoint(7)),
        }
    }

    fn finish(
        self,
        fragments: &[Fragment],
        start: u64,
        options: Options,
    ) -> Result<Encoded, Error> {
        let mut references = vec![[0; 8]; self.order.count as usize];
        for (number, written) in self.order.numbers().iter().zip(&self.written) {
            if let Some(reference) = references.get_mut((*number as usize).wrapping_sub(1)) {
                *reference = written.to_le_bytes();
            }
        }
        let root = self.written.first().copied().unwrap_or_default();
        let mut out = Output { bytes: Vec::new(), start, compressor: self.compressor };
        let inodes = out.stream(self.inodes);
        let directories = out.stream(self.directories);
        let entries: Vec<u8> = fragments.iter().flat_map(|fragment| entry(*fragment)).collect();
        let count = u32::try_from(fragments.len()).map_err(|_| Error::TooMany("fragments"))?;
        let fragments = if count == 0 { MISSING } else { out.indexed(&entries, &[]) };
        let export = out.indexed(references.as_flattened(), &[]);
        let ids = out.indexed(&self.ids.bytes(), &[]);
        let left_out = self.xattrs.left_out;
        let xattrs = out.xattrs(self.xattrs);
        let superblock = Superblock {
            compression: options.compression,
            block_size: options.block_size,
            time: options.time,
            inodes: self.order.count,
            fragments: count,
            ids: self.ids.count(),
            root,
            used: out.end(),
            tables: Tables { ids, xattrs, inodes, directories, fragments, export },
        };
        Ok(Encoded { bytes: out.bytes, superblock, left_out })
    }
}

/// The type of the basic inode.
fn code(tree: &Tree, id: InodeId) -> u16 {
    match tree.get(id).map(|inode| &inode.kind) {
        Some(Kind::File { .. }) => 2,
        Some(Kind::Symlink(_)) => 3,
        Some(Kind::BlockDevice(_)) => 4,
        Some(Kind::CharDevice(_)) => 5,
        Some(Kind::Fifo) => 6,
        Some(Kind::Socket) => 7,
        Some(Kind::Directory(_)) | None => 1,
    }
}

/// An entry of the table of fragments: offset 8, size 4, unused 4.
fn entry((offset, size): Fragment) -> [u8; 16] {
    let mut bytes = [0; 16];
    let fields = offset.to_le_bytes().into_iter().chain(size.to_le_bytes());
    bytes.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    bytes
}

/// The bytes of the tables.
struct Output {
    bytes: Vec<u8>,
    /// The offset of the first byte, from the superblock.
    start: u64,
    compressor: Compressor,
}

impl Output {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Appends a stream and returns its offset.
    fn stream(&mut self, stream: Stream) -> u64 {
        let offset = self.end();
        self.bytes.extend_from_slice(&stream.finish(&mut self.compressor));
        offset
    }

    /// Appends a table and its index, which begins with `header`. Returns the offset of the index.
    fn indexed(&mut self, entries: &[u8], header: &[u8]) -> u64 {
        let mut offsets = Vec::new();
        for block in entries.chunks(BLOCK) {
            let mut stream = Stream::default();
            stream.put(&mut self.compressor, block);
            offsets.extend_from_slice(&self.stream(stream).to_le_bytes());
        }
        let index = self.end();
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(&offsets);
        index
    }

    fn xattrs(&mut self, sets: xattrs::Sets) -> u64 {
        if sets.count == 0 {
            return MISSING;
        }
        let attributes = self.stream(sets.attributes).to_le_bytes();
        let header = [&attributes[..], &sets.count.to_le_bytes(), &[0; 4]].concat();
        self.indexed(&sets.table, &header)
    }
}
