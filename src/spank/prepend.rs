//! `spank_prepend_task_argv`, which Slurm has had since 23.11.
//!
//! The function is looked up at run time. A linked symbol would keep older releases from loading
//! the plugin: Slurm opens plugins with lazy binding, but rustc links them so that every symbol
//! must be resolved at load time.

use slurm_spank::spank_sys::{spank_err_t, spank_t};
use std::ffi::{c_char, c_int};

/// The function, as `slurm/spank.h` declares it.
pub(super) type Prepend = unsafe extern "C" fn(spank_t, c_int, *const *const c_char) -> spank_err_t;

/// The function of the Slurm process that loaded the plugin; `None` before 23.11.
pub(super) fn find() -> Option<Prepend> {
    // SAFETY: the name is a valid C string. The result is null or the address of that symbol.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"spank_prepend_task_argv".as_ptr()) };
    // SAFETY: the address is null, which becomes `None`, or that of a function of this type, whose
    // declaration has not changed since 23.11.
    unsafe { std::mem::transmute::<*mut libc::c_void, Option<Prepend>>(address) }
}
