//! `spank_prepend_task_argv`, which Slurm has from 23.11 on.
//!
//! Linked in, it would keep older releases from loading us: Slurm opens plugins lazily,
//! but rustc links them so that each symbol must be there at once.

use slurm_spank::spank_sys::{spank_err_t, spank_t};
use std::ffi::{c_char, c_int};

/// The function, as `slurm/spank.h` declares it.
pub(super) type Prepend = unsafe extern "C" fn(spank_t, c_int, *const *const c_char) -> spank_err_t;

/// The function of the Slurm that has loaded us, if it has one.
pub(super) fn find() -> Option<Prepend> {
    // SAFETY: a C string; the answer is null or the address of that symbol.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"spank_prepend_task_argv".as_ptr()) };
    // SAFETY: null or a function of this type: its declaration has not changed since 23.11.
    unsafe { std::mem::transmute::<*mut libc::c_void, Option<Prepend>>(address) }
}
