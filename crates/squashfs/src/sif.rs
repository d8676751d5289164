//! The SIF file around a squashfs.
//!
//! ```text
//!     0  header, 128 bytes
//!  4096  descriptor table: usually 48 descriptors of 585 bytes each
//! 32176  small objects, one after the other: definition file, JSON texts
//!        squashfs at a multiple of 4096
//! ```
//!
//! ```text
//! header                              descriptor
//!   0  launch line           32         0  data type 4
//!  32  magic                 10         4  in use 1
//!  42  version                3         5  number, group, link, 4 each
//!  45  architecture           3        17  offset, size, size with padding, 8 each
//!  48  id                    16        41  times of creation and change, 8 each
//!  64  created, modified,              57  user, group, 8 each
//!      descriptors free, in all,      73  name 128
//!      offset and size of the         201  depends on the type; of a partition:
//!      table, offset and size              file system 4, type 4, architecture 3
//!      of the data, 8 each
//! ```
//!
//! The lengths after the names are in bytes. The runtime writes a small SIF file as a template. [`Sif`]
//! keeps all of its descriptors and objects but the squashfs, and writes them around another squashfs.
//! Only these fields change: the id of the file, offsets and sizes, texts that the caller replaces, and
//! on request the architecture.
//!
//! Source: <https://github.com/apptainer/sif>, `pkg/sif`.

mod descriptor;

pub use descriptor::{DESCRIPTOR, Object};

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;

const HEADER: usize = 128;
const ALIGNMENT: u64 = 4096;
/// The largest accepted object that is not a partition, in bytes. Such objects are kept in memory.
const LARGEST: u64 = 16 << 20;
/// The largest accepted number of descriptors.
const MOST_DESCRIPTORS: u64 = 1024;

/// Why a template cannot be used, or a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the template cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The file cannot be written.
    #[error("the image cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The file is not a SIF file of version 1.
    #[error("the template is not a SIF file of version 1")]
    NotSif,
    /// The header or a descriptor has an impossible value.
    #[error("the template has an invalid {0}")]
    Invalid(&'static str),
    /// The squashfs does not begin where the objects before it end.
    #[error("the partition begins at {0}, but the objects need the space up to {1}")]
    Offset(u64, u64),
    /// A number does not fit.
    #[error("the file is too large for SIF")]
    TooLarge,
}

/// A SIF file without its primary partition.
#[derive(Debug, Clone)]
pub struct Sif {
    header: [u8; HEADER],
    /// The objects in the order of their descriptors. Exactly one is the primary partition.
    objects: Vec<Object>,
    /// The end of the descriptor table, where the data begins.
    data: u64,
}

/// Reads a SIF file, except for the primary partition.
///
/// # Errors
/// The file cannot be read, is not a SIF file, has no or two primary partitions, or has objects
/// that are too large to be kept in memory.
pub fn read(file: &File) -> Result<Sif, Error> {
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0).map_err(Error::Read)?;
    if header.get(32..45) != Some(b"SIF_MAGIC\x0001\0".as_slice()) {
        return Err(Error::NotSif);
    }
    let (count, table) = (number(&header, 88)?, number(&header, 96)?);
    let (size, data) = (number(&header, 104)?, number(&header, 112)?);
    let needed = count.checked_mul(DESCRIPTOR as u64).filter(|needed| *needed <= size);
    let end = table.checked_add(size).filter(|end| *end <= data && table >= HEADER as u64);
    let (Some(_), Some(_), ..=MOST_DESCRIPTORS) = (needed, end, count) else {
        return Err(Error::Invalid("descriptor table"));
    };
    let mut objects = Vec::new();
    for index in 0..count {
        let mut descriptor = [0; DESCRIPTOR];
        let at = table + index * DESCRIPTOR as u64;
        file.read_exact_at(&mut descriptor, at).map_err(Error::Read)?;
        objects.push(object(file, descriptor)?);
    }
    if objects.iter().filter(|object| object.is_primary_partition()).count() != 1 {
        return Err(Error::Invalid("number of primary partitions"));
    }
    Ok(Sif { header, objects, data })
}

fn object(file: &File, descriptor: [u8; DESCRIPTOR]) -> Result<Object, Error> {
    let mut object = Object::new(descriptor);
    if object.is_in_use() && !object.is_primary_partition() {
        let (offset, size) = object.place().ok_or(Error::Invalid("place of an object"))?;
        let length = usize::try_from(size).ok().filter(|_| size <= LARGEST);
        let mut data = vec![0; length.ok_or(Error::Invalid("size of an object"))?];
        file.read_exact_at(&mut data, offset).map_err(Error::Read)?;
        object.data = data;
    }
    Ok(object)
}

/// A number of the header; negative ones are invalid.
fn number(header: &[u8; HEADER], at: usize) -> Result<u64, Error> {
    let bytes = header.get(at..).and_then(|bytes| bytes.first_chunk());
    let number = bytes.map(|bytes| i64::from_le_bytes(*bytes));
    number.and_then(|number| u64::try_from(number).ok()).ok_or(Error::Invalid("header"))
}

impl Sif {
    /// The objects in use, with the primary partition, which has no data.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|object| object.is_in_use())
    }

    /// The objects in use, to replace their data.
    pub fn objects_mut(&mut self) -> impl Iterator<Item = &mut Object> {
        self.objects.iter_mut().filter(|object| object.is_in_use())
    }

    /// Sets the architecture of the file and its primary partition, such as `02` for amd64.
    pub fn set_architecture(&mut self, code: [u8; 2]) {
        let field = self.header.iter_mut().skip(45).take(2);
        field.zip(code).for_each(|(to, from)| *to = from);
        for object in self.objects.iter_mut().filter(|object| object.is_primary_partition()) {
            object.set_architecture(code);
        }
    }

    /// The code of the architecture in the header, such as `02` for amd64.
    #[must_use]
    pub fn architecture(&self) -> [u8; 2] {
        self.header.get(45..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default()
    }

    /// The offset of the partition in bytes, behind all other objects with their current data.
    #[must_use]
    pub fn partition_offset(&self) -> u64 {
        let others = self.objects().filter(|object| !object.is_primary_partition());
        let bytes: u64 = others.map(|object| object.data.len() as u64).sum();
        self.data.saturating_add(bytes).next_multiple_of(ALIGNMENT)
    }
}

/// Writes all of a SIF file but its primary partition, which is at `offset` and has `size` bytes.
/// The order of the descriptors, their numbers, groups, links, names and times are those of the
/// template. The id is a new random one. The file ends with the partition.
///
/// # Errors
/// The file cannot be written, `offset` is below [`Sif::partition_offset`] or no multiple of 4096,
/// or a size does not fit.
pub fn write_around(file: &File, sif: &Sif, offset: u64, size: u64) -> Result<(), Error> {
    let least = sif.partition_offset();
    if offset < least || !offset.is_multiple_of(ALIGNMENT) {
        return Err(Error::Offset(offset, least));
    }
    let end = offset.checked_add(size).ok_or(Error::TooLarge)?;
    let (mut next, mut objects) = (sif.data, sif.objects.clone());
    for object in objects.iter_mut().filter(|object| object.is_in_use()) {
        if object.is_primary_partition() {
            continue;
        }
        let length = object.data.len() as u64;
        object.set_place(next, length, next)?;
        file.write_all_at(&object.data, next).map_err(Error::Write)?;
        next += length;
    }
    for object in objects.iter_mut().filter(|object| object.is_primary_partition()) {
        object.set_place(offset, size, next)?;
    }
    let table: Vec<u8> = objects.iter().flat_map(|object| *object.descriptor()).collect();
    file.write_all_at(&table, number(&sif.header, 96)?).map_err(Error::Write)?;
    file.write_all_at(&header(sif, end)?, 0).map_err(Error::Write)?;
    file.set_len(end).map_err(Error::Write)
}

/// The header for a file that ends at `end`.
fn header(sif: &Sif, end: u64) -> Result<[u8; HEADER], Error> {
    let mut header = sif.header;
    let size = end.checked_sub(sif.data).and_then(|size| i64::try_from(size).ok());
    let size = size.ok_or(Error::TooLarge)?.to_le_bytes();
    header.iter_mut().skip(120).zip(size).for_each(|(to, from)| *to = from);
    let id = random_id().map_err(Error::Write)?;
    header.iter_mut().skip(48).zip(id).for_each(|(to, from)| *to = from);
    Ok(header)
}

/// A random UUID: version 4, variant 1.
fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut id)?;
    for (index, byte) in id.iter_mut().enumerate() {
        match index {
            6 => *byte = *byte & 0x0f | 0x40,
            8 => *byte = *byte & 0x3f | 0x80,
            _ => {}
        }
    }
    Ok(id)
}

#[cfg(test)]
mod tests;
