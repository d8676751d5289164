//! Adds to a tree what the runtime adds to an unpacked image.
//!
//! Source: `makeBaseEnv` in `internal/pkg/build/sources/base_environment.go` of Apptainer, and
//! `internal/pkg/build/metadata.go`.

use super::additions::{Addition, Additions, components};
use sifcache_layers::ContentSink;
use sifcache_layers::follow::{Followed, follow};
use sifcache_squashfs::tree::{Inode, InodeId, Kind, Metadata, Names, Tree};

/// Write permission of the owner, permission to enter a directory, and both.
const WRITE: u16 = 0o200;
const SEARCH: u16 = 0o100;
const WRITE_AND_SEARCH: u16 = 0o300;
const SET_GROUP_ID: u16 = 0o2000;
/// An attribute that the kernel removes when a file is written.
const CAPABILITY: &[u8] = b"security.capability";
/// Directories with which the runtime builds other files than the template's: an image that was
/// made from a SIF file has labels, scripts and a definition, and SCIF apps have metadata.
const MERGED_BY_THE_RUNTIME: [&[u8]; 2] = [b".singularity.d", b"scif"];

/// Why only the runtime itself can add its files to an image, or why they cannot be stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error<E> {
    /// The runtime decides by rules that this command does not know, or its pull would fail too.
    #[error("{}: {what}", .path.escape_ascii())]
    Unsupported {
        /// The path from the root directory.
        path: Vec<u8>,
        /// What is unusual about it.
        what: &'static str,
    },
    /// The sink cannot store a content.
    #[error("{0}")]
    Store(E),
}

/// Adds to a tree.
pub(super) struct Overlay<'a, S> {
    pub(super) tree: &'a mut Tree,
    pub(super) sink: &'a mut S,
    /// The time of new files, in seconds since 1970.
    pub(super) now: u32,
    /// Whether the runtime may write to all files and directories.
    pub(super) privileged: bool,
}

fn unsupported<T, E>(path: &[u8], what: &'static str) -> Result<T, Error<E>> {
    Err(Error::Unsupported { path: path.to_vec(), what })
}

impl<S: ContentSink> Overlay<'_, S> {
    /// Adds everything: first directories, then links, then files, as the runtime does.
    ///
    /// # Errors
    /// The image has something in these places that the runtime treats in an unknown way, or
    /// the sink fails.
    pub(super) fn add(&mut self, additions: &Additions) -> Result<(), Error<S::Error>> {
        for path in MERGED_BY_THE_RUNTIME {
            if self.tree.lookup(components(path)).is_some() {
                return unsupported(path, "the image was made from a SIF file");
            }
        }
        if let Some(root) = self.tree.get_mut(Tree::ROOT) {
            root.metadata.mode |= WRITE;
        }
        for (path, mode) in &additions.directories {
            self.directory(path, *mode)?;
        }
        for (path, target) in &additions.links {
            self.link(path, target)?;
        }
        additions.files.iter().try_for_each(|(path, addition)| self.file(path, addition))
    }

    fn directory(&mut self, path: &[u8], mode: u16) -> Result<(), Error<S::Error>> {
        let (parent, name) = self.parent(path)?;
        if self.tree.names(parent).is_some_and(|names| names.contains_key(name)) {
            return match follow(self.tree, path) {
                Ok(Followed::Existing(id)) if self.tree.names(id).is_some() => Ok(()),
                Ok(_) => unsupported(path, "the runtime needs a directory there"),
                Err(_) => unsupported(path, "it leads out of the image"),
            };
        }
        let metadata = Metadata { mode, ..Metadata::default() };
        let inode = Inode { metadata, kind: Kind::Directory(Names::new()) };
        self.create(path, parent, name, inode)
    }

    fn link(&mut self, path: &[u8], target: &[u8]) -> Result<(), Error<S::Error>> {
        let (parent, name) = self.parent(path)?;
        if self.tree.names(parent).is_some_and(|names| names.contains_key(name)) {
            return unsupported(path, "the runtime makes a link there");
        }
        let metadata = Metadata { mode: 0o777, ..Metadata::default() };
        let inode = Inode { metadata, kind: Kind::Symlink(target.into()) };
        self.create(path, parent, name, inode)
    }

    fn file(&mut self, path: &[u8], addition: &Addition) -> Result<(), Error<S::Error>> {
        self.parent(path)?;
        let size = addition.content.len() as u64;
        let kind = |content| Kind::File { size, content };
        match follow(self.tree, path) {
            Ok(Followed::Existing(id)) => {
                self.check_writable(path, id)?;
                let content = self.store(path, &addition.content)?;
                let Some(inode) = self.tree.get_mut(id) else { return Ok(()) };
                let old = std::mem::replace(&mut inode.kind, kind(content));
                inode.metadata.mode = addition.mode;
                inode.metadata.mtime = self.now;
                if let Kind::File { content: Some(content), .. } = old {
                    self.sink.forget(content);
                }
                Ok(())
            }
            Ok(Followed::Missing { parent, name }) => {
                let content = self.store(path, &addition.content)?;
                let metadata = Metadata { mode: addition.mode, ..Metadata::default() };
                self.create(path, parent, &name, Inode { metadata, kind: kind(content) })
            }
            Ok(Followed::Nowhere) => unsupported(path, "the runtime cannot create it"),
            Err(_) => unsupported(path, "it leads out of the image"),
        }
    }

    /// Only regular files are overwritten: opening a pipe or a device does something else. The
    /// runtime makes them writable first.
    fn check_writable(&self, path: &[u8], id: InodeId) -> Result<(), Error<S::Error>> {
        let Some(inode) = self.tree.get(id) else { return Ok(()) };
        let metadata = &inode.metadata;
        if !matches!(inode.kind, Kind::File { .. }) {
            return unsupported(path, "the runtime writes to it, and it is not a file");
        }
        if metadata.xattrs.as_ref().is_some_and(|xattrs| xattrs.contains_key(CAPABILITY)) {
            return unsupported(path, "the runtime writes to it, and it has capabilities");
        }
        Ok(())
    }

    fn store(
        &mut self,
        path: &[u8],
        content: &[u8],
    ) -> Result<Option<sifcache_squashfs::tree::ContentId>, Error<S::Error>> {
        let stored = self.sink.store(path, content.len() as u64, &mut &*content);
        stored.map_err(Error::Store)
    }

    /// The directory of a path, which must exist, and the last name of the path.
    fn parent<'p>(&self, path: &'p [u8]) -> Result<(InodeId, &'p [u8]), Error<S::Error>> {
        let (directory, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => path.split_at_checked(slash).unwrap_or_default(),
            None => (&[][..], path),
        };
        let name = name.strip_prefix(b"/").unwrap_or(name);
        match follow(self.tree, directory) {
            Ok(Followed::Existing(id)) if self.tree.names(id).is_some() => {
                let mode = self.tree.get(id).map_or(0, |inode| inode.metadata.mode);
                match self.privileged || mode & SEARCH != 0 {
                    true => Ok((id, name)),
                    false => unsupported(directory, "its owner may not enter it"),
                }
            }
            Ok(_) => unsupported(directory, "the runtime needs a directory there"),
            Err(_) => unsupported(directory, "it leads out of the image"),
        }
    }

    /// Creates a file as the kernel does: a setgid directory passes on its group, and directories
    /// pass on this bit.
    fn create(
        &mut self,
        path: &[u8],
        parent: InodeId,
        name: &[u8],
        mut inode: Inode,
    ) -> Result<(), Error<S::Error>> {
        let Some(directory) = self.tree.get_mut(parent) else { return Ok(()) };
        let mode = directory.metadata.mode;
        if !self.privileged && mode & WRITE_AND_SEARCH != WRITE_AND_SEARCH {
            return unsupported(path, "the runtime makes it, and its directory is not writable");
        }
        directory.metadata.mtime = self.now;
        if mode & SET_GROUP_ID != 0 {
            inode.metadata.gid = directory.metadata.gid;
            if matches!(inode.kind, Kind::Directory(_)) {
                inode.metadata.mode |= SET_GROUP_ID;
            }
        }
        inode.metadata.mtime = self.now;
        let Some(id) = self.tree.add(inode) else { return unsupported(path, "too many files") };
        if let Some(names) = self.tree.names_mut(parent) {
            names.insert(name.into(), id);
        }
        Ok(())
    }
}
