//! Reads the whole tree of a file system.

use super::budget::Budget;
use super::bytes::{u32_at, u64_at};
use super::contents::{Contents, Fragment};
use super::inode::{self, Body};
use super::metadata::Metadata;
use super::table::Table;
use super::walk::{self, Visitor};
use super::xattrs::Attributes;
use super::{Damage, Reader};
use crate::tree::{self, Device, Inode, InodeId, Kind, Names, Tree, Xattrs};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// A tree that grows.
struct Builder<'a> {
    metadata: &'a Metadata<'a>,
    ids: Table,
    fragments: Table,
    attributes: Attributes,
    /// The extended attributes that were read, by their number.
    known: HashMap<u32, Arc<Xattrs>>,
    tree: Option<Tree>,
    /// The inodes in the order of the walk.
    inodes: Vec<InodeId>,
    contents: Contents,
}

impl Reader {
    /// Reads all inodes, names and extended attributes. The [`tree::ContentId`]s in the tree are
    /// those of the contents.
    ///
    /// # Errors
    /// If any of them is invalid, or they need more memory than the [`super::Limits`] allow.
    pub fn tree(&self) -> Result<(Tree, Contents), Damage> {
        self.supported()?;
        let metadata = Metadata::new(self)?;
        let mut builder = Builder {
            metadata: &metadata,
            ids: self.ids(),
            fragments: self.fragments(),
            attributes: Attributes::new(&metadata)?,
            known: HashMap::new(),
            tree: None,
            inodes: Vec::new(),
            contents: Contents::default(),
        };
        walk::walk(&metadata, self.budget(), &mut builder)?;
        builder.tree.map(|tree| (tree, builder.contents)).ok_or(Damage::NotSquashfs)
    }
}

impl Visitor for Builder<'_> {
    fn inode(&mut self, inode: inode::Inode, budget: &mut Budget) -> Result<(), Damage> {
        let metadata = tree::Metadata {
            mode: inode.mode & 0o7777,
            uid: self.id(inode.user)?,
            gid: self.id(inode.group)?,
            mtime: inode.mtime,
            xattrs: self.xattrs(inode.xattrs, budget)?,
        };
        let at = inode.at;
        let kind = self.kind(inode)?;
        let id = match (&mut self.tree, kind) {
            (Some(tree), kind) => tree.add(Inode { metadata, kind }),
            (none, _) => {
                *none = Some(Tree::new(metadata));
                Some(Tree::ROOT)
            }
        };
        self.inodes.push(id.ok_or_else(|| Damage::at(at, "too many inodes"))?);
        Ok(())
    }

    fn name(&mut self, directory: u32, name: Box<[u8]>, inode: u32) -> Result<(), Damage> {
        let place = |index: u32| self.inodes.get(index as usize).copied();
        if let (Some(directory), Some(inode)) = (place(directory), place(inode))
            && let Some(names) = self.tree.as_mut().and_then(|tree| tree.names_mut(directory))
        {
            names.insert(name, inode);
        }
        Ok(())
    }
}

impl Builder<'_> {
    fn id(&self, number: u16) -> Result<u32, Damage> {
        self.ids.get(self.metadata, number.into()).map(|entry| u32_at(&entry, 0))
    }

    fn xattrs(
        &mut self,
        number: Option<u32>,
        budget: &mut Budget,
    ) -> Result<Option<Arc<Xattrs>>, Damage> {
        let Some(number) = number else { return Ok(None) };
        let xattrs = match self.known.entry(number) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => {
                let xattrs = self.attributes.get(self.metadata, number, budget)?;
                Arc::clone(new.insert(Arc::new(xattrs)))
            }
        };
        Ok(Some(xattrs).filter(|xattrs| !xattrs.is_empty()))
    }

    fn kind(&mut self, inode: inode::Inode) -> Result<Kind, Damage> {
        Ok(match (inode.body, inode.kind) {
            (Body::Directory { .. }, _) => Kind::Directory(Names::new()),
            (Body::File(file), _) => self.file(&file, inode.at)?,
            (Body::Symlink(target), _) => Kind::Symlink(target.into()),
            (Body::Device(number), 4) => Kind::BlockDevice(device(number)),
            (Body::Device(number), _) => Kind::CharDevice(device(number)),
            (Body::Other, 6) => Kind::Fifo,
            (Body::Other, _) => Kind::Socket,
        })
    }

    fn file(&mut self, file: &inode::File, at: u64) -> Result<Kind, Damage> {
        let size = file.size;
        if size == 0 {
            return Ok(Kind::File { size, content: None });
        }
        let fragment = match file.fragment {
            Some((number, offset)) => {
                let entry = self.fragments.get(self.metadata, number.into())?;
                Some(Fragment { at: u64_at(&entry, 0), size: u32_at(&entry, 8), offset })
            }
            None => None,
        };
        let content = self.contents.add(file, fragment);
        let content = content.ok_or_else(|| Damage::at(at, "too many files"))?;
        Ok(Kind::File { size, content: Some(content) })
    }
}

/// Squashfs stores 12 bits of the major number between 8 and 12 bits of the minor number.
fn device(number: u32) -> Device {
    Device { major: number >> 8 & 0xfff, minor: number & 0xff | number >> 12 & 0xf_ff00 }
}
