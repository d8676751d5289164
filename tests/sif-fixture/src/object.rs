//! An object of a SIF file: its descriptor and its data.
//!
//! ```text
//!    0  data type          4   kind
//!    4  in use             1
//!    5  ID, group, link   12   three numbers
//!   17  offset, size      16   of the data
//!   33  size with padding  8
//!   41  times, owner      32
//!   73  name             128
//!  201  file system        4   of a partition, like the next two
//!  205  partition type     4
//!  209  architecture       3
//! ```

use crate::{DESCRIPTOR, code, integer};

/// File system codes of a partition.
pub mod file_system {
    /// squashfs.
    pub const SQUASHFS: i32 = 1;
    /// ext3.
    pub const EXT3: i32 = 2;
    /// Raw data.
    pub const RAW: i32 = 4;
    /// squashfs, encrypted with dm-crypt.
    pub const ENCRYPTED_SQUASHFS: i32 = 5;
    /// squashfs, encrypted with gocryptfs.
    pub const GOCRYPTFS_SQUASHFS: i32 = 6;
}

/// Type codes of a partition.
pub mod partition {
    /// A system partition that is not the primary one.
    pub const SYSTEM: i32 = 1;
    /// The primary system partition, which contains the root file system.
    pub const PRIMARY_SYSTEM: i32 = 2;
    /// Data.
    pub const DATA: i32 = 3;
    /// A writable overlay.
    pub const OVERLAY: i32 = 4;
}

const DEFINITION: i32 = 0x4001;
const PARTITION: i32 = 0x4004;
const SIGNATURE: i32 = 0x4005;
const JSON: i32 = 0x4006;
const GENERIC: i32 = 0x4007;
const OCI_INDEX: i32 = 0x400a;
const OCI_BLOB: i32 = 0x400b;

/// A group number has these bits set.
const GROUP: u32 = 0xf000_0000;

/// An object of a SIF file.
#[derive(Debug, Clone)]
pub struct Object {
    kind: i32,
    group: u32,
    link: u32,
    name: String,
    data: Vec<u8>,
    /// The codes of its file system and of its type, if it is a partition.
    partition: Option<(i32, i32)>,
    architecture: Option<[u8; 2]>,
}

impl Object {
    /// An object with the code of its data type.
    #[must_use]
    pub fn new(kind: i32, data: impl Into<Vec<u8>>) -> Self {
        let (name, data) = (String::new(), data.into());
        Self { kind, group: 0, link: 0, name, data, partition: None, architecture: None }
    }

    /// The definition file that the image was built from.
    #[must_use]
    pub fn definition(text: impl Into<Vec<u8>>) -> Self {
        Self::new(DEFINITION, text)
    }

    /// The labels and everything else that `inspect` shows, under the name that the runtime uses.
    #[must_use]
    pub fn metadata(json: impl Into<Vec<u8>>) -> Self {
        Self::new(JSON, json).named("inspect-metadata.json")
    }

    /// A signature that is not valid.
    #[must_use]
    pub fn signature() -> Self {
        Self::new(SIGNATURE, [0])
    }

    /// Generic data.
    #[must_use]
    pub fn generic(data: impl Into<Vec<u8>>) -> Self {
        Self::new(GENERIC, data)
    }

    /// The index of an OCI image.
    #[must_use]
    pub fn oci_index() -> Self {
        Self::new(OCI_INDEX, *b"{}")
    }

    /// A blob of an OCI image.
    #[must_use]
    pub fn oci_blob() -> Self {
        Self::new(OCI_BLOB, [0])
    }

    /// The primary system partition, with the code of its file system.
    #[must_use]
    pub fn root_file_system(file_system: i32, data: impl Into<Vec<u8>>) -> Self {
        Self::partition(file_system, partition::PRIMARY_SYSTEM, data)
    }

    /// A partition, with the codes of its file system and its type.
    #[must_use]
    pub fn partition(file_system: i32, kind: i32, data: impl Into<Vec<u8>>) -> Self {
        Self { partition: Some((file_system, kind)), ..Self::new(PARTITION, data) }
    }

    /// Sets the name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// Sets the group.
    #[must_use]
    pub fn group(self, group: u32) -> Self {
        Self { group: GROUP | group, ..self }
    }

    /// Links this object to a group, as the signature of the group is.
    #[must_use]
    pub fn linked_to_group(self, group: u32) -> Self {
        Self { link: GROUP | group, ..self }
    }

    /// Sets an architecture for this partition that differs from the one in the header.
    #[must_use]
    pub fn architecture(self, name: &str) -> Self {
        Self { architecture: Some(*code(name)), ..self }
    }

    /// The data of this object.
    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }

    /// The descriptor of this object. `id` is its number, `offset` the offset of its data, and
    /// `architecture` that of the file.
    pub(crate) fn descriptor(&self, id: u32, offset: usize, architecture: [u8; 2]) -> Vec<u8> {
        let mut bytes = self.kind.to_le_bytes().to_vec();
        bytes.push(1);
        for number in [id, self.group, self.link] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [offset, self.data.len(), self.data.len()] {
            bytes.extend(integer(number));
        }
        bytes.resize(73, 0);
        bytes.extend(self.name.bytes().take(127));
        bytes.resize(201, 0);
        if let Some((file_system, kind)) = self.partition {
            bytes.extend(file_system.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(self.architecture.unwrap_or(architecture));
        }
        bytes.resize(DESCRIPTOR, 0);
        bytes
    }
}
