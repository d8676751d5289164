//! This process: its entry point, environment and end. The only unsafe code of the shim.
//!
//! Rust's own entry point would change what a runtime inherits: it ignores SIGPIPE, and opens
//! /dev/null for each standard descriptor that is closed. So the shim defines the C entry point
//! itself. It executes programs with one system call, because `std` would also reset the signal
//! mask.
#![allow(unsafe_code)]

pub(crate) mod files;
pub(crate) mod signals;

use crate::environment::{Environment, Variable};
use crate::{exit_status, start};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, access};
use std::ffi::{CStr, CString, c_char, c_int};
use std::io::{self, Write as _};
use std::{iter, panic, ptr};

unsafe extern "C" {
    /// environ(7)
    static environ: *const *const c_char;
}

/// The mark by which a shim recognizes a copy of itself under any name: an ELF note, which linkers
/// place right after the program headers.
#[repr(C, align(4))]
struct Note([u8; 24]);

#[used]
#[unsafe(link_section = ".note.sifcache")]
static MARK: Note = Note(*if cfg!(target_endian = "little") {
    b"\x09\0\0\0\0\0\0\0\x01\0\0\0sifcache\0\0\0\0"
} else {
    b"\0\0\0\x09\0\0\0\0\0\0\0\x01sifcache\0\0\0\0"
});

/// Whether a file that begins with `start` is a shim.
pub(crate) fn is_shim(start: &[u8]) -> bool {
    // ELF notes are aligned to four bytes.
    start.windows(MARK.0.len()).step_by(4).any(|bytes| bytes == MARK.0)
}

/// The C entry point.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_argc: c_int, argv: *const *const c_char) -> c_int {
    // A panic message would go to the job's stderr. After a panic, `decided.rs` continues without
    // the cache.
    panic::set_hook(Box::new(|_| {}));
    // SAFETY: libc has set up the array, and nothing changes it.
    let arguments: Vec<CString> = unsafe { strings(argv) }.map(CStr::to_owned).collect();
    // SAFETY: libc has initialized this variable, and nothing changes it.
    let variables = unsafe { environ };
    // SAFETY: as for the arguments; the shim never calls setenv(3) or putenv(3).
    let environment = Environment::new(unsafe { strings(variables) });
    panic::catch_unwind(|| start(&arguments, environment)).unwrap_or(exit_status::FAILED)
}

/// Returns the strings of an array that ends with a null pointer.
///
/// # Safety
/// `next` is null or points to such an array of C strings, which stay valid and unchanged until this
/// process ends.
unsafe fn strings(mut next: *const *const c_char) -> impl Iterator<Item = &'static CStr> {
    iter::from_fn(move || {
        // SAFETY: `next` is not null and points into the array: it never moves past the null
        // pointer at the end.
        let string = if next.is_null() { ptr::null() } else { unsafe { next.read() } };
        if string.is_null() {
            return None;
        }
        // SAFETY: this entry is not the null pointer at the end, so another entry follows.
        next = unsafe { next.add(1) };
        // SAFETY: the pointer is not null, so it points to a C string, which stays valid.
        Some(unsafe { CStr::from_ptr(string) })
    })
}

/// The path by which this program was executed, as passed to the kernel: getauxval(3).
pub(crate) fn executed_as() -> Option<CString> {
    // SAFETY: the call takes an integer and returns 0 or the address of a C string of this process.
    let address = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    // SAFETY: the address is not null, so it is that of the C string.
    (!address.is_null()).then(|| unsafe { CStr::from_ptr(address) }.to_owned())
}

/// The real user ID.
pub(crate) fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The process ID of the parent; 0 if the parent is in another PID namespace.
pub(crate) fn parent() -> i32 {
    rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get())
}

/// Whether this process has more rights than the creator of its environment, as in a set-user-ID
/// program: getauxval(3). No variable of sifcache may then have an effect.
pub(crate) fn is_privileged() -> bool {
    // SAFETY: the call takes and returns an integer.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether this user may execute the file at `path`. The kernel decides, not only the file's mode.
pub(crate) fn may_execute(path: &CStr) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Writes to stderr. If stderr has no reader any more, the text is dropped and the launch goes on:
/// the write would raise SIGPIPE, although the runtime itself might never write to stderr.
pub(crate) fn write_stderr(text: &str) {
    let mut stderr = io::stderr();
    let mut events = [PollFd::new(&stderr, PollFlags::empty())];
    let _ = poll(&mut events, Some(&Timespec::default()));
    if events.iter().all(|stderr| stderr.revents().is_empty()) {
        let _ = stderr.write_all(text.as_bytes());
    }
}

/// Executes another program in place of this one. Returns only if that fails.
pub(crate) fn execute(path: &CStr, arguments: &[CString], environment: &[Variable]) -> io::Error {
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // This is not libc's `execve`, because the interposer would redirect that to the shim again.
    //
    // SAFETY: the path is a valid C string, and both arrays hold C strings and end with a null
    // pointer.
    unsafe {
        libc::syscall(libc::SYS_execve, path.as_ptr(), arguments.as_ptr(), environment.as_ptr())
    };
    io::Error::last_os_error()
}

fn pointers(strings: &[impl AsRef<CStr>]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ref().as_ptr()).chain([ptr::null()]).collect()
}
