//! Packs a directory into a squashfs, to measure and profile the writer:
//!
//! ```text
//! cargo run --release -p sifcache-squashfs --example pack -- OUT zstd:3 DIRECTORY…
//! ```
//!
//! `COUNT@SIZE` instead of a directory stands for so many files of so many random bytes.
//! Several directories are layers: a file hides the file with its path in an earlier one.

use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{Inode, InodeId, Kind, Metadata, Tree};
use sifcache_squashfs::writer::{BLOCK_SIZE, Options, Writer};
use std::collections::HashMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Instant;

struct Pack {
    writer: Writer,
    tree: Tree,
    links: HashMap<(u64, u64), InodeId>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(out), Some(compression)) = (arguments.next(), arguments.next()) else {
        return Err("usage: pack OUT COMPRESSION DIRECTORY|COUNT@SIZE…".into());
    };
    let file = File::options().read(true).write(true).create(true).truncate(true).open(out)?;
    let workers = std::thread::available_parallelism()?.get();
    let compression: Compression = compression.parse()?;
    let options = Options { offset: 0, compression, workers, block_size: BLOCK_SIZE, time: 0 };
    let root = Metadata { mode: 0o755, ..Metadata::default() };
    let (start, tree) = (Instant::now(), Tree::new(root));
    let mut pack = Pack { writer: Writer::new(file, options)?, tree, links: HashMap::new() };
    for source in arguments {
        match source.split_once('@') {
            Some((count, size)) => pack.random(count.parse()?, size.parse()?)?,
            None => pack.directory(Path::new(&source), Tree::ROOT)?,
        }
    }
    let read = start.elapsed();
    let finished = pack.writer.finish(&pack.tree)?;
    let (size, counts) = (finished.size, finished.counts);
    writeln!(
        io::stdout(),
        "{read:?} to read, {:?} in all, {size} bytes, {counts:?}",
        start.elapsed()
    )?;
    Ok(())
}

impl Pack {
    fn directory(&mut self, from: &Path, to: InodeId) -> Result<(), Box<dyn Error>> {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let (path, status) = (entry.path(), entry.metadata()?);
            let name = entry.file_name().as_bytes().into();
            let old = self.tree.names(to).and_then(|names| names.get(&name)).copied();
            let old_kind = old.and_then(|id| self.tree.get(id)).map(|inode| inode.kind.clone());
            let id = match (old, &old_kind) {
                (Some(id), Some(Kind::Directory(_))) if status.is_dir() => id,
                _ => self.inode(&path, &status)?,
            };
            if let Some(Kind::File { content: Some(content), .. }) = old_kind {
                self.writer.forget(content);
            }
            if let Some(names) = self.tree.names_mut(to) {
                names.insert(name, id);
            }
            if status.is_dir() {
                self.directory(&path, id)?;
            }
        }
        Ok(())
    }

    fn inode(&mut self, path: &Path, status: &fs::Metadata) -> Result<InodeId, Box<dyn Error>> {
        let number = (status.dev(), status.ino());
        if let Some(id) = self.links.get(&number).filter(|_| !status.is_dir()) {
            return Ok(*id);
        }
        let kind = if status.is_dir() {
            Kind::Directory(std::collections::BTreeMap::new())
        } else if status.is_symlink() {
            Kind::Symlink(fs::read_link(path)?.as_os_str().as_bytes().into())
        } else if status.is_file() {
            let (size, mut data) = (status.len(), File::open(path)?);
            let content = self.writer.store(path.as_os_str().as_bytes(), size, &mut data)?;
            Kind::File { size, content }
        } else {
            Kind::Fifo
        };
        let metadata = Metadata {
            mode: (status.mode() & 0o7777) as u16,
            uid: status.uid(),
            gid: status.gid(),
            mtime: u32::try_from(status.mtime())?,
            xattrs: None,
        };
        let id = self.tree.add(Inode { metadata, kind }).ok_or("too many inodes")?;
        if status.nlink() > 1 {
            self.links.insert(number, id);
        }
        Ok(id)
    }

    fn random(&mut self, count: u64, size: usize) -> Result<(), Box<dyn Error>> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for number in 0..count {
            let words = std::iter::repeat_with(|| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            });
            let bytes: Vec<u8> = words.flatten().take(size).collect();
            let (name, size) = (number.to_string(), bytes.len() as u64);
            let content = self.writer.store(name.as_bytes(), size, &mut bytes.as_slice())?;
            let kind = Kind::File { size, content };
            let inode = Inode { metadata: Metadata { mode: 0o644, ..Metadata::default() }, kind };
            let id = self.tree.add(inode).ok_or("too many inodes")?;
            if let Some(names) = self.tree.names_mut(Tree::ROOT) {
                names.insert(name.as_bytes().into(), id);
            }
        }
        Ok(())
    }
}
