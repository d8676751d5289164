//! A file system tree in memory: inodes, and directories that name them.
//!
//! A tree holds no file contents. A regular file has the size of its content and a [`ContentId`], which
//! is valid only for the writer or reader that issued it.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The index of an inode in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(u32);

impl InodeId {
    /// The place of the inode in its tree, counted from 0. It is the index for a table beside the
    /// tree.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The number of a content in the writer or reader that issued it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub u32);

/// Extended attributes: full names (`user.x`, `security.capability`) and their values, sorted by
/// name.
pub type Xattrs = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// The names in a directory, sorted by bytes as squashfs requires.
pub type Names = BTreeMap<Box<[u8]>, InodeId>;

/// The type of an inode, with the data that only this type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory(Names),
    /// A regular file. An empty file has no content.
    File {
        /// The size in bytes.
        size: u64,
        /// The content; `None` if `size` is 0.
        content: Option<ContentId>,
    },
    /// A symbolic link with its target.
    Symlink(Box<[u8]>),
    /// A block device.
    BlockDevice(Device),
    /// A character device.
    CharDevice(Device),
    /// A named pipe.
    Fifo,
    /// A socket. Layers cannot hold one, but a squashfs can.
    Socket,
}

/// The number of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// The major number; squashfs stores 12 bits.
    pub major: u32,
    /// The minor number; squashfs stores 20 bits.
    pub minor: u32,
}

/// The fields of all types of inodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Permissions with setuid, setgid and sticky bit: at most `0o7777`.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The modification time in seconds since 1970. Squashfs stores 32 bits without a sign.
    pub mtime: u32,
    /// The extended attributes; `None` if there are none. Inodes with equal attributes can share
    /// them, because millions of files can have the same few.
    pub xattrs: Option<Arc<Xattrs>>,
}

/// A file, directory, link or device. Two names of one inode are hard links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    /// Permissions, owner, time and extended attributes.
    pub metadata: Metadata,
    /// The type.
    pub kind: Kind,
}

/// A tree of inodes. Inodes that lost their last name stay in memory, but no directory leads to
/// them.
#[derive(Debug, Clone)]
pub struct Tree {
    inodes: Vec<Inode>,
}

impl Tree {
    /// The root directory.
    pub const ROOT: InodeId = InodeId(0);

    /// A tree with an empty root directory.
    #[must_use]
    pub fn new(root: Metadata) -> Self {
        Self { inodes: vec![Inode { metadata: root, kind: Kind::Directory(Names::new()) }] }
    }

    /// Adds an inode without a name. `None` if the tree is full: it holds at most `u32::MAX`
    /// inodes.
    pub fn add(&mut self, inode: Inode) -> Option<InodeId> {
        let id = u32::try_from(self.inodes.len()).ok()?;
        self.inodes.push(inode);
        Some(InodeId(id))
    }

    /// The inode with this number. `None` only for a number of another tree.
    #[must_use]
    pub fn get(&self, id: InodeId) -> Option<&Inode> {
        self.inodes.get(id.index())
    }

    /// The inode with this number, to change it.
    pub fn get_mut(&mut self, id: InodeId) -> Option<&mut Inode> {
        self.inodes.get_mut(id.index())
    }

    /// All inodes in memory with their numbers, with or without a name.
    pub fn iter(&self) -> impl Iterator<Item = (InodeId, &Inode)> {
        (0..).map(InodeId).zip(&self.inodes)
    }

    /// The names in a directory; `None` if the inode is not a directory.
    #[must_use]
    pub fn names(&self, id: InodeId) -> Option<&Names> {
        match &self.get(id)?.kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        }
    }

    /// The names in a directory, to change them; `None` if the inode is not a directory.
    pub fn names_mut(&mut self, id: InodeId) -> Option<&mut Names> {
        match &mut self.get_mut(id)?.kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        }
    }

    /// The inode that `path` names, component by component, without following symbolic links.
    #[must_use]
    pub fn lookup<'a>(&self, path: impl IntoIterator<Item = &'a [u8]>) -> Option<InodeId> {
        path.into_iter().try_fold(Self::ROOT, |id, name| self.names(id)?.get(name).copied())
    }

    /// All inodes in memory, with or without a name.
    pub fn ids(&self) -> impl Iterator<Item = InodeId> + use<> {
        (0..u32::try_from(self.inodes.len()).unwrap_or(u32::MAX)).map(InodeId)
    }

    /// The number of inodes in memory, with or without a name.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inodes.len()
    }

    /// Whether the tree holds no inode; never true, because the root always exists.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inodes.is_empty()
    }
}
