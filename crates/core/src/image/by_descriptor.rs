//! The fast path to a candidate: every directory on its path is opened once, relative to its parent.
//!
//! Each system call with a path looks up all directories of the path again, which costs requests to
//! the file server if the node's caches have expired. A descriptor takes the place of the path.
//!
//! The kernel has cached the owner and mode of a file that it has just opened, and of a directory in
//! which it has just looked up a name: NFS, for example, validates them before it uses the name. They
//! are as recent as those with which the kernel itself checked permissions, so the server is not
//! queried for them again. There are two exceptions: the root, whose name was not looked up if it is a
//! mount point, and the last directory, because the check precedes the lookup in it.
//!
//! This path covers the usual case: no links, and nothing that ordinary users can write. In every
//! other case the result is [`Found::Unclear`]; the checks by path, which implement all rules, then
//! determine the state of the candidate.

use crate::attributes::Attributes;
use crate::settings::Untrusted;
use crate::trust;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ffi::{CStr, CString, c_int};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

/// System calls that the standard library lacks. This crate has no foreign functions, so its callers
/// provide them.
#[derive(Debug, Clone, Copy)]
pub struct SystemCalls {
    /// Opens the file `name` in a directory with these flags: openat(2).
    pub open_at: fn(directory: &File, name: &CStr, flags: c_int) -> io::Result<File>,
    /// The attributes of an open file that the kernel has cached, if possible without a request to a
    /// file server: statx(2) with `AT_STATX_DONT_SYNC`.
    pub known_attributes: fn(file: &File) -> io::Result<Attributes>,
}

pub(super) const DIRECTORY: c_int =
    libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
const HANDLE: c_int = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
/// Opening a fifo must not block.
const READ: c_int =
    libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW | libc::O_CLOEXEC;

/// The result for one candidate.
pub(super) enum Found {
    /// It does not exist.
    Absent,
    /// The open file, a regular one that passed the checks of owners and modes, and its size.
    File(File, u64),
    /// The checks by path have to decide.
    Unclear,
}

/// The result for an image root.
pub(super) enum Entered {
    Root(Tree),
    /// The root does not exist.
    Missing,
    /// The checks by path have to decide.
    Unclear,
}

/// The checks by path have to decide.
struct Unclear;

/// A way to the attributes of an open file or directory.
pub(super) type Attributed = fn(&File) -> io::Result<Attributes>;

/// An image root, and the last directory below it that was searched.
pub(super) struct Tree {
    calls: SystemCalls,
    /// The attributes of a directory before a name is looked up in it.
    current: Attributed,
    untrusted: Untrusted,
    root: Directory,
    /// The name of the directory, and `None` instead of the directory if it does not exist.
    last: Option<(String, Option<Directory>)>,
}

/// An open directory, and whether no ordinary user can add a name to it.
pub(super) struct Directory {
    file: File,
    is_trusted: OnceCell<bool>,
}

impl Tree {
    /// Opens the image root and, with [`Untrusted::Refuse`], checks the path to it.
    pub(super) fn enter(path: &Path, untrusted: Untrusted, calls: SystemCalls) -> Entered {
        let Some(path) = plain(path) else { return Entered::Unclear };
        let root = |file| Entered::Root(Self::new(Directory::new(file), untrusted, calls, current));
        match (open_directory(&path), untrusted) {
            (Ok(file), Untrusted::Accept) => root(file),
            (Ok(file), Untrusted::Refuse) => match path.parent() {
                Some(parent) if is_passable(parent) => root(file),
                _ => Entered::Unclear,
            },
            (Err(error), Untrusted::Accept) if is_absent(&error) => Entered::Missing,
            (Err(error), Untrusted::Refuse) if is_absent(&error) => {
                if is_only_name_missing(&path) {
                    Entered::Missing
                } else {
                    Entered::Unclear
                }
            }
            (Err(_), Untrusted::Accept) => Entered::Unclear,
            (Err(_), Untrusted::Refuse) => follow(&path).map_or(Entered::Unclear, root),
        }
    }

    /// The tree below an image root, the path to which was checked. `current` is the way to the attributes of a
    /// directory before a name is looked up in it.
    pub(super) fn new(
        root: Directory,
        untrusted: Untrusted,
        calls: SystemCalls,
        current: Attributed,
    ) -> Self {
        Self { calls, current, untrusted, root, last: None }
    }

    /// Finds the candidate `name` below the root.
    pub(super) fn find(&mut self, name: &str) -> Found {
        let (directory, name) = name.rsplit_once('/').unwrap_or(("", name));
        let file = self.search(directory).and_then(|()| match self.found() {
            Some(directory) => self.open(directory, name),
            None => Ok(None),
        });
        match file {
            Ok(Some((file, size))) => Found::File(file, size),
            Ok(None) => Found::Absent,
            Err(Unclear) => Found::Unclear,
        }
    }

    /// The directory of the last search; `None` if it does not exist.
    fn found(&self) -> Option<&Directory> {
        self.last.as_ref().map_or(Some(&self.root), |(_, directory)| directory.as_ref())
    }

    /// Searches the directory `name`, unless it is that of the last search: the names of a
    /// reference in one directory follow one another.
    fn search(&mut self, name: &str) -> Result<(), Unclear> {
        if self.last.as_ref().map_or("", |(last, _)| last) == name {
            return Ok(());
        }
        self.last = None;
        if name.is_empty() {
            return Ok(());
        }
        let mut here: Option<Directory> = None;
        for part in name.split('/') {
            let (parent, attributes) = match &here {
                None => (&self.root, self.current),
                Some(directory) => (directory, self.calls.known_attributes),
            };
            let Some(next) = self.open_in(parent, part, DIRECTORY)? else {
                here = None;
                break;
            };
            self.check(parent, attributes)?;
            here = Some(Directory::new(next));
        }
        self.last = Some((name.to_owned(), here));
        Ok(())
    }

    /// Opens a file in a directory, and returns it with its size in bytes; `None` if it does not
    /// exist. Opening a file that is not a regular one could have side effects. With
    /// [`Untrusted::Refuse`], only system accounts could have created such a file; with
    /// [`Untrusted::Accept`], the type is checked first.
    fn open(&self, directory: &Directory, name: &str) -> Result<Option<(File, u64)>, Unclear> {
        self.check(directory, self.current)?;
        if self.untrusted == Untrusted::Accept {
            let Some(handle) = self.open_in(directory, name, HANDLE)? else { return Ok(None) };
            self.regular(&handle)?;
        }
        let Some(file) = self.open_in(directory, name, READ)? else { return Ok(None) };
        let attributes = self.regular(&file)?;
        let is_trusted = self.untrusted == Untrusted::Accept || trust::is_trusted(&attributes);
        if is_trusted { Ok(Some((file, attributes.size))) } else { Err(Unclear) }
    }

    /// The attributes of a file that was just opened, if it is a regular one.
    fn regular(&self, file: &File) -> Result<Attributes, Unclear> {
        (self.calls.known_attributes)(file).ok().filter(Attributes::is_regular).ok_or(Unclear)
    }

    fn open_in(
        &self,
        directory: &Directory,
        name: &str,
        flags: c_int,
    ) -> Result<Option<File>, Unclear> {
        if matches!(name, "" | "." | "..") {
            return Err(Unclear);
        }
        let name = CString::new(name).map_err(|_| Unclear)?;
        match (self.calls.open_at)(&directory.file, &name, flags) {
            Ok(file) => Ok(Some(file)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(_) => Err(Unclear),
        }
    }

    /// Checks that no ordinary user could have made an entry of the directory.
    fn check(&self, directory: &Directory, attributes: Attributed) -> Result<(), Unclear> {
        match self.untrusted {
            Untrusted::Refuse if !directory.is_trusted(attributes) => Err(Unclear),
            _ => Ok(()),
        }
    }
}

impl Directory {
    fn new(file: File) -> Self {
        Self { file, is_trusted: OnceCell::new() }
    }

    /// A directory of which the attributes were read.
    pub(super) fn known(attributes: &Attributes, file: File) -> Self {
        Self { file, is_trusted: OnceCell::from(trust::is_trusted(attributes)) }
    }

    fn is_trusted(&self, attributes: Attributed) -> bool {
        let is_trusted = || attributes(&self.file).is_ok_and(|found| trust::is_trusted(&found));
        *self.is_trusted.get_or_init(is_trusted)
    }
}

/// The path without a slash at the end, which would make the kernel follow a link; `None` if it is
/// relative or contains `..`.
pub(super) fn plain(path: &Path) -> Option<Cow<'_, Path>> {
    // The paths of the settings have this form already.
    let mut parts = path.as_os_str().as_encoded_bytes().split(|byte| *byte == b'/');
    if parts.next() == Some(b"") && parts.all(|part| !matches!(part, b"" | b"." | b"..")) {
        return Some(Cow::Borrowed(path));
    }
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let all_plain = path.is_absolute() && path.components().all(is_plain);
    all_plain.then(|| Cow::Owned(path.components().collect()))
}

fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(DIRECTORY).open(path)
}

/// Opens the directory that a link leads to, after a check of every directory and link on the way.
fn follow(path: &Path) -> Option<File> {
    let place = trust::enter(path).ok()?;
    open_directory(place.path()).ok()
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOENT)
}

/// The attributes according to the file server, or to a recent answer of it.
fn current(file: &File) -> io::Result<Attributes> {
    file.metadata().map(|metadata| Attributes::from(&metadata))
}

/// Whether no ordinary user could have redirected a path through this directory.
fn is_passable(directory: &Path) -> bool {
    trust::enter(directory).is_ok_and(|place| trust::is_passable(&place))
}

/// Whether all directories of a path exist, so that only its last name is missing. Those that lead
/// to the last one are checked, as in a walk to the root.
fn is_only_name_missing(path: &Path) -> bool {
    let Some(parent) = path.parent() else { return false };
    parent.parent().is_none_or(is_passable) && open_directory(parent).is_ok()
}
