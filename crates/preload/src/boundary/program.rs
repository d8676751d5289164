//! The program that a caller names, and where it is.

use super::files::{self, Identity};
use super::{loaded, strings};
use crate::descriptor;
use crate::entry::Entry;
use crate::runtimes::file_name;
use crate::search::{self, Look};
use std::ffi::{c_char, c_int};

/// What glibc searches where `PATH` is not set.
const UNSET: &[u8] = b"/bin:/usr/bin";

/// How a caller names it.
#[derive(Clone, Copy)]
pub(super) enum Program {
    /// By its path.
    Path(*const c_char),
    /// By a name that is searched for in `PATH`, or by its path if that has a slash.
    Search(*const c_char),
    /// By an open directory and a path from there, or an open file and an empty path.
    Opened(c_int, *const c_char),
}

impl Program {
    /// What execveat names; none with flags that change what it means.
    ///
    /// # Safety
    /// The path is null, or a C string.
    pub(super) unsafe fn at(directory: c_int, path: *const c_char, flags: c_int) -> Option<Self> {
        // SAFETY: the caller vouches for the path.
        let text = unsafe { strings::bytes(path) };
        match (text, flags) {
            ([], libc::AT_EMPTY_PATH) => Some(Self::Opened(directory, c"".as_ptr())),
            ([], _) => None,
            ([b'/', ..], 0 | libc::AT_EMPTY_PATH) => Some(Self::Path(path)),
            (_, 0 | libc::AT_EMPTY_PATH) if directory == libc::AT_FDCWD => Some(Self::Path(path)),
            (_, 0 | libc::AT_EMPTY_PATH) => Some(Self::Opened(directory, path)),
            _ => None,
        }
    }

    fn text(self) -> *const c_char {
        let (Self::Path(text) | Self::Search(text) | Self::Opened(_, text)) = self;
        text
    }

    /// Whether to take a closer look. This is asked for every program that anybody starts,
    /// so it takes little time, and little stack.
    ///
    /// # Safety
    /// The string is null, or a C string.
    pub(super) unsafe fn may_be_runtime(self) -> bool {
        // SAFETY: the caller vouches for the string.
        let text = unsafe { strings::bytes(self.text()) };
        let unnamed = text.is_empty() && matches!(self, Self::Opened(..));
        unnamed || loaded::is_runtime(file_name(text))
    }

    /// Leaves in `entry` the path of what would be executed; none if the exec would fail,
    /// or in any doubt. `moved` says that it may happen in another working directory.
    ///
    /// # Safety
    /// The string is a C string.
    pub(super) unsafe fn locate(self, moved: bool, entry: &mut Entry) -> Option<Identity> {
        // SAFETY: the caller vouches for the string.
        let text = unsafe { strings::bytes(self.text()) };
        match self {
            // SAFETY: the caller vouches for the string.
            Self::Opened(descriptor, path) => unsafe { locate_opened(descriptor, path, entry) },
            Self::Search(_) if !text.contains(&b'/') => locate_in_path(text, moved, entry),
            _ if moved && !text.starts_with(b"/") => None,
            _ => {
                entry.set_path(&[text])?;
                program_at(entry).ok()
            }
        }
    }
}

fn program_at(entry: &Entry) -> Result<Identity, c_int> {
    // SAFETY: a null byte follows the path.
    unsafe { files::program(entry.path().as_ptr().cast()) }
}

fn locate_in_path(name: &[u8], moved: bool, entry: &mut Entry) -> Option<Identity> {
    // SAFETY: a C string; the functions of glibc ask here and now as well.
    let path = unsafe { libc::getenv(c"PATH".as_ptr()) };
    // SAFETY: null or a C string.
    let path = if path.is_null() { UNSET } else { unsafe { strings::bytes(path) } };
    let mut found = None;
    search::find(path, name, moved, entry, |entry| match program_at(entry) {
        Ok(identity) => {
            found = Some(identity);
            Look::Program
        }
        Err(
            libc::EACCES
            | libc::ENOENT
            | libc::ESTALE
            | libc::ENOTDIR
            | libc::ENODEV
            | libc::ETIMEDOUT,
        ) => Look::Other,
        Err(_) => Look::Error,
    })?;
    found
}

/// The kernel tells the path of what is open, and we look whether it still is the same file.
///
/// # Safety
/// `path` is a C string.
unsafe fn locate_opened(
    descriptor: c_int,
    path: *const c_char,
    entry: &mut Entry,
) -> Option<Identity> {
    let link = descriptor::link(descriptor)?;
    // SAFETY: a C string.
    entry.read_path(|path| unsafe { files::read_link(link.as_ptr().cast(), path) })?;
    if !descriptor::is_path(entry.path()) {
        return None;
    }
    // SAFETY: the caller vouches for the path.
    let name = unsafe { strings::bytes(path) };
    if !name.is_empty() {
        entry.append(&[b"/", name])?;
    }
    if !loaded::is_runtime(file_name(entry.path())) {
        return None;
    }
    // SAFETY: the caller vouches for the path.
    let opened = unsafe { files::opened(descriptor, path) }.ok()?;
    program_at(entry).ok().filter(|program| *program == opened)
}
