//! System calls on files that the standard library lacks.

use rustix::fs::{Mode, fstatfs, fstatvfs, ioctl_ficlone};
use std::fs::File;
use std::io;

/// The bits that the umask of this process removes from the mode of a new file.
pub(crate) fn umask() -> u32 {
    // This process has one thread.
    let umask = rustix::process::umask(Mode::empty());
    rustix::process::umask(umask);
    umask.bits()
}

/// Makes `to` share the blocks of `from`, on a file system that can do this.
///
/// # Errors
/// The file system cannot share blocks, or the files are on different file systems.
pub(crate) fn share_blocks(from: &File, to: &File) -> io::Result<()> {
    Ok(ioctl_ficlone(to, from)?)
}

/// The types of file systems whose servers copy a file without sending it to this node: NFS, SMB,
/// and Ceph.
const WITH_OWN_COPY: [i64; 4] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x00c3_6400];

/// Whether the server of a file can copy it by itself: copy_file_range(2).
pub(crate) fn has_own_copy(file: &File) -> bool {
    fstatfs(file).is_ok_and(|status| WITH_OWN_COPY.contains(&status.f_type))
}

/// The bytes that this user may still write to the file system of `file`; `None` if the file
/// system does not report them.
pub(crate) fn free_space(file: &File) -> Option<u64> {
    // A file system without a limit reports a size of 0.
    let status = fstatvfs(file).ok().filter(|status| status.f_blocks > 0)?;
    Some(status.f_bavail.saturating_mul(status.f_frsize))
}
