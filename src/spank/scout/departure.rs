//! What a scout does first.

use std::ffi::CStr;
use std::fs;
use std::os::fd::RawFd;

/// What ps(1) calls it.
const NAME: &CStr = c"sifcache-scout";

/// For whoever finds one that hangs, and so that it outlives us only where it must.
pub(super) fn introduce() {
    // SAFETY: a C string of less than 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, NAME.as_ptr()) };
    // SAFETY: two numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Closes what the scout has of us: who reads the task's output would wait for it too.
pub(super) fn close_all() {
    // SAFETY: three numbers; the scout has no descriptor of its own yet.
    if unsafe { libc::syscall(libc::SYS_close_range, 0, RawFd::MAX, 0) } != 0 {
        close_each();
    }
}

/// The same before Linux 5.9.
pub(super) fn close_each() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
    let all: Vec<RawFd> = entries.filter_map(|entry| number(entry.ok()?.file_name())).collect();
    for descriptor in all {
        // SAFETY: a number, as above; of the directory itself it is the second time.
        unsafe { libc::close(descriptor) };
    }
}
