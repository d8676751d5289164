//! This process: its entry, its environment and its end. The only unsafe code of the shim.
//!
//! Rust's own entry would change what a runtime inherits: it ignores SIGPIPE, and opens
//! /dev/null where a standard descriptor is closed. So the C entry is ours, and execution
//! is one system call; with `std`'s, the signal mask would go too.
#![allow(unsafe_code)]

use crate::{exit_status, start};
use std::ffi::{CStr, CString, c_char, c_int};
use std::io::{self, Write as _};
use std::{panic, ptr};

unsafe extern "C" {
    /// environ(7)
    static environ: *const *const c_char;
}

/// What makes a copy of the shim known to another one, whatever its name: a note of ELF,
/// which linkers put right behind the program headers.
#[repr(C, align(4))]
struct Note([u8; 24]);

#[used]
#[unsafe(link_section = ".note.sifcache")]
static MARK: Note = Note(*if cfg!(target_endian = "little") {
    b"\x09\0\0\0\0\0\0\0\x01\0\0\0sifcache\0\0\0\0"
} else {
    b"\0\0\0\x09\0\0\0\0\0\0\0\x01sifcache\0\0\0\0"
});

/// Whether a file that starts like this is a shim.
pub(crate) fn is_shim(start: &[u8]) -> bool {
    // Notes are aligned to four bytes.
    start.windows(MARK.0.len()).step_by(4).any(|bytes| bytes == MARK.0)
}

/// The C entry.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_argc: c_int, argv: *const *const c_char) -> c_int {
    // A panic would print to the job's stderr; `plan.rs` goes on without the cache then.
    panic::set_hook(Box::new(|_| {}));
    // SAFETY: libc has set it up before, and no other thread changes it.
    let arguments = unsafe { strings(argv) };
    // SAFETY: a variable of libc, which nobody changes.
    let variables = unsafe { environ };
    // SAFETY: as the arguments.
    let variables = unsafe { strings(variables) };
    panic::catch_unwind(|| start(&arguments, variables)).unwrap_or(exit_status::FAILED)
}

/// The strings of an array that ends with a null pointer.
///
/// # Safety
/// It is null or such an array, and holds C strings.
unsafe fn strings(mut next: *const *const c_char) -> Vec<CString> {
    let mut strings = Vec::new();
    while !next.is_null() {
        // SAFETY: inside the array, which ends with the null pointer that ends this loop.
        let string = unsafe { next.read() };
        if string.is_null() {
            break;
        }
        // SAFETY: not null, so it is a C string.
        strings.push(unsafe { CStr::from_ptr(string) }.to_owned());
        // SAFETY: the null pointer has not come yet, so there is another one behind.
        next = unsafe { next.add(1) };
    }
    strings
}

/// The path that this program was executed by, as the kernel got it: getauxval(3).
pub(crate) fn executed_as() -> Option<CString> {
    // SAFETY: takes a number, and gives 0 or the address of a C string of this process.
    let address = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    // SAFETY: not null here, so it is that C string.
    (!address.is_null()).then(|| unsafe { CStr::from_ptr(address) }.to_owned())
}

/// The user.
pub(crate) fn uid() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getuid() }
}

/// The parent of this process; 0 if it is out of sight.
pub(crate) fn parent() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::getppid() }
}

/// Whether we run with more rights than who has made our environment, as what a set-uid
/// program starts: getauxval(3). Nothing of ours in it may decide anything then.
pub(crate) fn is_privileged() -> bool {
    // SAFETY: takes a number and gives one.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether this user may execute the file at `path`, for all that its mode says.
pub(crate) fn may_execute(path: &CStr) -> bool {
    // SAFETY: a C string and a number.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
}

/// Writes to stderr. If nobody reads it any more the text is lost, and the launch is not:
/// the write would send us SIGPIPE, for something that the runtime may never have written.
pub(crate) fn tell(text: &str) {
    let mut stderr = libc::pollfd { fd: libc::STDERR_FILENO, events: 0, revents: 0 };
    // SAFETY: one structure, and no time to wait.
    unsafe { libc::poll(&raw mut stderr, 1, 0) };
    if stderr.revents == 0 {
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Becomes another program. Returns only if that fails.
pub(crate) fn execute(path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let [arguments, environment] = [arguments, environment].map(pointers);
    // Not the function of libc: the interposer would send the runtime back to us.
    // SAFETY: a C string and two arrays of C strings that end with a null pointer.
    unsafe {
        libc::syscall(libc::SYS_execve, path.as_ptr(), arguments.as_ptr(), environment.as_ptr())
    };
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}
