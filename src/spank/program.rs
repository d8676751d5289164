//! Starts a program from a helper process, which has closed all files of the task.
//!
//! The standard library could start it as well, but would add 50 KB to the plugin.

use std::ffi::{CString, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::ptr;

/// A program that was started.
#[derive(Debug)]
pub(crate) struct Program {
    pid: libc::pid_t,
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
        std::env::set_current_dir("/")?;
        // SAFETY: the call takes two integers. If it fails, the program is in the group of the task.
        unsafe { libc::setpgid(0, 0) };
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
        if error == 0 { Ok(Self { pid }) } else { Err(io::Error::from_raw_os_error(error)) }
    }

    /// Waits for the end of the program. `None` if a signal has ended it.
    pub(crate) fn status(&self) -> Option<c_int> {
        let mut status = 0;
        loop {
            // SAFETY: the process is a child that was not waited for; the call writes an integer.
            let ended = unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
            if ended >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return (ended > 0 && libc::WIFEXITED(status)).then(|| libc::WEXITSTATUS(status));
            }
        }
    }
}

/// Lets the programs that this process starts inherit a file.
pub(crate) fn inherit(file: &OwnedFd) {
    // SAFETY: the descriptor is open, and the call takes integers.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
}
