//! Slurm's log.

use super::process;
use log::Level;
use slurm_spank::spank_sys;
use std::ffi::{CStr, CString, c_char};

/// Longest line, in bytes: what is logged can hold what a user typed.
const LONGEST: usize = 4096;

const FORMAT: &CStr = c"%s";

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
    // SAFETY: "%s" takes one C string, and both live until the call returns.
    let write = || unsafe { log(FORMAT.as_ptr(), text.as_ptr()) };
    match level {
        Level::Error | Level::Warn | Level::Info => process::writing(write),
        // Hardly anybody has these written, and each task would pay for the question.
        Level::Debug | Level::Trace => write(),
    }
}
