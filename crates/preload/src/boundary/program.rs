//! The program that a caller wants to start, and its path.

use super::files::{self, Identity};
use super::{loaded, strings};
use crate::descriptor;
use crate::entry::Entry;
use crate::runtimes::file_name;
use crate::search::{self, Status};
use std::ffi::{c_char, c_int};

/// The search path of glibc if `PATH` is not set.
const UNSET: &[u8] = b"/bin:/usr/bin";

/// A program as the caller specifies it.
#[derive(Clone, Copy)]
pub(super) enum Program {
    /// A path.
    Path(*const c_char),
    /// A name to search for in `PATH`, or a path if it contains a slash.
    Search(*const c_char),
    /// An open directory and a path relative to it, or an open file and an empty path.
    Opened(c_int, *const c_char),
}

impl Program {
    /// The program that the arguments of execveat specify. `None` for an empty or null path without
    /// `AT_EMPTY_PATH`, and for flags other than `AT_EMPTY_PATH`.
    ///
    /// # Safety
    /// `path` must be null or a C string.
    pub(super) unsafe fn at(directory: c_int, path: *const c_char, flags: c_int) -> Option<Self> {
        // SAFETY: the caller guarantees that `path` is null or a C string.
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

    /// Whether the program may be a runtime and needs a closer check. This runs for every program
    /// that is started, so it must not take much time or much stack.
    ///
    /// # Safety
    /// The string must be null or a C string.
    pub(super) unsafe fn may_be_runtime(self) -> bool {
        // SAFETY: the caller guarantees that the string is null or a C string.
        let text = unsafe { strings::bytes(self.text()) };
        let unnamed = text.is_empty() && matches!(self, Self::Opened(..));
        unnamed || loaded::is_runtime(file_name(text))
    }

    /// Stores in `entry` the path of the program that would be executed. `None` if the exec would
    /// fail, or if it is uncertain which program it would execute. `moved` is true if the exec may
    /// happen in another working directory.
    ///
    /// # Safety
    /// The string must be a C string.
    pub(super) unsafe fn locate(self, moved: bool, entry: &mut Entry) -> Option<Identity> {
        // SAFETY: the caller guarantees that the string is a C string.
        let text = unsafe { strings::bytes(self.text()) };
        match self {
            // SAFETY: as above.
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
    // SAFETY: a null byte follows the path in memory, so it is a C string.
    unsafe { files::program(entry.path().as_ptr().cast()) }
}

fn locate_in_path(name: &[u8], moved: bool, entry: &mut Entry) -> Option<Identity> {
    // SAFETY: the name is a C string. The functions of glibc read `PATH` at the same point.
    let path = unsafe { libc::getenv(c"PATH".as_ptr()) };
    // SAFETY: `path` is not null, so it is a C string.
    let path = if path.is_null() { UNSET } else { unsafe { strings::bytes(path) } };
    let mut found = None;
    search::find(path, name, moved, entry, |entry| match program_at(entry) {
        Ok(identity) => {
            found = Some(identity);
            Status::Program
        }
        Err(
            libc::EACCES
            | libc::ENOENT
            | libc::ESTALE
            | libc::ENOTDIR
            | libc::ENODEV
            | libc::ETIMEDOUT,
        ) => Status::Other,
        Err(_) => Status::Error,
    })?;
    found
}

/// Stores in `entry` the path of an open file, or of `path` relative to an open directory. The path
/// of the descriptor comes from the kernel. `None` if the file is not a runtime, if the path no
/// longer leads to the same file, or in case of doubt.
///
/// # Safety
/// `path` must be a C string.
unsafe fn locate_opened(
    descriptor: c_int,
    path: *const c_char,
    entry: &mut Entry,
) -> Option<Identity> {
    let link = descriptor::link(descriptor)?;
    // SAFETY: `link` ends with null bytes, so it is a C string.
    entry.read_path(|path| unsafe { files::read_link(link.as_ptr().cast(), path) })?;
    if !descriptor::is_path(entry.path()) {
        return None;
    }
    // SAFETY: the caller guarantees that `path` is a C string.
    let name = unsafe { strings::bytes(path) };
    if !name.is_empty() {
        entry.append(&[b"/", name])?;
    }
    if !loaded::is_runtime(file_name(entry.path())) {
        return None;
    }
    // SAFETY: the caller guarantees that `path` is a C string.
    let opened = unsafe { files::opened(descriptor, path) }.ok()?;
    program_at(entry).ok().filter(|program| *program == opened)
}
