//! Copies strings with Slurm's own allocator, for entries of argv and the environment that Slurm may
//! free.
//!
//! In some steps Slurm takes over the argv entries after `slurm_spank_task_init`: it moves them
//! into the config.json of a container and frees them there with its own `slurm_xfree`
//! (docs/slurm-argv.md). A string from any other allocator ends the task with `free(): invalid
//! pointer`.
//!
//! The function is looked up at run time, like the one in `prepend.rs`: otherwise a release without
//! it would refuse to load the plugin.

use crate::job::Error;
use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::Relaxed;

/// `slurm_xstrdup`, with the same declaration from 20.11 to 26.05. It ends the process if no memory
/// is left.
type Duplicate = unsafe extern "C" fn(*const c_char) -> *mut c_char;

/// Returns a copy of `text` that `slurm_xfree` can free.
///
/// # Errors
/// This Slurm does not export `slurm_xstrdup`.
pub(super) fn duplicate(text: &CStr) -> Result<*mut c_char, Error> {
    let duplicate = find().ok_or(Error::InvalidArgument(
        "this Slurm does not export slurm_xstrdup, so it could not free the new argument",
    ))?;
    // SAFETY: `text` is a valid C string, which the function copies.
    let copy = unsafe { duplicate(text.as_ptr()) };
    if copy.is_null() { Err(Error::TOO_LONG) } else { Ok(copy) }
}

/// The address of `slurm_xstrdup`; null if it has not been looked up. slurmstepd looks it up before
/// it forks the tasks, because each task would pay for the symbol tables that the loader
/// reads.
static ADDRESS: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Looks up `slurm_xstrdup` of the Slurm process that loaded the plugin.
pub(super) fn look_up() {
    // SAFETY: the name is a valid C string. The result is null or the address of that symbol.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"slurm_xstrdup".as_ptr()) };
    ADDRESS.store(address, Relaxed);
}

fn find() -> Option<Duplicate> {
    #[cfg(test)]
    if let Some(duplicate) = tests::DUPLICATE.get() {
        return Some(duplicate);
    }
    if ADDRESS.load(Relaxed).is_null() {
        look_up();
    }
    // SAFETY: the address is null, which becomes `None`, or that of a function of this type.
    unsafe { std::mem::transmute::<*mut c_void, Option<Duplicate>>(ADDRESS.load(Relaxed)) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Duplicate, duplicate};
    use crate::job::Error;
    use std::cell::Cell;

    thread_local! {
        /// What replaces `slurm_xstrdup` in the tests of this thread.
        pub(in crate::spank) static DUPLICATE: Cell<Option<Duplicate>> = const { Cell::new(None) };
    }

    /// The test program does not link Slurm, so the lookup fails here.
    #[test]
    fn without_slurms_allocator_there_is_no_copy() {
        let refused = duplicate(c"/sif/x");
        assert!(
            matches!(refused, Err(Error::InvalidArgument(why)) if why.contains("slurm_xstrdup"))
        );
    }
}
