//! The attributes of a file that the checks of an image need.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Type, owner and size of a file or directory, as in `struct stat`: inode(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// The type of the file and its permissions.
    pub mode: u32,
    /// The ID of the owner, in the user namespace of this process.
    pub uid: u32,
    /// The ID of the group.
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
}

impl Attributes {
    /// Whether this is a regular file.
    #[must_use]
    pub fn is_regular(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }
}

impl From<&Metadata> for Attributes {
    fn from(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            size: metadata.size(),
        }
    }
}
