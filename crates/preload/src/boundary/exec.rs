//! The implementation of the functions that replace the running program: they first try to execute
//! the shim. If this attempt returns, the shim was not started, and the functions call the original
//! function.

use super::errno;
use super::launch::Launch;
use super::loaded::originals;
use super::program::Program;
use super::strings::Strings;
use std::ffi::{c_char, c_int};

unsafe extern "C" {
    /// The environment of the running program.
    static environ: Strings;
}

fn environment() -> Strings {
    // SAFETY: the variable belongs to libc, whose own exec functions read it in the same way.
    unsafe { environ }
}

/// Executes the shim if this call launches a runtime. Returns if it does not, or if the shim cannot
/// be executed.
///
/// # Safety
/// The strings in `program` and the arrays must be null, or valid for execve.
unsafe fn try_shim(program: Program, argv: Strings, envp: Strings) {
    let launch = Launch { program, argv, envp, moved: false };
    let execve = originals().execve;
    // SAFETY: the caller guarantees that `argv` is valid for execve, and `with_shim` passes a valid
    // path and environment.
    let start = |shim, envp| execve.map(|execve| unsafe { execve(shim, argv, envp) });
    // SAFETY: the caller guarantees that the strings and arrays are null or valid for execve.
    let _ = unsafe { launch.with_shim(start) };
}

/// The result of a function that libc does not provide: -1, with `errno` set to `ENOSYS`.
pub(super) fn missing() -> c_int {
    errno::set(libc::ENOSYS);
    -1
}

/// `execv`, `execl`
///
/// # Safety
/// The requirements of their manual page apply.
pub(super) unsafe fn by_path(path: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller guarantees valid arguments, as the manual page requires.
    unsafe { try_shim(Program::Path(path), argv, environment()) };
    // SAFETY: as above.
    originals().execv.map_or_else(missing, |execv| unsafe { execv(path, argv) })
}

/// `execve`, `execle`
///
/// # Safety
/// The requirements of their manual pages apply.
pub(super) unsafe fn by_path_with(path: *const c_char, argv: Strings, envp: Strings) -> c_int {
    // SAFETY: the caller guarantees valid arguments, as the manual page requires.
    unsafe { try_shim(Program::Path(path), argv, envp) };
    // SAFETY: as above.
    originals().execve.map_or_else(missing, |execve| unsafe { execve(path, argv, envp) })
}

/// `execvp`, `execlp`
///
/// # Safety
/// The requirements of their manual page apply.
pub(super) unsafe fn by_name(file: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller guarantees valid arguments, as the manual page requires.
    unsafe { try_shim(Program::Search(file), argv, environment()) };
    // SAFETY: as above.
    originals().execvp.map_or_else(missing, |execvp| unsafe { execvp(file, argv) })
}

/// `execvpe`
///
/// # Safety
/// The requirements of its manual page apply.
pub(super) unsafe fn by_name_with(file: *const c_char, argv: Strings, envp: Strings) -> c_int {
    // SAFETY: the caller guarantees valid arguments, as the manual page requires.
    unsafe { try_shim(Program::Search(file), argv, envp) };
    // SAFETY: as above.
    originals().execvpe.map_or_else(missing, |execvpe| unsafe { execvpe(file, argv, envp) })
}

/// `fexecve`
///
/// # Safety
/// The requirements of its manual page apply.
pub(super) unsafe fn opened(descriptor: c_int, argv: Strings, envp: Strings) -> c_int {
    // Unlike the other functions, fexecve rejects a null environment.
    if !envp.is_null() {
        // SAFETY: the caller guarantees valid arguments, as the manual page requires.
        unsafe { try_shim(Program::Opened(descriptor, c"".as_ptr()), argv, envp) };
    }
    // SAFETY: as above.
    originals().fexecve.map_or_else(missing, |fexecve| unsafe { fexecve(descriptor, argv, envp) })
}

/// `execveat`
///
/// # Safety
/// The requirements of its manual page apply.
pub(super) unsafe fn at(
    directory: c_int,
    path: *const c_char,
    argv: Strings,
    envp: Strings,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller guarantees that `path` is null or a C string.
    if let Some(program) = unsafe { Program::at(directory, path, flags) } {
        // SAFETY: the caller guarantees valid arguments, as the manual page requires.
        unsafe { try_shim(program, argv, envp) };
    }
    match originals().execveat {
        // SAFETY: as above.
        Some(execveat) => unsafe { execveat(directory, path, argv, envp, flags) },
        // glibc has had this function since 2.34, Linux since 3.19.
        None => {
            // SAFETY: as above.
            let result =
                unsafe { libc::syscall(libc::SYS_execveat, directory, path, argv, envp, flags) };
            c_int::try_from(result).unwrap_or(-1)
        }
    }
}
