//! System calls on files that the standard library lacks.

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd as _;

/// The bits that the umask of this process removes from the mode of a new file.
pub(crate) fn umask() -> u32 {
    // SAFETY: the call takes and returns an integer. This process has one thread.
    let umask = unsafe { libc::umask(0) };
    // SAFETY: as above; this restores the umask.
    unsafe { libc::umask(umask) };
    umask
}

/// Makes `to` share the blocks of `from`, on a file system that can do this.
///
/// # Errors
/// The file system cannot share blocks, or the files are on different file systems.
pub(crate) fn share_blocks(from: &File, to: &File) -> io::Result<()> {
    // SAFETY: the request takes the descriptor of another file, and both files are open.
    match unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The types of file systems whose servers copy a file without sending it to this node: NFS, SMB,
/// and Ceph.
const WITH_OWN_COPY: [i64; 4] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400];

/// Whether the server of a file can copy it by itself: copy_file_range(2).
pub(crate) fn has_own_copy(file: &File) -> bool {
    let mut status = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the file is open, and the call only writes the structure.
    let result = unsafe { libc::fstatfs(file.as_raw_fd(), status.as_mut_ptr()) };
    // SAFETY: all bytes of the structure are zero or written by the call.
    let status = unsafe { status.assume_init() };
    result == 0 && WITH_OWN_COPY.contains(&status.f_type)
}

/// The bytes that this user may still write to the file system of `file`; `None` if the file
/// system does not report them.
pub(crate) fn free_space(file: &File) -> Option<u64> {
    let mut status = MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the file is open, and the call only writes the structure.
    let result = unsafe { libc::fstatvfs(file.as_raw_fd(), status.as_mut_ptr()) };
    // SAFETY: all bytes of the structure are zero or written by the call.
    let status = unsafe { status.assume_init() };
    // A file system without a limit reports a size of 0.
    (result == 0 && status.f_blocks > 0).then(|| status.f_bavail.saturating_mul(status.f_frsize))
}
