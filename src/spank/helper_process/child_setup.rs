//! The first steps of a helper process.

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, set_name, unshare_unsafe};
use std::fs;
use std::os::fd::RawFd;

/// Names the process, so that admins can identify it if it hangs, and lets the kernel kill it when
/// its parent ends.
pub(super) fn set_process_name() {
    let _ = set_name(c"sifcache-probe");
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
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
    // SAFETY: this process uses no descriptor that another one opens later.
    unsafe { unshare_unsafe(UnshareFlags::FILES) }.is_ok()
}

/// Closes all files in a table that this process does not share.
pub(super) fn close_each_file() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
    let all: Vec<RawFd> = entries.filter_map(|entry| number(entry.ok()?.file_name())).collect();
    for descriptor in all {
        // SAFETY: this process uses none of its files any more. The descriptor of the directory is
        // closed already, which is an error without effect, but not for `rustix::io::close`.
        unsafe { libc::close(descriptor) };
    }
}
