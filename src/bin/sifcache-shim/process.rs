//! This process: its entry, its environment and its end. The only unsafe code of the shim.
//!
//! Rust's own entry would change what a runtime inherits: it ignores SIGPIPE, and opens
//! /dev/null where a standard descriptor is closed. So the C entry is ours, and execution
//! is one system call; with `std`'s, the signal mask would go too.
#![allow(unsafe_code)]

use crate::plan;
use std::ffi::{CStr, CString, c_char, c_int};
use std::{io, panic, ptr};

unsafe extern "C" {
    /// environ(7)
    static environ: *const *const c_char;
}

/// The C entry. `std::env::args_os` has the arguments also without Rust's own.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    // A panic would print to the job's stderr; `plan.rs` goes on without the cache then.
    panic::set_hook(Box::new(|_| {}));
    panic::catch_unwind(plan::carry_out).unwrap_or(plan::FAILED)
}

/// The variables of this process, each `NAME=VALUE` and whatever else stands there.
pub(crate) fn environment() -> Vec<CString> {
    let mut variables = Vec::new();
    // SAFETY: libc has set it up before `main`, and no other thread changes it.
    let mut next = unsafe { environ };
    while !next.is_null() {
        // SAFETY: inside the array, which ends with the null pointer that ends this loop.
        let variable = unsafe { next.read() };
        if variable.is_null() {
            break;
        }
        // SAFETY: not null, so it is a C string.
        variables.push(unsafe { CStr::from_ptr(variable) }.to_owned());
        // SAFETY: the null pointer has not come yet, so there is another one behind.
        next = unsafe { next.add(1) };
    }
    variables
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
