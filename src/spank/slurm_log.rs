//! Slurm's log.

use super::{memory, process};
use log::Level;
use slurm_spank::spank_sys;
use std::ffi::{CStr, CString, c_char, c_int};

/// The longest line, in bytes: messages can contain user input of any length.
const MAX_LINE: usize = 4096;

const FORMAT: &CStr = c"%s";

unsafe extern "C" {
    /// The highest level that any destination of Slurm's log shows in this process:
    /// `src/common/log.h`, the same from 20.11 to 26.05.
    safe fn slurm_get_log_level() -> c_int;
}

/// Whether Slurm shows messages of this level. Other messages need neither formatting nor the
/// checks before a write.
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

/// Logs one line. `logging.rs` lists the Slurm level for each `level`.
pub(crate) fn log(level: Level, line: &str) {
    let mut bytes = line.as_bytes().to_vec();
    bytes.truncate(MAX_LINE);
    bytes.retain(|byte| *byte != 0);
    // This cannot fail: the null bytes were removed.
    let text = CString::new(bytes).unwrap_or_default();
    let log: unsafe extern "C" fn(*const c_char, ...) = match level {
        Level::Error => spank_sys::slurm_error,
        Level::Warn => spank_sys::slurm_info,
        Level::Info => spank_sys::slurm_verbose,
        Level::Debug => spank_sys::slurm_debug,
        Level::Trace => spank_sys::slurm_debug2,
    };
    // The small allocations that Slurm makes for a line can fragment the memory that it needs for
    // large ones later.
    if memory::is_left_for_slurm() {
        // SAFETY: the format `%s` takes one C string, and both strings are valid during the call.
        process::writing(|| unsafe { log(FORMAT.as_ptr(), text.as_ptr()) });
    }
}
