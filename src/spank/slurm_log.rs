//! Slurm's log.

use slurm_spank::spank_sys;
use std::ffi::{CStr, CString, c_char};

/// The levels of Slurm that plugins of every release can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlurmLevel {
    Error,
    Info,
    Verbose,
    Debug,
    Debug2,
}

/// Longest line, in bytes: what is logged can hold what a user typed.
const LONGEST: usize = 4096;

const FORMAT: &CStr = c"%s";

/// Logs one line.
pub(crate) fn log(level: log::Level, line: &str) {
    let mut bytes = line.as_bytes().to_vec();
    bytes.truncate(LONGEST);
    bytes.retain(|byte| *byte != 0);
    // Cannot fail: the null bytes are gone.
    let text = CString::new(bytes).unwrap_or_default();
    let log: unsafe extern "C" fn(*const c_char, ...) = match crate::logging::slurm_level(level) {
        SlurmLevel::Error => spank_sys::slurm_error,
        SlurmLevel::Info => spank_sys::slurm_info,
        SlurmLevel::Verbose => spank_sys::slurm_verbose,
        SlurmLevel::Debug => spank_sys::slurm_debug,
        SlurmLevel::Debug2 => spank_sys::slurm_debug2,
    };
    // SAFETY: "%s" takes one C string, and both live until the call returns.
    unsafe { log(FORMAT.as_ptr(), text.as_ptr()) }
}
