//! The descriptor table of a SIF file: which root file system it holds.
//!
//! ```text
//! each descriptor has 585 bytes:
//!   0  data type         4   0x4004 is a partition
//!   4  in use            1   not 0; what was deleted is all zero
//!  17  offset, size         of the data: two little-endian signed 64-bit integers
//! 201  file system       4   of a partition: 1 is squashfs
//! 205  partition type    4   2 is the primary system partition
//! 209  architecture      3   as in the header
//! ```
//!
//! The rules are the runtime's, tried with Apptainer 1.4: docs/verify.md lists what it starts.
//!
//! Source: <https://github.com/apptainer/sif>, `pkg/sif/descriptor.go`.

use super::{architecture, integer};

/// Length of a descriptor, in bytes.
pub const DESCRIPTOR: usize = 585;
/// More than any image has: a table is read into memory, and a file may claim anything.
pub const MOST: u64 = 1024;

const PARTITION: i32 = 0x4004;
const SIGNATURE: i32 = 0x4005;
/// The index of an OCI image, and the blobs of one.
const OCI: [i32; 2] = [0x400a, 0x400b];
const PRIMARY_SYSTEM: i32 = 2;

/// Where the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// From the start of the file, in bytes.
    pub offset: u64,
    /// The number of descriptors, in use or not.
    pub count: u64,
    /// The number of bytes that the runtime reads of it.
    pub size: u64,
}

impl Table {
    /// The range of its bytes, if the table is one that the runtime reads.
    ///
    /// # Errors
    /// [`Problem::BadTable`].
    pub fn range(&self) -> Result<(u64, usize), Problem> {
        let length = self.count.min(MOST) * DESCRIPTOR as u64;
        let fits = self.count <= MOST && self.size >= length;
        let length = usize::try_from(length).ok().filter(|_| fits).ok_or(Problem::BadTable)?;
        self.offset.checked_add(length as u64).ok_or(Problem::BadTable)?;
        Ok((self.offset, length))
    }
}

/// The file system of the primary system partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// squashfs, which nearly every image has.
    Squashfs,
    /// ext3: images that older runtimes made.
    Ext3,
}

/// The primary system partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootFileSystem {
    /// Which file system it is.
    pub file_system: FileSystem,
    /// Go's name of the architecture; `unknown` for a code that the format does not list.
    pub architecture: &'static str,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

impl RootFileSystem {
    /// Where it ends, in bytes from the start of the file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }
}

/// Why the runtime cannot start what a table describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The table is not one: too long, shorter than it claims, or an impossible partition.
    BadTable,
    /// No primary system partition, or two of them.
    NoRootFileSystem,
    /// Blobs of an OCI image instead of a partition.
    Oci,
    /// The root file system is encrypted.
    Encrypted,
    /// The root file system is none that the runtimes mount; its code.
    FileSystem(i32),
}

/// Looks for the root file system in the bytes of a table.
///
/// # Errors
/// Why there is none to start.
pub fn root_file_system(table: &[u8]) -> Result<RootFileSystem, Problem> {
    let mut primary = in_use(table).filter(Descriptor::is_primary_system);
    match (primary.next(), primary.next()) {
        (Some(partition), None) => partition.root_file_system(),
        // The runtime takes neither of two.
        (Some(_), Some(_)) => Err(Problem::NoRootFileSystem),
        (None, _) if in_use(table).any(|one| OCI.contains(&one.data_type())) => Err(Problem::Oci),
        (None, _) => Err(Problem::NoRootFileSystem),
    }
}

/// Whether the bytes of a table have a signature.
#[must_use]
pub fn has_signature(table: &[u8]) -> bool {
    in_use(table).any(|one| one.data_type() == SIGNATURE)
}

fn in_use(table: &[u8]) -> impl Iterator<Item = Descriptor<'_>> {
    let whole = table.chunks_exact(DESCRIPTOR).map(Descriptor);
    whole.filter(|descriptor| descriptor.field(4, 1) != [0])
}

/// The bytes of one descriptor.
struct Descriptor<'a>(&'a [u8]);

impl Descriptor<'_> {
    fn field(&self, from: usize, length: usize) -> &[u8] {
        self.0.get(from..from + length).unwrap_or_default()
    }

    fn code(&self, from: usize) -> i32 {
        self.field(from, 4).try_into().map_or(0, i32::from_le_bytes)
    }

    fn data_type(&self) -> i32 {
        self.code(0)
    }

    fn is_primary_system(&self) -> bool {
        self.data_type() == PARTITION && self.code(205) == PRIMARY_SYSTEM
    }

    fn root_file_system(&self) -> Result<RootFileSystem, Problem> {
        let file_system = match self.code(201) {
            1 => FileSystem::Squashfs,
            2 => FileSystem::Ext3,
            // With dm-crypt, and with gocryptfs.
            5 | 6 => return Err(Problem::Encrypted),
            other => return Err(Problem::FileSystem(other)),
        };
        let (offset, size) = integer(self.field(17, 8))
            .zip(integer(self.field(25, 8)))
            .filter(|(offset, size)| *size > 0 && offset.checked_add(*size).is_some())
            .ok_or(Problem::BadTable)?;
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
