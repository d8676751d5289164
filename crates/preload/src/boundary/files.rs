//! Queries of the file system, which use only calls that are allowed after `vfork`.

use super::errno;
use std::ffi::{c_char, c_int};
use std::mem;

/// The identity of a file, regardless of its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: libc::dev_t,
    number: libc::ino_t,
}

/// The file that an exec of `path` would execute, or the error number with which the exec would
/// fail.
///
/// # Safety
/// `path` must be a C string.
pub(super) unsafe fn program(path: *const c_char) -> Result<Identity, c_int> {
    // SAFETY: the caller guarantees that `path` is a C string.
    let status = unsafe { status(libc::AT_FDCWD, path) }?;
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(libc::EACCES);
    }
    // SAFETY: the caller guarantees that `path` is a C string.
    match unsafe { libc::faccessat(libc::AT_FDCWD, path, libc::X_OK, libc::AT_EACCESS) } {
        0 => Ok(identity(&status)),
        _ => Err(errno::get()),
    }
}

/// The file `path` relative to the open directory `descriptor`, or the open file itself if `path`
/// is empty. The error is the error number.
///
/// # Safety
/// `path` must be a C string.
pub(super) unsafe fn opened(descriptor: c_int, path: *const c_char) -> Result<Identity, c_int> {
    // SAFETY: the caller guarantees that `path` is a C string.
    unsafe { status(descriptor, path) }.map(|status| identity(&status))
}

/// Reads the symbolic link `path` into `target` and returns its length in bytes. `None` if `path`
/// is not a readable link, or if its target may have been cut off.
///
/// # Safety
/// `path` must be a C string.
pub(super) unsafe fn read_link(path: *const c_char, target: &mut [u8]) -> Option<usize> {
    // SAFETY: the caller guarantees that `path` is a C string, and the length is that of `target`.
    let length = unsafe { libc::readlink(path, target.as_mut_ptr().cast(), target.len()) };
    let length = usize::try_from(length).ok()?;
    (length < target.len()).then_some(length)
}

/// # Safety
/// `path` must be a C string.
unsafe fn status(directory: c_int, path: *const c_char) -> Result<libc::stat, c_int> {
    // SAFETY: the structure consists of numbers, for which zero is a valid value.
    let mut status = unsafe { mem::zeroed::<libc::stat>() };
    // SAFETY: the caller guarantees that `path` is a C string, and `status` is a local variable.
    match unsafe { libc::fstatat(directory, path, &raw mut status, libc::AT_EMPTY_PATH) } {
        0 => Ok(status),
        _ => Err(errno::get()),
    }
}

fn identity(status: &libc::stat) -> Identity {
    Identity { device: status.st_dev, number: status.st_ino }
}
