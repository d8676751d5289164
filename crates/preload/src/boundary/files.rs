//! What is asked of the file system: only calls that are allowed after `vfork`.

use super::errno;
use std::ffi::{c_char, c_int};
use std::mem;

/// Which file it is, whatever its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: libc::dev_t,
    number: libc::ino_t,
}

/// The file that an exec of `path` would execute, or the error number with which it would
/// fail.
///
/// # Safety
/// `path` is a C string.
pub(super) unsafe fn program(path: *const c_char) -> Result<Identity, c_int> {
    // SAFETY: the caller vouches for the path.
    let status = unsafe { status(libc::AT_FDCWD, path) }?;
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(libc::EACCES);
    }
    // SAFETY: the caller vouches for the path.
    match unsafe { libc::faccessat(libc::AT_FDCWD, path, libc::X_OK, libc::AT_EACCESS) } {
        0 => Ok(identity(&status)),
        _ => Err(errno::get()),
    }
}

/// The file `path` under the open directory, or the open file itself if `path` is empty.
///
/// # Safety
/// `path` is a C string.
pub(super) unsafe fn opened(descriptor: c_int, path: *const c_char) -> Result<Identity, c_int> {
    // SAFETY: the caller vouches for the path.
    unsafe { status(descriptor, path) }.map(|status| identity(&status))
}

/// Reads the symbolic link `path` into `target`, and returns how long it is; none if it is
/// no link, or may have been cut off.
///
/// # Safety
/// `path` is a C string.
pub(super) unsafe fn read_link(path: *const c_char, target: &mut [u8]) -> Option<usize> {
    // SAFETY: the caller vouches for the path, and the buffer is as long as we say.
    let length = unsafe { libc::readlink(path, target.as_mut_ptr().cast(), target.len()) };
    let length = usize::try_from(length).ok()?;
    (length < target.len()).then_some(length)
}

/// # Safety
/// `path` is a C string.
unsafe fn status(directory: c_int, path: *const c_char) -> Result<libc::stat, c_int> {
    // SAFETY: the structure has numbers only.
    let mut status = unsafe { mem::zeroed::<libc::stat>() };
    // SAFETY: the caller vouches for the path, and the structure is our own.
    match unsafe { libc::fstatat(directory, path, &raw mut status, libc::AT_EMPTY_PATH) } {
        0 => Ok(status),
        _ => Err(errno::get()),
    }
}

fn identity(status: &libc::stat) -> Identity {
    Identity { device: status.st_dev, number: status.st_ino }
}
