//! The exported functions with a fixed number of arguments. Each behaves as in its manual page.

use super::strings::Strings;
use super::{exec, spawn};
use std::ffi::{c_char, c_int};

/// # Safety
/// The requirements of its manual page apply. The same holds for all functions below.
#[unsafe(no_mangle)]
unsafe extern "C" fn execve(path: *const c_char, argv: Strings, envp: Strings) -> c_int {
    // SAFETY: the caller guarantees valid arguments, as the manual page requires. The same holds
    // for all functions below.
    unsafe { exec::by_path_with(path, argv, envp) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execv(path: *const c_char, argv: Strings) -> c_int {
    // SAFETY: as above.
    unsafe { exec::by_path(path, argv) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execvp(file: *const c_char, argv: Strings) -> c_int {
    // SAFETY: as above.
    unsafe { exec::by_name(file, argv) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execvpe(file: *const c_char, argv: Strings, envp: Strings) -> c_int {
    // SAFETY: as above.
    unsafe { exec::by_name_with(file, argv, envp) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fexecve(descriptor: c_int, argv: Strings, envp: Strings) -> c_int {
    // SAFETY: as above.
    unsafe { exec::opened(descriptor, argv, envp) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execveat(
    directory: c_int,
    path: *const c_char,
    argv: Strings,
    envp: Strings,
    flags: c_int,
) -> c_int {
    // SAFETY: as above.
    unsafe { exec::at(directory, path, argv, envp, flags) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawn(
    pid: *mut libc::pid_t,
    path: *const c_char,
    actions: *const libc::posix_spawn_file_actions_t,
    attributes: *const libc::posix_spawnattr_t,
    argv: Strings,
    envp: Strings,
) -> c_int {
    // SAFETY: as above.
    unsafe { spawn::by_path(pid, path, actions, attributes, argv, envp) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_spawnp(
    pid: *mut libc::pid_t,
    file: *const c_char,
    actions: *const libc::posix_spawn_file_actions_t,
    attributes: *const libc::posix_spawnattr_t,
    argv: Strings,
    envp: Strings,
) -> c_int {
    // SAFETY: as above.
    unsafe { spawn::by_name(pid, file, actions, attributes, argv, envp) }
}
