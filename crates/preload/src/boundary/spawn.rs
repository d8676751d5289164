//! What the functions do that start a new process: try the shim, then the original. They
//! return an error number, and leave `errno` alone.

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
/// As in its manual page.
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
        // SAFETY: the caller vouches for the arguments, and what differs is ours.
        unsafe { function(pid, path, actions, attributes, argv, envp) }
    };
    // SAFETY: the caller vouches for the arguments.
    if unsafe { spawned(&launch, start) } {
        return 0;
    }
    originals().posix_spawn.map_or(libc::ENOSYS, |function| start(function, path, envp))
}

/// `posix_spawnp`
///
/// # Safety
/// As in its manual page.
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
        // SAFETY: the caller vouches for the arguments, and what differs is ours.
        unsafe { function(pid, path, actions, attributes, argv, envp) }
    };
    // SAFETY: the caller vouches for the arguments.
    if unsafe { spawned(&launch, start) } {
        return 0;
    }
    originals().posix_spawnp.map_or(libc::ENOSYS, |function| start(function, file, envp))
}

/// Whether the shim was started.
///
/// # Safety
/// The launch has what posix_spawn asks for.
unsafe fn spawned(launch: &Launch, start: impl Fn(Spawn, *const c_char, Strings) -> c_int) -> bool {
    let Some(function) = originals().posix_spawn else { return false };
    // SAFETY: the caller vouches for the launch.
    let result = unsafe { launch.with_shim(|shim, envp| start(function, shim, envp)) };
    result == Some(0)
}
