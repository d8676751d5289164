//! Stubs of the Slurm functions that unit tests link against.
//!
//! Functions that take a handle return an error, as Slurm does for an unknown handle.

use slurm_spank::spank_sys::{
    slurm_err_t_ESPANK_BAD_ARG, spank_context_S_CTX_REMOTE, spank_item_S_JOB_ENV,
};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

#[unsafe(no_mangle)]
extern "C" fn spank_context() -> u32 {
    CONTEXT.get()
}

#[unsafe(no_mangle)]
extern "C" fn spank_get_item(_: *mut c_void, item: u32, out: *mut c_void, _: *mut c_void) -> u32 {
    if item != spank_item_S_JOB_ENV || ENVIRONMENT.get().is_null() {
        return slurm_err_t_ESPANK_BAD_ARG;
    }
    // SAFETY: for this item, the only caller, `Handle::environment`, passes a pointer to a pointer.
    unsafe { out.cast::<*mut *mut c_char>().write(ENVIRONMENT.get()) };
    0
}

#[unsafe(no_mangle)]
extern "C" fn spank_setenv(_: *mut c_void, _: *const c_char, _: *const c_char, _: c_int) -> u32 {
    slurm_err_t_ESPANK_BAD_ARG
}

#[unsafe(no_mangle)]
extern "C" fn spank_unsetenv(_: *mut c_void, _: *const c_char) -> u32 {
    slurm_err_t_ESPANK_BAD_ARG
}

#[unsafe(no_mangle)]
extern "C" fn spank_option_register(_: *mut c_void, _: *mut c_void) -> u32 {
    slurm_err_t_ESPANK_BAD_ARG
}

#[unsafe(no_mangle)]
extern "C" fn spank_option_getopt(_: *mut c_void, _: *mut c_void, _: *mut *mut c_char) -> u32 {
    slurm_err_t_ESPANK_BAD_ARG
}

#[unsafe(no_mangle)]
extern "C" fn slurm_get_log_level() -> c_int {
    LOG_LEVEL.get()
}

thread_local! {
    /// The log level of this thread. The initial value shows everything, up to `LOG_LEVEL_DEBUG2`.
    pub(crate) static LOG_LEVEL: Cell<c_int> = const { Cell::new(6) };
    /// The SPANK context of this thread.
    pub(crate) static CONTEXT: Cell<u32> = const { Cell::new(spank_context_S_CTX_REMOTE) };
    /// The environment of the task: an array of strings that ends with a null pointer, or null.
    pub(crate) static ENVIRONMENT: Cell<*mut *mut c_char> = const { Cell::new(ptr::null_mut()) };
    /// The log calls of this thread: function name and text.
    pub(crate) static LOGGED: RefCell<Vec<(&'static str, String)>> = const { RefCell::new(Vec::new()) };
}

macro_rules! keep_log {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(format: *const c_char, text: *const c_char) {
            // SAFETY: the only caller, `slurm_log::log`, passes two valid C strings.
            let [format, text] = [format, text].map(|text| unsafe { CStr::from_ptr(text) });
            assert_eq!(format, c"%s", "a text must never be the format");
            let text = text.to_string_lossy().into_owned();
            LOGGED.with_borrow_mut(|logged| logged.push((stringify!($name), text)));
        }
    )*};
}

keep_log!(slurm_error slurm_info slurm_verbose slurm_debug slurm_debug2);
