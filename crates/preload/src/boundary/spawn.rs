//! The implementation of the functions that start a new process: they first try to start the shim,
//! then call the original function. They return an error number and leave `errno` unchanged.

use super::launch::Launch;
use super::loaded::originals;
use super::originals::Spawn;
use super::program::Program;
use super::strings::Strings;
use libc::{pid_t, posix_spawn_file_actions_t, posix_spawnattr_t};
use std::ffi::{c_char, c_int};

/// `posix_spawn`
///
/// # Safety
/// The requirements of its manual page apply.
pub(super) unsafe fn by_path(
    pid: *mut pid_t,
    path: *const c_char,
    actions: *const posix_spawn_file_actions_t,
    attributes: *const posix_spawnattr_t,
    argv: Strings,
    envp: Strings,
) -> c_int {
    let launch = Launch { program: Program::Path(path), argv, envp, moved: !actions.is_null() };
    let start = |function: Spawn, path, envp| {
        // SAFETY: the caller guarantees valid arguments. `path` and `envp` are either the caller's
        // or the valid ones that `with_shim` passes.
        unsafe { function(pid, path, actions, attributes, argv, envp) }
    };
    // SAFETY: the caller guarantees valid arguments, as the manual page requires.
    if unsafe { spawned(&launch, start) } {
        return 0;
    }
    originals().posix_spawn.map_or(libc::ENOSYS, |function| start(function, path, envp))
}

/// `posix_spawnp`
///
/// # Safety
/// The requirements of its manual page apply.
pub(super) unsafe fn by_name(
    pid: *mut pid_t,
    file: *const c_char,
    actions: *const posix_spawn_file_actions_t,
    attributes: *const posix_spawnattr_t,
    argv: Strings,
    envp: Strings,
) -> c_int {
    let launch = Launch { program: Program::Search(file), argv, envp, moved: !actions.is_null() };
    let start = |function: Spawn, path, envp| {
        // SAFETY: the caller guarantees valid arguments. `path` and `envp` are either the caller's
        // or the valid ones that `with_shim` passes.
        unsafe { function(pid, path, actions, attributes, argv, envp) }
    };
    // SAFETY: the caller guarantees valid arguments, as the manual page requires.
    if unsafe { spawned(&launch, start) } {
        return 0;
    }
    originals().posix_spawnp.map_or(libc::ENOSYS, |function| start(function, file, envp))
}

/// Starts the shim if `launch` is the launch of a runtime. Returns whether the shim was started.
///
/// # Safety
/// The strings and arrays of the launch must be valid for posix_spawn.
unsafe fn spawned(launch: &Launch, start: impl Fn(Spawn, *const c_char, Strings) -> c_int) -> bool {
    let Some(function) = originals().posix_spawn else { return false };
    // SAFETY: the caller guarantees that the launch is valid for posix_spawn.
    let result = unsafe { launch.with_shim(|shim, envp| start(function, shim, envp)) };
    result == Some(0)
}
