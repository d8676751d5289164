//! The first steps of a helper process.

use std::ffi::CStr;
use std::fs;
use std::os::fd::RawFd;

/// The name in ps(1).
const NAME: &CStr = c"sifcache-probe";

/// Names the process, so that admins can identify it if it hangs, and lets the kernel kill it when
/// its parent ends.
pub(super) fn set_process_name() {
    // SAFETY: the kernel reads a C string of less than 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, NAME.as_ptr()) };
    // SAFETY: the call takes two integers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Leaves the table of open files, which this process shares with its parent, for an empty one.
/// Otherwise a reader of the task's output would wait for this process, too.
pub(super) fn leave_files() {
    // SAFETY: the call takes three integers, and this process has opened no file of its own yet.
    let left =
        unsafe { libc::syscall(libc::SYS_close_range, 0, RawFd::MAX, libc::CLOSE_RANGE_UNSHARE) };
    if left != 0 && copy_files() {
        close_each_file();
    }
}

/// Copies the table of open files on Linux before 5.9, which has no close_range(2). False if this
/// is not possible; then no file may be closed, because the parent would lose it, too.
pub(super) fn copy_files() -> bool {
    // SAFETY: the call takes an integer.
    unsafe { libc::unshare(libc::CLONE_FILES) == 0 }
}

/// Closes all files in a table that this process does not share.
pub(super) fn close_each_file() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
    let all: Vec<RawFd> = entries.filter_map(|entry| number(entry.ok()?.file_name())).collect();
    for descriptor in all {
        // SAFETY: the call takes an integer. The descriptor of the directory is closed already,
        // which is an error without effect.
        unsafe { libc::close(descriptor) };
    }
}
