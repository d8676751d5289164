//! The original functions that this library replaces.

use super::strings::Strings;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;

/// `execv`, `execvp`
pub(super) type Exec = unsafe extern "C" fn(*const c_char, Strings) -> c_int;
/// `execve`, `execvpe`
pub(super) type ExecWith = unsafe extern "C" fn(*const c_char, Strings, Strings) -> c_int;
/// `fexecve`
pub(super) type ExecOpened = unsafe extern "C" fn(c_int, Strings, Strings) -> c_int;
/// `execveat`
pub(super) type ExecAt =
    unsafe extern "C" fn(c_int, *const c_char, Strings, Strings, c_int) -> c_int;
/// `posix_spawn`, `posix_spawnp`
pub(super) type Spawn = unsafe extern "C" fn(
    *mut libc::pid_t,
    *const c_char,
    *const libc::posix_spawn_file_actions_t,
    *const libc::posix_spawnattr_t,
    Strings,
    Strings,
) -> c_int;

/// The functions of the next libraries in the search order. They need not be those of libc, because
/// another interposer may come first. A function that no library provides is `None`.
#[derive(Clone, Copy)]
pub(super) struct Originals {
    pub(super) execv: Option<Exec>,
    pub(super) execve: Option<ExecWith>,
    pub(super) execvp: Option<Exec>,
    pub(super) execvpe: Option<ExecWith>,
    pub(super) fexecve: Option<ExecOpened>,
    pub(super) execveat: Option<ExecAt>,
    pub(super) posix_spawn: Option<Spawn>,
    pub(super) posix_spawnp: Option<Spawn>,
}

impl Originals {
    /// No functions.
    pub(super) const NONE: Self = Self {
        execv: None,
        execve: None,
        execvp: None,
        execvpe: None,
        fexecve: None,
        execveat: None,
        posix_spawn: None,
        posix_spawnp: None,
    };

    /// Looks up all functions. This takes locks and may allocate.
    pub(super) fn look_up() -> Self {
        Self {
            // SAFETY: the type of the field is that of the function in its manual page. The same
            // holds for all fields below.
            execv: unsafe { next(c"execv") },
            // SAFETY: as above.
            execve: unsafe { next(c"execve") },
            // SAFETY: as above.
            execvp: unsafe { next(c"execvp") },
            // SAFETY: as above.
            execvpe: unsafe { next(c"execvpe") },
            // SAFETY: as above.
            fexecve: unsafe { next(c"fexecve") },
            // SAFETY: as above.
            execveat: unsafe { next(c"execveat") },
            // SAFETY: as above.
            posix_spawn: unsafe { next(c"posix_spawn") },
            // SAFETY: as above.
            posix_spawnp: unsafe { next(c"posix_spawnp") },
        }
    }
}

/// The function `name` of the next library in the search order.
///
/// # Safety
/// `Function` must be the type of a pointer to this function.
unsafe fn next<Function>(name: &CStr) -> Option<Function> {
    const { assert!(mem::size_of::<Function>() == mem::size_of::<*mut c_void>()) };
    // SAFETY: `name` is a C string.
    let pointer = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    // SAFETY: the pointer is not null, and the caller guarantees that `Function` is its type.
    (!pointer.is_null()).then(|| unsafe { mem::transmute_copy(&pointer) })
}
