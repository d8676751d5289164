//! Slurm's own allocator, for a word that Slurm may free.
//!
//! After `slurm_spank_task_init` Slurm takes over the words of the command in some steps: it
//! moves them into the config.json of a container and frees them there with its own
//! `slurm_xfree` (docs/slurm-argv.md). A word from any other allocator ends the task with
//! `free(): invalid pointer`.
//!
//! The function is looked up at run time, like the one in `prepend.rs`: a release without it
//! would otherwise refuse to load the plugin.

use super::memory;
use crate::job::Error;
use std::ffi::{CStr, c_char};

/// `slurm_xstrdup`, declared the same from 20.11 to 26.05. It ends the process if there is no
/// memory.
type Duplicate = unsafe extern "C" fn(*const c_char) -> *mut c_char;

/// A copy of `text` that `slurm_xfree` can free.
pub(super) fn duplicate(text: &CStr) -> Result<*mut c_char, Error> {
    let duplicate = find().ok_or(Error::InvalidArgument(
        "this Slurm does not export slurm_xstrdup, so it could not free the new argument",
    ))?;
    if !memory::is_left_for_slurm() {
        return Err(Error::TOO_LONG);
    }
    // SAFETY: a C string, which it copies.
    let copy = unsafe { duplicate(text.as_ptr()) };
    if copy.is_null() { Err(Error::TOO_LONG) } else { Ok(copy) }
}

/// The function of the Slurm that has loaded us.
fn find() -> Option<Duplicate> {
    // SAFETY: a C string; the answer is null or the address of that symbol.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"slurm_xstrdup".as_ptr()) };
    // SAFETY: null or a function of this type.
    unsafe { std::mem::transmute::<*mut libc::c_void, Option<Duplicate>>(address) }
}

#[cfg(test)]
mod tests {
    use super::duplicate;
    use crate::job::Error;

    /// A test program exports nothing, so here Slurm's function is not to be found.
    #[test]
    fn without_slurms_allocator_there_is_no_copy() {
        let refused = duplicate(c"/sif/x");
        assert!(
            matches!(refused, Err(Error::InvalidArgument(why)) if why.contains("slurm_xstrdup"))
        );
    }
}
