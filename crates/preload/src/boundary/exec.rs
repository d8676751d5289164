//! What the functions do that replace the running program: try the shim, which comes back
//! only if it could not be started, then call the original.

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
    // SAFETY: libc's own variable; its own exec functions read it in the same way.
    unsafe { environ }
}

/// # Safety
/// As execve.
unsafe fn try_shim(program: Program, argv: Strings, envp: Strings) {
    let launch = Launch { program, argv, envp, moved: false };
    let execve = originals().execve;
    // SAFETY: the caller vouches for `argv`, and the rest is ours.
    let start = |shim, envp| execve.map(|execve| unsafe { execve(shim, argv, envp) });
    // SAFETY: the caller vouches for the arguments.
    let _ = unsafe { launch.with_shim(start) };
}

/// What comes of a function that libc does not have.
pub(super) fn missing() -> c_int {
    errno::set(libc::ENOSYS);
    -1
}

/// `execv`, `execl`
///
/// # Safety
/// As in their manual page.
pub(super) unsafe fn by_path(path: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller vouches for the arguments.
    unsafe { try_shim(Program::Path(path), argv, environment()) };
    // SAFETY: as above.
    originals().execv.map_or_else(missing, |execv| unsafe { execv(path, argv) })
}

/// `execve`, `execle`
///
/// # Safety
/// As in their manual pages.
pub(super) unsafe fn by_path_with(path: *const c_char, argv: Strings, envp: Strings) -> c_int {
    // SAFETY: the caller vouches for the arguments.
    unsafe { try_shim(Program::Path(path), argv, envp) };
    // SAFETY: as above.
    originals().execve.map_or_else(missing, |execve| unsafe { execve(path, argv, envp) })
}

/// `execvp`, `execlp`
///
/// # Safety
/// As in their manual page.
pub(super) unsafe fn by_name(file: *const c_char, argv: Strings) -> c_int {
    // SAFETY: the caller vouches for the arguments.
    unsafe { try_shim(Program::Search(file), argv, environment()) };
    // SAFETY: as above.
    originals().execvp.map_or_else(missing, |execvp| unsafe { execvp(file, argv) })
}

/// `execvpe`
///
/// # Safety
/// As in its manual page.
pub(super) unsafe fn by_name_with(file: *const c_char, argv: Strings, envp: Strings) -> c_int {
    // SAFETY: the caller vouches for the arguments.
    unsafe { try_shim(Program::Search(file), argv, envp) };
    // SAFETY: as above.
    originals().execvpe.map_or_else(missing, |execvpe| unsafe { execvpe(file, argv, envp) })
}

/// `fexecve`
///
/// # Safety
/// As in its manual page.
pub(super) unsafe fn opened(descriptor: c_int, argv: Strings, envp: Strings) -> c_int {
    // Unlike the others, this one refuses to start without an environment.
    if !envp.is_null() {
        // SAFETY: the caller vouches for the arguments.
        unsafe { try_shim(Program::Opened(descriptor, c"".as_ptr()), argv, envp) };
    }
    // SAFETY: as above.
    originals().fexecve.map_or_else(missing, |fexecve| unsafe { fexecve(descriptor, argv, envp) })
}

/// `execveat`
///
/// # Safety
/// As in its manual page.
pub(super) unsafe fn at(
    directory: c_int,
    path: *const c_char,
    argv: Strings,
    envp: Strings,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller vouches for the path.
    if let Some(program) = unsafe { Program::at(directory, path, flags) } {
        // SAFETY: the caller vouches for the arguments.
        unsafe { try_shim(program, argv, envp) };
    }
    match originals().execveat {
        // SAFETY: as above.
        Some(execveat) => unsafe { execveat(directory, path, argv, envp, flags) },
        // glibc has it since 2.34, Linux since 3.19.
        None => {
            // SAFETY: as above.
            let result =
                unsafe { libc::syscall(libc::SYS_execveat, directory, path, argv, envp, flags) };
            c_int::try_from(result).unwrap_or(-1)
        }
    }
}
