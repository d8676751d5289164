//! The descriptor table of a SIF file: its objects, and which of them is the root file system.
//!
//! ```text
//! each descriptor has 585 bytes:
//!   0  data type         4   0x4004 is a partition
//!   4  in use            1   not 0; a deleted descriptor is all zeros
//!  17  offset, size         of the data: two little-endian signed 64-bit integers
//!  73  name            128  ends with a null byte
//! 201  file system       4   of a partition: 1 is squashfs
//! 205  partition type    4   2 is the primary system partition
//! 209  architecture      3   as in the header
//! ```
//!
//! The rules are those of the runtime, tested with Apptainer 1.4. docs/verify.md lists the files
//! that the runtime starts.
//!
//! Source: <https://github.com/apptainer/sif>, `pkg/sif/descriptor.go`.

use super::{architecture, integer};

/// Length of a descriptor, in bytes.
pub const DESCRIPTOR: usize = 585;
/// The maximum number of descriptors in a table; no image has this many. The table is read into
/// memory, and the count in a file can be arbitrarily large.
pub const MAX_DESCRIPTORS: u64 = 1024;

/// The data type of the definition that the file was built from.
pub const DEFINITION: i32 = 0x4001;
/// The data type of JSON, such as the labels.
pub const JSON: i32 = 0x4006;
const PARTITION: i32 = 0x4004;
const SIGNATURE: i32 = 0x4005;
/// Data types of an OCI image: its index and its blobs.
const OCI: [i32; 2] = [0x400a, 0x400b];
const PRIMARY_SYSTEM: i32 = 2;
/// The bits that tell the number of a group from that of an object.
const GROUP: u32 = 0xf000_0000;

/// The location of the table, as stated in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The start of the table, in bytes from the start of the file.
    pub offset: u64,
    /// The number of descriptors, in use or not.
    pub count: u64,
    /// The number of descriptors in use; `None` if the header's number of free ones is invalid.
    pub used: Option<u64>,
    /// The size of the table, in bytes. The runtime reads no more than this.
    pub size: u64,
}

impl Table {
    /// The offset and the length of the `count` descriptors, in bytes.
    ///
    /// # Errors
    /// [`Problem::BadTable`] if there are more than [`MAX_DESCRIPTORS`] descriptors, if they do not
    /// fit in `size`, or if their end overflows.
    pub fn range(&self) -> Result<(u64, usize), Problem> {
        let length = self.count.min(MAX_DESCRIPTORS) * DESCRIPTOR as u64;
        let fits = self.count <= MAX_DESCRIPTORS && self.size >= length;
        let length = usize::try_from(length).ok().filter(|_| fits).ok_or(Problem::BadTable)?;
        self.offset.checked_add(length as u64).ok_or(Problem::BadTable)?;
        Ok((self.offset, length))
    }

    /// Whether the bytes `start` of the table have all descriptors that are in use. The table is
    /// then as good as read, because the other descriptors are ignored.
    #[must_use]
    pub fn is_complete(&self, start: &[u8]) -> bool {
        self.used.is_some_and(|used| used > 0 && in_use(start).count() as u64 >= used)
    }
}

/// The file system of the primary system partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// squashfs, used by nearly all images.
    Squashfs,
    /// ext3, used by images of older runtimes.
    Ext3,
}

/// The primary system partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootFileSystem {
    /// The type of the file system.
    pub file_system: FileSystem,
    /// Go's name of the architecture; `unknown` for a code that the format does not list.
    pub architecture: &'static str,
    /// The start of the partition, in bytes from the start of the file.
    pub offset: u64,
    /// The size of the partition, in bytes.
    pub size: u64,
}

impl RootFileSystem {
    /// The end of the partition, in bytes from the start of the file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }
}

/// Why the runtime cannot start a file with this table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The table is invalid: it has too many descriptors, its size is too small for their number,
    /// or the offset or size of the partition is out of range.
    BadTable,
    /// No primary system partition, or two of them.
    NoRootFileSystem,
    /// The blobs of an OCI image instead of a partition.
    Oci,
    /// The root file system is encrypted.
    Encrypted,
    /// The runtimes do not mount this type of root file system; the value is its code.
    FileSystem(i32),
}

/// Finds the root file system in the bytes of a table.
///
/// # Errors
/// The table has no root file system that the runtime can start: see [`Problem`].
pub fn root_file_system(table: &[u8]) -> Result<RootFileSystem, Problem> {
    let mut primary = in_use(table).filter(Descriptor::is_primary_system);
    match (primary.next(), primary.next()) {
        (Some(partition), None) => partition.root_file_system(),
        // If a table has two primary system partitions, the runtime uses neither.
        (Some(_), Some(_)) => Err(Problem::NoRootFileSystem),
        (None, _) if in_use(table).any(|one| OCI.contains(&one.data_type())) => Err(Problem::Oci),
        (None, _) => Err(Problem::NoRootFileSystem),
    }
}

/// Whether the table contains a signature.
#[must_use]
pub fn has_signature(table: &[u8]) -> bool {
    in_use(table).any(|one| one.is_signature())
}

/// The descriptors of a table that are in use. Bytes after the last one are ignored.
pub fn in_use(table: &[u8]) -> impl Iterator<Item = Descriptor<'_>> {
    let whole = table.chunks_exact(DESCRIPTOR).map(Descriptor);
    whole.filter(|descriptor| descriptor.field(4, 1) != [0])
}

/// The bytes of one descriptor.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor<'a>(&'a [u8]);

impl Descriptor<'_> {
    /// The code of the type of the data.
    #[must_use]
    pub fn data_type(&self) -> i32 {
        self.code(0)
    }

    /// Whether the data are a signature.
    #[must_use]
    pub fn is_signature(&self) -> bool {
        self.data_type() == SIGNATURE
    }

    /// The number of the group that the data belong to; 0 for none.
    #[must_use]
    pub fn group(&self) -> u32 {
        self.number(9) & !GROUP
    }

    /// Whether this descriptor is linked to a whole group, as the signature of the group is.
    #[must_use]
    pub fn is_linked_to_group(&self, group: u32) -> bool {
        self.number(13) == GROUP | group
    }

    /// The offset and the size of the data, in bytes; `None` if they are invalid for any file.
    #[must_use]
    pub fn place(&self) -> Option<(u64, u64)> {
        let (offset, size) = integer(self.field(17, 8)).zip(integer(self.field(25, 8)))?;
        offset.checked_add(size).map(|_| (offset, size))
    }

    /// The name of the data. The runtime names only some types of data.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let name = self.field(73, 128);
        name.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn field(&self, from: usize, length: usize) -> &[u8] {
        self.0.get(from..from + length).unwrap_or_default()
    }

    fn number(&self, from: usize) -> u32 {
        self.field(from, 4).try_into().map_or(0, u32::from_le_bytes)
    }

    fn code(&self, from: usize) -> i32 {
        self.field(from, 4).try_into().map_or(0, i32::from_le_bytes)
    }

    fn is_primary_system(&self) -> bool {
        self.data_type() == PARTITION && self.code(205) == PRIMARY_SYSTEM
    }

    fn root_file_system(&self) -> Result<RootFileSystem, Problem> {
        let file_system = match self.code(201) {
            1 => FileSystem::Squashfs,
            2 => FileSystem::Ext3,
            // Encrypted with dm-crypt and with gocryptfs.
            5 | 6 => return Err(Problem::Encrypted),
            other => return Err(Problem::FileSystem(other)),
        };
        let (offset, size) = self.place().filter(|(_, size)| *size > 0).ok_or(Problem::BadTable)?;
        Ok(RootFileSystem {
            file_system,
            architecture: architecture(self.field(209, 3)),
            offset,
            size,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
