//! One call that starts a program, and its redirection to the shim.

use super::program::Program;
use super::strings::{self, Strings};
use super::{errno, files};
use crate::entry::{self, Entry};
use crate::environment;
use crate::own::{SHIM_PATH, is_own};
use std::ffi::c_char;
use std::ptr;

/// The maximum number of entries in the environment for the shim, including the null pointer at its
/// end. A launch with more entries passes.
const MAX_ENTRIES: usize = 2048;

/// A call that starts a program.
pub(super) struct Launch {
    /// The program to start.
    pub(super) program: Program,
    /// The arguments of the program.
    pub(super) argv: Strings,
    /// The environment of the program.
    pub(super) envp: Strings,
    /// Whether the program may start in a working directory other than that of the calling process.
    pub(super) moved: bool,
}

impl Launch {
    /// If this is the launch of a runtime, starts the shim by calling `start` with the path of the
    /// shim and the environment for it. Returns the result of `start`, or `None` if the launch
    /// passes. `errno` is preserved.
    ///
    /// # Safety
    /// The strings and arrays must be null, or valid for exec.
    pub(super) unsafe fn with_shim<R>(
        &self,
        start: impl FnOnce(*const c_char, Strings) -> R,
    ) -> Option<R> {
        // SAFETY: the caller guarantees that `argv` is null or an array for exec.
        let no_arguments = unsafe { strings::pointers(self.argv) }.next().is_none();
        // SAFETY: the caller guarantees that the string is null or a C string.
        if no_arguments || !unsafe { self.program.may_be_runtime() } {
            return None;
        }
        let before = errno::get();
        // SAFETY: the caller guarantees that the strings and arrays are null or valid for exec.
        let result = unsafe { self.redirect(start) };
        errno::set(before);
        result
    }

    /// Redirects the launch of a runtime. This is a separate function so that only such a launch
    /// uses stack for the buffers, which take 20 KiB in total.
    ///
    /// # Safety
    /// The requirements of [`Self::with_shim`] apply.
    #[inline(never)]
    unsafe fn redirect<R>(&self, start: impl FnOnce(*const c_char, Strings) -> R) -> Option<R> {
        let shim_path = SHIM_PATH.as_ptr().cast::<c_char>();
        let mut entry = Entry::new();
        // SAFETY: `may_be_runtime` excludes a null string, and the caller guarantees that any other
        // string is a C string.
        let program = unsafe { self.program.locate(self.moved, &mut entry) }?;
        // SAFETY: `shim_path` is a C string.
        let shim = unsafe { files::program(shim_path) }.ok()?;
        // The shim must not be redirected to itself under another name, such as a hard link.
        if is_own(entry.path()) || program == shim {
            return None;
        }
        // SAFETY: the caller guarantees that `envp` is null or an array for exec.
        unsafe { with_environment(self.envp, &entry, |envp| start(shim_path, envp)) }
    }
}

/// Calls `start` with the `given` environment and the entry. This is a separate function for the
/// same reason as [`Launch::redirect`].
///
/// # Safety
/// `given` must be null, or valid for exec.
#[inline(never)]
unsafe fn with_environment<R>(
    given: Strings,
    entry: &Entry,
    start: impl FnOnce(Strings) -> R,
) -> Option<R> {
    let mut entries = [ptr::null(); MAX_ENTRIES];
    // SAFETY: the caller guarantees that `given` is null or an array for exec.
    let given = unsafe { strings::pointers(given) };
    // SAFETY: the pointers in the array are C strings.
    let ours = |pointer: &*const c_char| entry::is_entry(unsafe { strings::bytes(*pointer) });
    let new = entry.as_bytes().as_ptr().cast();
    environment::fill(&mut entries, given, ours, new, ptr::null())?;
    Some(start(entries.as_ptr()))
}
