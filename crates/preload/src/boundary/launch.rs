//! One call that starts a program, and what becomes of it.

use super::program::Program;
use super::strings::{self, Strings};
use super::{errno, files};
use crate::entry::{self, Entry};
use crate::environment;
use crate::own::{SHIM_PATH, is_own};
use std::ffi::c_char;
use std::ptr;

/// As many entries as the environment for the shim may have, the null pointer at its end
/// included. With more the launch passes.
const MOST: usize = 2048;

/// What a caller asks for.
pub(super) struct Launch {
    /// What to start.
    pub(super) program: Program,
    /// Its arguments.
    pub(super) argv: Strings,
    /// Its environment.
    pub(super) envp: Strings,
    /// Whether it may start in another working directory than ours.
    pub(super) moved: bool,
}

impl Launch {
    /// Starts the shim with `start` if this is the launch of a runtime. `start` gets the
    /// path of the shim and the environment for it; what it returns is returned. None means
    /// that the launch passes.
    ///
    /// # Safety
    /// The strings and arrays are null, or what exec asks for.
    pub(super) unsafe fn with_shim<R>(
        &self,
        start: impl FnOnce(*const c_char, Strings) -> R,
    ) -> Option<R> {
        // SAFETY: the caller vouches for the array.
        let no_arguments = unsafe { strings::pointers(self.argv) }.next().is_none();
        // SAFETY: the caller vouches for the string.
        if no_arguments || !unsafe { self.program.may_be_runtime() } {
            return None;
        }
        let before = errno::get();
        // SAFETY: the caller vouches for the strings.
        let result = unsafe { self.redirect(start) };
        errno::set(before);
        result
    }

    /// Apart, so that only the launch of a runtime takes stack for buffers: 20 KiB in all.
    ///
    /// # Safety
    /// As [`Self::with_shim`].
    #[inline(never)]
    unsafe fn redirect<R>(&self, start: impl FnOnce(*const c_char, Strings) -> R) -> Option<R> {
        let shim_path = SHIM_PATH.as_ptr().cast::<c_char>();
        let mut entry = Entry::EMPTY;
        // SAFETY: the caller vouches for the string.
        let program = unsafe { self.program.locate(self.moved, &mut entry) }?;
        // SAFETY: a C string.
        let shim = unsafe { files::program(shim_path) }.ok()?;
        // The shim by another name must not come to itself either.
        if is_own(entry.path()) || program == shim {
            return None;
        }
        // SAFETY: the caller vouches for the array.
        unsafe { with_environment(self.envp, &entry, |envp| start(shim_path, envp)) }
    }
}

/// Starts with what is `given` and the entry. Apart, as [`Launch::redirect`].
///
/// # Safety
/// `given` is null, or what exec asks for.
#[inline(never)]
unsafe fn with_environment<R>(
    given: Strings,
    entry: &Entry,
    start: impl FnOnce(Strings) -> R,
) -> Option<R> {
    let mut slots = [ptr::null(); MOST];
    // SAFETY: the caller vouches for the array.
    let given = unsafe { strings::pointers(given) };
    // SAFETY: what comes out of the array is a C string.
    let ours = |pointer: &*const c_char| entry::is_entry(unsafe { strings::bytes(*pointer) });
    let new = entry.as_bytes().as_ptr().cast();
    environment::fill(&mut slots, given, ours, new, ptr::null())?;
    Some(start(slots.as_ptr()))
}
