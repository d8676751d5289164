//! What the runtime adds to the layers of an image: directories, links, and files.

use super::probes;
use sifcache_squashfs::tree::{Inode, InodeId, Kind, Names, Tree};
use std::collections::BTreeMap;

/// Files that the runtime empties if the image has them: it mounts the host's own over them.
pub(super) const EMPTIED: [&[u8]; 2] = [b"etc/hosts", b"etc/resolv.conf"];
/// The directory of these files. The template's layer has it because of a probe, so the template
/// does not show that the runtime makes it.
const ETC: &[u8] = b"etc";

/// Everything that the runtime adds, by path from the root directory, parents first.
#[derive(Debug, Default)]
pub(super) struct Additions {
    /// Directories that the runtime makes if they are missing, with their permissions.
    pub(super) directories: BTreeMap<Vec<u8>, u16>,
    /// Symbolic links with their targets.
    pub(super) links: BTreeMap<Vec<u8>, Box<[u8]>>,
    /// Files that the runtime writes even if the image has them.
    pub(super) files: BTreeMap<Vec<u8>, Addition>,
}

/// A file that the runtime writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addition {
    /// The permissions, without the type of the file.
    pub(super) mode: u16,
    pub(super) content: Vec<u8>,
}

impl Additions {
    /// Compares the tree of a template with `layers`, the merged tree of its layer. `read` reads
    /// the content of a file of the template. Returns `None` if the runtime added anything other
    /// than directories, symbolic links and files.
    ///
    /// # Errors
    /// The first error of `read`.
    pub(super) fn find<E>(
        template: &Tree,
        layers: &Tree,
        read: &mut dyn FnMut(&Inode) -> Result<Vec<u8>, E>,
    ) -> Result<Option<Self>, E> {
        let mut additions = Self::default();
        additions.directories.insert(ETC.to_vec(), 0o755);
        let mut todo = vec![(Vec::new(), Tree::ROOT)];
        while let Some((path, id)) = todo.pop() {
            for (name, child) in template.names(id).into_iter().flat_map(Names::iter) {
                let path = join(&path, name);
                if path == probes::DIRECTORY.as_bytes() {
                    continue;
                }
                if !additions.add(&path, template, *child, layers, read)? {
                    return Ok(None);
                }
                todo.push((path, *child));
            }
        }
        Ok(Some(additions))
    }

    /// Adds a path of the template. Returns whether it can be added.
    fn add<E>(
        &mut self,
        path: &[u8],
        template: &Tree,
        id: InodeId,
        layers: &Tree,
        read: &mut dyn FnMut(&Inode) -> Result<Vec<u8>, E>,
    ) -> Result<bool, E> {
        let Some(inode) = template.get(id) else { return Ok(false) };
        let is_new = layers.lookup(components(path)).is_none();
        let mode = inode.metadata.mode;
        match &inode.kind {
            _ if !is_new && !EMPTIED.contains(&path) => {}
            Kind::Directory(_) => _ = self.directories.insert(path.to_vec(), mode),
            Kind::Symlink(target) => _ = self.links.insert(path.to_vec(), target.clone()),
            Kind::File { .. } => {
                let content = read(inode)?;
                self.files.insert(path.to_vec(), Addition { mode, content });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The components of a path.
pub(super) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

/// `directory` from the root, empty for the root itself, and a name in it.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}
