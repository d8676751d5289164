//! Starts a program from a helper process, which has closed all files of the task.
//!
//! The standard library could start it as well, but would add 50 KB to the plugin.

use rustix::io::{FdFlags, fcntl_setfd, retry_on_intr};
use rustix::process::{Pid, WaitOptions, chdir, setpgid, waitpid};
use std::ffi::{CString, c_char, c_int};
use std::io;
use std::os::fd::AsFd;
use std::ptr;

/// A program that was started.
#[derive(Debug)]
pub(crate) struct Program {
    pid: Pid,
}

impl Program {
    /// Starts the program at `path` with an empty environment, in the root directory and a process
    /// group of its own. It inherits the open files of this process that do not close on `execve`.
    ///
    /// This changes the directory and the process group of this process, which has to be a helper
    /// process.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub(crate) fn start(path: &CString, arguments: &[CString]) -> io::Result<Self> {
        chdir(c"/")?;
        // If this fails, the program is in the group of the task.
        let _ = setpgid(None, None);
        let pointers = arguments.iter().map(|argument| argument.as_ptr().cast_mut());
        let arguments: Vec<*mut c_char> = pointers.chain([ptr::null_mut()]).collect();
        let environment = [ptr::null_mut()];
        let mut pid = 0;
        let (actions, attributes) = (ptr::null(), ptr::null());
        let (arguments, environment) = (arguments.as_ptr(), environment.as_ptr());
        let path = path.as_ptr();
        // SAFETY: the path is a C string, and both arrays hold C strings and end with a null
        // pointer. The call changes none of them, and writes only `pid`.
        let error = unsafe {
            libc::posix_spawn(&raw mut pid, path, actions, attributes, arguments, environment)
        };
        let pid = Pid::from_raw(pid).filter(|_| error == 0);
        pid.map(|pid| Self { pid }).ok_or_else(|| io::Error::from_raw_os_error(error))
    }

    /// Waits for the end of the program. `None` if a signal has ended it.
    pub(crate) fn status(&self) -> Option<c_int> {
        let ended = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()));
        let (_, status) = ended.ok().flatten()?;
        status.exit_status()
    }
}

/// Lets the programs that this process starts inherit a file.
pub(crate) fn inherit(file: impl AsFd) {
    let _ = fcntl_setfd(file, FdFlags::empty());
}
