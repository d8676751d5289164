//! Writes an image file by file, and remembers what it must contain.

use crate::walk::{Described, Files, digest};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{Device, Inode, InodeId, Kind, Metadata, Names, Tree, Xattrs};
use sifcache_squashfs::writer::{BLOCK_SIZE, Error, Finished, Options, Writer};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// An image that is being written.
pub(crate) struct Image {
    directory: TempDir,
    pub(crate) writer: Writer,
    pub(crate) tree: Tree,
    /// The digests of the contents, by inode.
    digests: HashMap<InodeId, String>,
}

/// A complete image.
pub(crate) struct Written {
    directory: TempDir,
    pub(crate) finished: Finished,
    /// What it must contain.
    pub(crate) files: Files,
}

pub(crate) fn options(compression: Compression) -> Options {
    Options { offset: 0, compression, workers: 2, block_size: BLOCK_SIZE, time: 1_700_000_000 }
}

pub(crate) fn metadata(mode: u16) -> Metadata {
    Metadata { mode, uid: 0, gid: 0, mtime: 1_600_000_000, xattrs: None }
}

/// Attributes that every file system with xattrs can store for any file.
pub(crate) fn xattrs(list: &[(&str, &[u8])]) -> Option<Arc<Xattrs>> {
    let set: Xattrs =
        list.iter().map(|(name, value)| (name.as_bytes().into(), (*value).into())).collect();
    (!set.is_empty()).then(|| Arc::new(set))
}

/// A directory for files of a test, on the file system of the build, which has xattrs.
pub(crate) fn scratch() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

impl Image {
    pub(crate) fn new(options: Options) -> Self {
        let directory = scratch();
        let path = directory.path().join("image");
        let file = std::fs::File::options().read(true).write(true).create_new(true).open(path);
        let writer = Writer::new(file.unwrap(), options).unwrap();
        Self { directory, writer, tree: Tree::new(metadata(0o755)), digests: HashMap::new() }
    }

    /// Adds an inode with a name; `parent` must be a directory.
    pub(crate) fn add(
        &mut self,
        parent: InodeId,
        name: &[u8],
        metadata: Metadata,
        kind: Kind,
    ) -> InodeId {
        let id = self.tree.add(Inode { metadata, kind }).unwrap();
        self.link(parent, name, id);
        id
    }

    pub(crate) fn link(&mut self, parent: InodeId, name: &[u8], id: InodeId) {
        assert!(self.tree.names_mut(parent).unwrap().insert(name.into(), id).is_none());
    }

    pub(crate) fn directory(
        &mut self,
        parent: InodeId,
        name: &[u8],
        metadata: Metadata,
    ) -> InodeId {
        self.add(parent, name, metadata, Kind::Directory(Names::new()))
    }

    pub(crate) fn file(
        &mut self,
        parent: InodeId,
        name: &[u8],
        metadata: Metadata,
        bytes: &[u8],
    ) -> InodeId {
        let path = [format!("{}/", parent.index()).as_bytes(), name].concat();
        let size = bytes.len() as u64;
        let content = self.writer.store(&path, size, &mut &bytes[..]).unwrap();
        let id = self.add(parent, name, metadata, Kind::File { size, content });
        self.digests.insert(id, digest(bytes));
        id
    }

    /// Removes a name; the content loses a use, as it does when an upper layer hides the file.
    pub(crate) fn hide(&mut self, parent: InodeId, name: &[u8]) {
        let id = self.tree.names_mut(parent).unwrap().remove(name).unwrap();
        if let Kind::File { content: Some(content), .. } = self.tree.get(id).unwrap().kind {
            self.writer.forget(content);
        }
    }

    pub(crate) fn finish(self) -> Result<Written, Error> {
        let finished = self.writer.finish(&self.tree)?;
        let mut files = Files::new();
        describe(&self.tree, &self.digests, Tree::ROOT, PathBuf::new(), &mut files);
        Ok(Written { directory: self.directory, finished, files })
    }
}

impl Written {
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    pub(crate) fn size(&self) -> u64 {
        std::fs::metadata(self.path()).unwrap().len()
    }
}

fn describe(
    tree: &Tree,
    digests: &HashMap<InodeId, String>,
    id: InodeId,
    path: PathBuf,
    files: &mut Files,
) {
    let inode = tree.get(id).unwrap();
    let device = |letter, Device { major, minor }| (letter, format!("{major}:{minor}"));
    let (letter, what) = match &inode.kind {
        Kind::Directory(names) => {
            for (name, child) in names {
                use std::os::unix::ffi::OsStrExt as _;
                let path = path.join(Path::new(std::ffi::OsStr::from_bytes(name)));
                describe(tree, digests, *child, path, files);
            }
            ('d', String::new())
        }
        Kind::File { size, .. } => {
            ('f', format!("{size} {}", digests.get(&id).cloned().unwrap_or_else(|| digest(b""))))
        }
        Kind::Symlink(target) => ('l', String::from_utf8_lossy(target).into_owned()),
        Kind::BlockDevice(number) => device('b', *number),
        Kind::CharDevice(number) => device('c', *number),
        Kind::Fifo => ('p', String::new()),
        Kind::Socket => ('s', String::new()),
    };
    let mode = if letter == 'l' { 0o777 } else { inode.metadata.mode };
    let Metadata { uid, gid, mtime, xattrs, .. } = &inode.metadata;
    let attributes: Vec<_> = xattrs.iter().flat_map(|set| set.iter()).collect();
    let attributes =
        attributes.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    let inode = u64::try_from(id.index()).unwrap();
    let text = format!("{letter} {mode:o} {uid}:{gid} {mtime} {what}");
    files.insert(path, Described { text, xattrs: attributes, inode });
}
