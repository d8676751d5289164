//! Slurm's log.

use super::{memory, process};
use log::Level;
use slurm_spank::spank_sys;
use std::ffi::{CStr, CString, c_char, c_int};

/// Longest line, in bytes: what is logged can hold what a user typed.
const LONGEST: usize = 4096;

const FORMAT: &CStr = c"%s";

unsafe extern "C" {
    /// The highest level that any part of Slurm's log shows here: `src/common/log.h`, the same
    /// from 20.11 to 26.05.
    safe fn slurm_get_log_level() -> c_int;
}

/// Whether anybody would read a line: what is not shown is not worth a format, and not
/// worth the questions before it is written.
pub(crate) fn is_shown(level: Level) -> bool {
    // `log_level_t`: quiet, fatal, error, info, verbose, debug, debug2.
    let number = match level {
        Level::Error => 2,
        Level::Warn => 3,
        Level::Info => 4,
        Level::Debug => 5,
        Level::Trace => 6,
    };
    slurm_get_log_level() >= number
}

/// Logs one line, at the level that `logging.rs` lists.
pub(crate) fn log(level: Level, line: &str) {
    let mut bytes = line.as_bytes().to_vec();
    bytes.truncate(LONGEST);
    bytes.retain(|byte| *byte != 0);
    // Cannot fail: the null bytes are gone.
    let text = CString::new(bytes).unwrap_or_default();
    let log: unsafe extern "C" fn(*const c_char, ...) = match level {
        Level::Error => spank_sys::slurm_error,
        Level::Warn => spank_sys::slurm_info,
        Level::Info => spank_sys::slurm_verbose,
        Level::Debug => spank_sys::slurm_debug,
        Level::Trace => spank_sys::slurm_debug2,
    };
    // The small pieces that Slurm takes for a line can lie in the way of the large ones that
    // it needs after us.
    if memory::is_left_for_slurm() {
        // SAFETY: "%s" takes one C string, and both live until the call returns.
        process::writing(|| unsafe { log(FORMAT.as_ptr(), text.as_ptr()) });
    }
}
