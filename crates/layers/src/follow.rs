//! Follows the symbolic links in a path as the kernel does for a program that runs outside the
//! image.
//!
//! After unpacking, Apptainer makes directories, links and files in the root file system with plain
//! system calls (`makeBaseEnv` in its `internal/pkg/build/sources/base_environment.go`). An
//! absolute link of the image then leads into the host's file system.

use crate::error::Reason;
use crate::path::LONGEST_NAME;
use sifcache_squashfs::tree::{InodeId, Kind, Tree};

/// The most links that Linux follows in one path.
const MOST_LINKS: u32 = 40;

/// The destination of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// A file or directory.
    Existing(InodeId),
    /// Nothing, but its directory exists. Creating the file through a link creates it here.
    Missing {
        /// The directory.
        parent: InodeId,
        /// The name that is free.
        name: Box<[u8]>,
    },
    /// Nothing, and its directory does not exist, or a component on the way is not a directory.
    Nowhere,
}

/// Follows all links in `path`, the last component too.
///
/// # Errors
///
/// A link is absolute or leads above the root: the result then depends on the host, so only the runtime
/// itself can determine it.
pub fn follow(tree: &Tree, path: &[u8]) -> Result<Followed, Reason> {
    let mut way = vec![Tree::ROOT];
    let mut todo: Vec<&[u8]> = vec![path];
    let mut links = 0;
    while let Some(rest) = todo.pop() {
        let slash = rest.iter().position(|byte| *byte == b'/');
        let name = slash.map_or(Some(rest), |slash| rest.get(..slash)).unwrap_or_default();
        if let Some(behind) = slash.and_then(|slash| rest.get(slash + 1..)) {
            todo.push(behind);
        }
        let directory = way.last().copied().unwrap_or(Tree::ROOT);
        let Some(names) = tree.names(directory) else { return Ok(Followed::Nowhere) };
        match name {
            b"" | b"." => continue,
            b".." if way.len() > 1 => {
                way.pop();
                continue;
            }
            b".." => return Err(Reason::at(path, "a symbolic link leads out of the image")),
            _ => {}
        }
        let Some(id) = names.get(name).copied() else {
            let is_last = todo.iter().all(|rest| rest.iter().all(|byte| *byte == b'/'));
            let fits = name.len() <= LONGEST_NAME;
            let missing = Followed::Missing { parent: directory, name: name.into() };
            return Ok(if is_last && fits { missing } else { Followed::Nowhere });
        };
        let Some(Kind::Symlink(target)) = tree.get(id).map(|inode| &inode.kind) else {
            way.push(id);
            continue;
        };
        links += 1;
        if links > MOST_LINKS || target.starts_with(b"/") {
            let what = "a symbolic link that depends on the host";
            return Err(Reason::at(path, what));
        }
        todo.push(target);
    }
    Ok(Followed::Existing(way.last().copied().unwrap_or(Tree::ROOT)))
}
