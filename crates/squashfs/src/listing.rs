//! One line for each path of a tree, to compare trees.

use crate::reader::{Contents, Damage, Reader};
use crate::tree::{Inode, InodeId, Kind, Metadata, Tree};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::io::{self, Read as _};

/// The size of the buffer for the content of a file in bytes.
const CHUNK: usize = 128 << 10;

/// One path, with all properties that a comparison needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The path from the root directory, which itself is `/`.
    pub path: Box<[u8]>,
    /// The type as in `ls -l`: `d - l b c p s`.
    pub kind: char,
    /// Permissions, owner, time and extended attributes.
    pub metadata: Metadata,
    /// The size of a regular file in bytes, or of the target of a symbolic link; otherwise 0.
    pub size: u64,
    /// The first path of the same inode in the order of the listing, if the inode has several.
    pub link: Option<Box<[u8]>>,
    /// The SHA-256 of a regular file in hexadecimal, the target of a symbolic link, `MAJOR:MINOR`
    /// of a device, and otherwise nothing.
    pub content: Box<[u8]>,
}

/// Lists all paths of a file system: directories before their names, names in the order of bytes.
///
/// # Errors
/// The file system is invalid or cannot be read.
pub fn listing(reader: &Reader) -> Result<Vec<Line>, Damage> {
    let (tree, contents) = reader.tree()?;
    let names = count_names(&tree);
    let mut lister =
        Lister { reader, tree: &tree, contents: &contents, names, first: HashMap::new() };
    let mut lines = vec![lister.line(b"/".as_slice().into(), Tree::ROOT)?];
    let mut path: Vec<(Vec<u8>, _)> = Vec::new();
    path.extend(tree.names(Tree::ROOT).map(|names| (Vec::new(), names.iter())));
    while let Some((directory, names)) = path.last_mut() {
        let Some((name, id)) = names.next() else {
            path.pop();
            continue;
        };
        let full = [directory, b"/".as_slice(), name].concat();
        lines.push(lister.line(full.as_slice().into(), *id)?);
        path.extend(tree.names(*id).map(|names| (full, names.iter())));
    }
    Ok(lines)
}

/// The number of names of each inode that has several.
fn count_names(tree: &Tree) -> HashMap<InodeId, usize> {
    let mut count = HashMap::new();
    let mut left = vec![Tree::ROOT];
    while let Some(names) = left.pop().and_then(|id| tree.names(id)) {
        for id in names.values() {
            match tree.get(*id).map(|inode| &inode.kind) {
                Some(Kind::Directory(_)) => left.push(*id),
                _ => *count.entry(*id).or_default() += 1,
            }
        }
    }
    count.retain(|_, names| *names > 1);
    count
}

struct Lister<'a> {
    reader: &'a Reader,
    tree: &'a Tree,
    contents: &'a Contents,
    /// The number of names of each inode that has several.
    names: HashMap<InodeId, usize>,
    /// The line of the first path of each of them.
    first: HashMap<InodeId, Line>,
}

impl Lister<'_> {
    fn line(&mut self, path: Box<[u8]>, id: InodeId) -> Result<Line, Damage> {
        let inode = self.tree.get(id).ok_or(Damage::NotSquashfs)?;
        let (kind, size) = match &inode.kind {
            Kind::Directory(_) => ('d', 0),
            Kind::File { size, .. } => ('-', *size),
            Kind::Symlink(target) => ('l', target.len() as u64),
            Kind::BlockDevice(_) => ('b', 0),
            Kind::CharDevice(_) => ('c', 0),
            Kind::Fifo => ('p', 0),
            Kind::Socket => ('s', 0),
        };
        let metadata = inode.metadata.clone();
        if !self.names.contains_key(&id) {
            let content = self.content(inode)?;
            return Ok(Line { path, kind, metadata, size, link: None, content });
        }
        if let Some(first) = self.first.get(&id) {
            return Ok(Line { path, ..first.clone() });
        }
        let (link, content) = (Some(path.clone()), self.content(inode)?);
        let line = Line { path, kind, metadata, size, link, content };
        self.first.insert(id, line.clone());
        Ok(line)
    }

    fn content(&self, inode: &Inode) -> Result<Box<[u8]>, Damage> {
        Ok(match &inode.kind {
            Kind::File { content, .. } => {
                let mut sha256 = Sha256::new();
                if let Some(id) = content {
                    let mut from = self.reader.content(self.contents, *id)?;
                    let mut buffer = vec![0; CHUNK];
                    loop {
                        match from.read(&mut buffer) {
                            Ok(0) => break,
                            Ok(length) => sha256.update(buffer.get(..length).unwrap_or_default()),
                            Err(error) => return Err(damage(error)),
                        }
                    }
                }
                hex(&sha256.finalize()).into_bytes().into()
            }
            Kind::Symlink(target) => target.clone(),
            Kind::BlockDevice(device) | Kind::CharDevice(device) => {
                format!("{}:{}", device.major, device.minor).into_bytes().into()
            }
            Kind::Directory(_) | Kind::Fifo | Kind::Socket => Box::default(),
        })
    }
}

/// The damage inside an error of a content.
fn damage(error: io::Error) -> Damage {
    error.downcast::<Damage>().unwrap_or_else(Damage::Io)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for Line {
    /// Type and mode, `uid:gid`, size, time, path, and then what only some paths have: `->` and the
    /// target or `sha256` or the device, `=` and the first hard link, and each `[attribute=value]`.
    /// Bytes that are not printable are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Metadata { mode, uid, gid, mtime, xattrs } = &self.metadata;
        let (kind, size, path) = (self.kind, self.size, self.path.escape_ascii());
        write!(f, "{kind}{mode:04o} {uid}:{gid} {size} {mtime} {path}")?;
        if !self.content.is_empty() {
            write!(f, " -> {}", self.content.escape_ascii())?;
        }
        if let Some(link) = &self.link {
            write!(f, " = {}", link.escape_ascii())?;
        }
        for (name, value) in xattrs.iter().flat_map(|xattrs| xattrs.iter()) {
            write!(f, " [{}={}]", name.escape_ascii(), value.escape_ascii())?;
        }
        Ok(())
    }
}
