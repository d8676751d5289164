//! This process: its environment, limits and files, and its exit.

use super::cached_files::cached_attributes;
use super::signals;
use crate::job::Error;
use rustix::fs::{Access, Mode, OFlags, access, openat};
use rustix::io::{retry_on_intr, write};
use rustix::process::{Pid, getpid};
use rustix::termios::isatty;
use sifcache_core::attributes::Attributes;
use std::ffi::{CStr, CString, OsString, c_int};
use std::fs::File;
use std::io;

/// Sets an environment variable of this process, which its children inherit.
pub(super) fn set_variable(name: &CString, value: &CString) -> Result<(), Error> {
    // SAFETY: both are valid C strings, which setenv copies. Slurm calls the plugin from the thread
    // that parses the command line and sets variables itself. The other threads that srun 26.05 has
    // at that point serve its sockets and read no variable.
    match unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) } {
        0 => Ok(()),
        _ => Err(Error::InvalidArgument("no memory is left for the environment")),
    }
}

/// Removes an environment variable of this process.
pub(super) fn unset_variable(name: &CString) -> Result<(), Error> {
    // SAFETY: `name` is a valid C string, which unsetenv only reads. The thread is the same as
    // above.
    match unsafe { libc::unsetenv(name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Error::InvalidArgument("the name of the variable is invalid")),
    }
}

/// The value of an environment variable of this process.
pub(super) fn variable(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_encoded_bytes)
}

/// The argv of this process. The standard library gets it from the loader, so it costs no system
/// call.
pub(super) fn command_line() -> Vec<Vec<u8>> {
    std::env::args_os().map(OsString::into_encoded_bytes).collect()
}

/// The ID of this process. A helper process has its own.
pub(crate) fn process_id() -> Pid {
    getpid()
}

/// Whether this user may execute the file at `path`. The kernel decides, not only the file's mode.
pub(crate) fn may_execute(path: &CStr) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}

/// Opens the file `name` in a directory: openat(2). The flags create no file.
pub(crate) fn open_at(directory: &File, name: &CStr, flags: c_int) -> io::Result<File> {
    let flags = OFlags::from_bits_retain(flags.cast_unsigned());
    Ok(openat(directory, name, flags, Mode::empty())?.into())
}

/// The attributes of an open file or directory that the kernel has cached. A kernel before 4.11 cannot
/// tell them; there, this may query the file server.
pub(crate) fn known_attributes(file: &File) -> io::Result<Attributes> {
    let queried = || file.metadata().map(|metadata| Attributes::from(&metadata));
    cached_attributes(file).or_else(|_| queried())
}

/// Writes to stderr, which in a task is the task's own. If stderr is closed, the text is lost.
pub(super) fn write_stderr(text: &str) {
    let mut left = text.as_bytes();
    while !left.is_empty() {
        match retry_on_intr(|| write(io::stderr(), left)) {
            Ok(count) if count > 0 => left = left.get(count..).unwrap_or_default(),
            _ => return,
        }
    }
}

/// Whether stderr is a terminal.
pub(crate) fn stderr_is_terminal() -> bool {
    isatty(io::stderr())
}

/// Sets the name of this process in ps(1). A task cannot write it to `/proc/self/comm`, which belongs
/// to root after a change of the user ID. The kernel shortens the name to 15 bytes.
pub(crate) fn set_name(name: &CStr) {
    let _ = rustix::thread::set_name(name);
}

/// Ends this process without running the exit handlers that slurmstepd has registered.
pub(super) fn end(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions. Slurm ends tasks that fail in the same way.
    unsafe { libc::_exit(status) }
}

/// The soft limit of this process for `resource`; `None` if it cannot be read. rustix would not
/// report an error.
pub(super) fn soft_limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call only writes the two integers of `limit`.
    let answer = unsafe { libc::getrlimit(resource, &raw mut limit) };
    (answer == 0).then_some(limit.rlim_cur)
}

/// Runs `write`, which may write to a file. In a task, another plugin or PAM may limit the size of
/// files; a write beyond the limit then fails, instead of ending the process with SIGXFSZ.
pub(super) fn writing<T>(write: impl FnOnce() -> T) -> T {
    match soft_limit(libc::RLIMIT_FSIZE) {
        None | Some(libc::RLIM_INFINITY) => write(),
        Some(_) => signals::ignoring(libc::SIGXFSZ, write),
    }
}

#[cfg(test)]
mod tests {
    use super::{command_line, known_attributes};
    use sifcache_core::attributes::Attributes;
    use std::fs::{self, File, OpenOptions, Permissions};
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    /// The kernel's copy, in which each entry ends with a null byte: proc(5).
    #[test]
    fn the_command_line_is_that_of_the_kernel() {
        let text = std::fs::read("/proc/self/cmdline").unwrap();
        let words: Vec<_> = text.strip_suffix(b"\0").unwrap().split(|byte| *byte == 0).collect();
        assert_eq!(command_line(), words);
    }

    /// Also of a handle without permission to read.
    #[test]
    fn known_attributes_are_those_of_the_file() {
        let path = std::env::temp_dir().join(format!("sifcache-known-{}", std::process::id()));
        fs::write(&path, "12345").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o4751)).unwrap();
        let handle = |path| OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path);
        let files = [File::open(&path), handle(&path), handle(&std::env::temp_dir())];
        fs::remove_file(&path).unwrap();
        for file in files {
            let file = file.unwrap();
            let expected = Attributes::from(&file.metadata().unwrap());
            assert_eq!(known_attributes(&file).unwrap(), expected);
        }
    }
}
