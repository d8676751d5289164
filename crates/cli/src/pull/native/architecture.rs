//! The architecture in the header of a SIF file: that of a program in the image.
//!
//! The runtime takes `/bin/sh`. If that is not an ELF program of a known architecture, it takes the
//! first executable ELF file in the order of the paths, or else the architecture of the host.
//!
//! Source: `internal/pkg/util/machine/machine.go` of Apptainer and `NewFile` in Go's `debug/elf`.

mod elf;

use elf::Program;
use sifcache_squashfs::tree::{ContentId, Inode, InodeId, Kind, Tree};

/// The most symbolic links that the runtime follows on the way to the shell.
const MOST_LINKS: u32 = 40;
const SHELL: &[u8] = b"bin/sh";
/// Execute permission for the owner, the group or others.
const EXECUTE: u16 = 0o111;
const READ: u16 = 0o400;
const READ_AND_SEARCH: u16 = 0o500;

/// The code of an architecture in a SIF header: two digits.
pub(crate) type Code = [u8; 2];

/// The architecture is uncertain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Runtimes differ in whether they know this architecture.
    #[error("its programs are for an architecture that only new runtimes know")]
    NewArchitecture,
    /// The way to the shell has too many symbolic links.
    #[error("/bin/sh: too many symbolic links")]
    TooManyLinks,
}

/// Finds the architecture of an image in its tree, with the runtime's files and before
/// [`Rules::packed`](sifcache_layers::rules::Rules::packed). `head` gives the first 64 bytes of a
/// content if it begins with the magic number of ELF. `privileged` says whether the runtime may
/// read all files. `None`: no program decides, and the runtime takes the host's architecture, as it
/// did for the template.
///
/// # Errors
/// The runtimes differ.
pub(crate) fn find<'a>(
    tree: &Tree,
    privileged: bool,
    head: &dyn Fn(ContentId) -> Option<&'a [u8]>,
) -> Result<Option<Code>, Error> {
    let search = Search { tree, privileged, head };
    let shell = shell(tree)?.and_then(|id| tree.get(id));
    match shell.and_then(|shell| search.program(shell)) {
        Some(Program::Known(code)) => Ok(Some(code)),
        Some(Program::New) => Err(Error::NewArchitecture),
        Some(Program::Unknown) | None => search.first_program(),
    }
}

/// The file that `/bin/sh` leads to, inside of the image.
fn shell(tree: &Tree) -> Result<Option<InodeId>, Error> {
    let mut way = vec![Tree::ROOT];
    let mut todo: Vec<&[u8]> = components(SHELL).collect();
    let mut links = 0;
    while let Some(name) = todo.pop() {
        match name {
            b"" | b"." => continue,
            b".." => {
                way.truncate(way.len().saturating_sub(1).max(1));
                continue;
            }
            _ => {}
        }
        let directory = way.last().copied().unwrap_or(Tree::ROOT);
        let Some(id) = tree.names(directory).and_then(|names| names.get(name)) else {
            return Ok(None);
        };
        match tree.get(*id).map(|inode| &inode.kind) {
            Some(Kind::Symlink(target)) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Error::TooManyLinks);
                }
                if target.starts_with(b"/") {
                    way.truncate(1);
                }
                todo.extend(components(target));
            }
            _ => way.push(*id),
        }
    }
    Ok(way.last().copied())
}

/// The components of a path, the last one first.
fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').rev()
}

struct Search<'t, 'a> {
    tree: &'t Tree,
    privileged: bool,
    head: &'t dyn Fn(ContentId) -> Option<&'a [u8]>,
}

impl Search<'_, '_> {
    /// The program in a file; `None` if it is not an ELF file or cannot be read.
    fn program(&self, inode: &Inode) -> Option<Program> {
        let Kind::File { size, content: Some(content) } = inode.kind else { return None };
        if !self.may(inode, READ) {
            return None;
        }
        elf::program((self.head)(content)?, size)
    }

    /// The architecture of the first executable ELF file in the order of the paths. A file of an
    /// unknown architecture ends the search too.
    fn first_program(&self) -> Result<Option<Code>, Error> {
        let mut todo = vec![Tree::ROOT];
        while let Some(inode) = todo.pop().and_then(|id| self.tree.get(id)) {
            if let Kind::Directory(names) = &inode.kind {
                if self.may(inode, READ_AND_SEARCH) {
                    todo.extend(names.values().rev());
                }
                continue;
            }
            if inode.metadata.mode & EXECUTE == 0 {
                continue;
            }
            match self.program(inode) {
                Some(Program::Known(code)) => return Ok(Some(code)),
                Some(Program::New) => return Err(Error::NewArchitecture),
                Some(Program::Unknown) => return Ok(None),
                None => {}
            }
        }
        Ok(None)
    }

    fn may(&self, inode: &Inode, permission: u16) -> bool {
        self.privileged || inode.metadata.mode & permission == permission
    }
}

#[cfg(test)]
mod tests;
