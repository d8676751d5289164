//! This process: its environment and its end.

use super::Error;
use std::ffi::CString;
use std::io::Write;

/// Sets a variable of this process, for what it starts.
pub(super) fn set_variable(name: &CString, value: &CString) -> Result<(), Error> {
    // SAFETY: both are C strings, which setenv copies. Slurm calls us from the thread
    // that parses the command line, before salloc and sbatch have started another.
    match unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) } {
        0 => Ok(()),
        _ => Err(Error::Impossible("the environment is full")),
    }
}

/// Writes to stderr, which is the task's own in a task. A closed one loses it.
pub(super) fn tell_user(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Ends this process without running what slurmstepd has registered for its own end.
pub(super) fn end(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions. Slurm ends tasks that fail in the same way.
    unsafe { libc::_exit(status) }
}
