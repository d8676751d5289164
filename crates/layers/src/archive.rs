//! Reads the entries of a tar archive as Apptainer's runtime does, with bounds.
//!
//! Apptainer reads layers with Go's `archive/tar`, so this module follows that package
//! (`reader.go`, `strconv.go` and `format.go` of Go 1.19) where the formats leave a choice: which
//! extended header wins, how numbers are written, where an archive ends.
//!
//! The crate `tar` supplies the layout of a header. Its iterator is not used, because its raw mode
//! skips the data of a file by the size in the header, which a pax header can replace.

mod content;
mod header;
mod number;
mod pax;
mod sparse;

pub use content::Content;

use crate::error::Failure;
use crate::limits::Limits;
use header::Fields;
use pax::Records;
use sifcache_squashfs::tree::{Device, Xattrs};
use sparse::Map;
use std::io::Read;
use tar::EntryType;

/// The unit of a tar archive in bytes.
const BLOCK: usize = 512;
/// The longest extended header in bytes, as in Go's `maxSpecialFileSize`.
const LONGEST_HEADER: u64 = 1 << 20;

/// The type of an entry, with the data that is specific to the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file with its size in bytes.
    File(u64),
    /// One more name for the file with this path.
    HardLink(Box<[u8]>),
    /// A symbolic link with its target.
    Symlink(Box<[u8]>),
    /// A block device.
    BlockDevice(Device),
    /// A character device.
    CharDevice(Device),
    /// A named pipe.
    Fifo,
    /// A type that the runtime refuses, unless the entry is a whiteout.
    Other(u8),
}

/// An entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path as stored in the archive, in bytes that need not be UTF-8.
    pub name: Vec<u8>,
    /// The type.
    pub kind: EntryKind,
    /// The mode field. Only the lowest 12 bits are permissions.
    pub mode: i64,
    /// The user ID of the owner.
    pub uid: i64,
    /// The group ID.
    pub gid: i64,
    /// The modification time in whole seconds since 1970, rounded down.
    pub mtime: i64,
    /// Extended attributes from `SCHILY.xattr.` records.
    pub xattrs: Xattrs,
}

/// The entries of one layer.
#[derive(Debug)]
pub struct Entries<R> {
    reader: R,
    /// The unread bytes of the current entry's data in the archive.
    data: u64,
    /// Bytes between the data and the next header.
    padding: u64,
    /// The map of the current entry, if it is a sparse file.
    sparse: Option<Map>,
    /// Bytes that may still be read.
    allowance: u64,
    limits: Limits,
    ended: bool,
}

impl<R: Read> Entries<R> {
    /// The entries of the tar archive in `reader`, of which at most `limits.bytes` bytes are read.
    pub fn new(reader: R, limits: Limits) -> Self {
        let allowance = limits.bytes;
        Self { reader, data: 0, padding: 0, sparse: None, allowance, limits, ended: false }
    }

    /// How many more bytes may be read, of `limits.bytes`.
    #[must_use]
    pub fn allowance(&self) -> u64 {
        self.allowance
    }

    /// The next entry; `None` at the end of the archive. Skips the rest of the current entry.
    ///
    /// # Errors
    ///
    /// If the archive is damaged, cannot be read, or has a feature that the runtime refuses.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Failure> {
        let mut records = Records::default();
        let (mut long_name, mut long_link) = (Vec::new(), Vec::new());
        loop {
            let Some(fields) = self.next_header()? else { return Ok(None) };
            match fields.kind {
                EntryType::XHeader => records = Records::parse(&self.extended_header(&fields)?)?,
                EntryType::GNULongName => long_name = text(self.extended_header(&fields)?),
                EntryType::GNULongLink => long_link = text(self.extended_header(&fields)?),
                EntryType::XGlobalHeader => {
                    // umoci 0.4.7 has no case for this type, so Apptainer 1.4.5 refuses the layer.
                    let what = "global pax headers are left to the runtime";
                    return Err(Failure::unsupported(&fields.name, what));
                }
                _ => return self.entry(fields, records, long_name, long_link).map(Some),
            }
        }
    }

    /// The content of the current entry: `size` bytes of an [`EntryKind::File`].
    pub fn content(&mut self) -> Content<'_, R> {
        Content::new(self)
    }

    /// The next header; `None` at the end of the archive, which is two empty blocks, or the end of
    /// the data instead of a header or after one empty block.
    fn next_header(&mut self) -> Result<Option<Fields>, Failure> {
        if self.ended || !self.skip_entry()? {
            self.ended = true;
            return Ok(None);
        }
        let mut block = [0; BLOCK];
        if !self.read_block(&mut block)? {
            self.ended = true;
            return Ok(None);
        }
        if block.iter().all(|byte| *byte == 0) {
            self.ended = true;
            if self.read_block(&mut block)? && block.iter().any(|byte| *byte != 0) {
                return Err(Failure::damaged("a header follows an empty block"));
            }
            return Ok(None);
        }
        let fields = Fields::parse(&block)?;
        self.data = if fields.has_data() { fields.size()? } else { 0 };
        self.padding = padding(self.data);
        Ok(Some(fields))
    }

    /// Combines a header with the extended headers before it.
    fn entry(
        &mut self,
        mut fields: Fields,
        mut records: Records,
        long_name: Vec<u8>,
        long_link: Vec<u8>,
    ) -> Result<Entry, Failure> {
        records.apply(&mut fields)?;
        if !long_name.is_empty() {
            fields.name = long_name;
        }
        if !long_link.is_empty() {
            fields.link = long_link;
        }
        // Old archives mark directories with a slash only.
        if fields.flag == 0 && fields.name.ends_with(b"/") {
            fields.kind = EntryType::Directory;
        }
        self.data = if fields.has_data() { fields.size()? } else { 0 };
        self.padding = padding(self.data);
        self.sparse = Map::read(self, &mut fields, &records)?;
        self.finished(fields, records.xattrs)
    }

    /// The entry from complete fields.
    fn finished(&self, fields: Fields, xattrs: Xattrs) -> Result<Entry, Failure> {
        let device = fields.device();
        let kind = match fields.kind {
            EntryType::Directory => EntryKind::Directory,
            EntryType::Regular => EntryKind::File(fields.size()?),
            EntryType::Link => EntryKind::HardLink(fields.link.into()),
            EntryType::Symlink => EntryKind::Symlink(fields.link.into()),
            EntryType::Block => EntryKind::BlockDevice(device),
            EntryType::Char => EntryKind::CharDevice(device),
            EntryType::Fifo => EntryKind::Fifo,
            other => EntryKind::Other(other.as_byte()),
        };
        let Fields { name, mode, uid, gid, mtime, .. } = fields;
        Ok(Entry { name, kind, mode, uid, gid, mtime, xattrs })
    }

    /// The data of an extended header.
    fn extended_header(&mut self, fields: &Fields) -> Result<Vec<u8>, Failure> {
        if self.data > LONGEST_HEADER {
            let what = format_args!("an extended header has {} bytes", self.data);
            return Err(Failure::invalid(&fields.name, what));
        }
        let mut data = Vec::new();
        let wanted = self.data;
        self.content().read_to_end(&mut data).map_err(Failure::Read)?;
        if (data.len() as u64) < wanted {
            return Err(Failure::damaged("it ends in an extended header"));
        }
        Ok(data)
    }

    /// Skips the rest of an entry. `false` if the archive ends in the padding behind it, which is
    /// a valid end.
    fn skip_entry(&mut self) -> Result<bool, Failure> {
        self.sparse = None;
        let mut buffer = [0; 8 * BLOCK];
        while self.data > 0 {
            let most =
                usize::try_from(self.data).map_or(buffer.len(), |data| data.min(buffer.len()));
            let read = self.read_some(buffer.get_mut(..most).unwrap_or_default())?;
            if read == 0 {
                return Err(Failure::damaged("it ends in the content of a file"));
            }
            self.data = self.data.saturating_sub(read as u64);
        }
        let padding = std::mem::take(&mut self.padding) as usize;
        let wanted = buffer.get_mut(..padding).unwrap_or_default();
        Ok(self.read_full(wanted)? == padding)
    }

    /// Reads a block. `false` if the archive ends before it.
    fn read_block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, Failure> {
        match self.read_full(block)? {
            0 => Ok(false),
            BLOCK => Ok(true),
            _ => Err(Failure::damaged("it ends in a header")),
        }
    }

    /// Fills the buffer as far as the archive goes.
    fn read_full(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.read_some(rest)? {
                0 => break,
                more => read += more,
            }
        }
        Ok(read)
    }

    /// Reads bytes of the archive and counts them.
    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let read = loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => break result.map_err(Failure::Read)?,
            }
        };
        match self.allowance.checked_sub(read as u64) {
            Some(rest) => self.allowance = rest,
            None => return Err(self.too_large()),
        }
        Ok(read)
    }

    fn too_large(&self) -> Failure {
        Failure::limit(format_args!("{} bytes", self.limits.bytes))
    }
}

/// The bytes between data of this size and the next block.
fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// The bytes before the first null byte.
fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    bytes
}
