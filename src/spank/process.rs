//! This process: its environment, its limits, its sockets and its end.

use crate::job::Error;
use std::ffi::{CStr, CString, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

/// Sets a variable of this process, for what it starts.
pub(super) fn set_variable(name: &CString, value: &CString) -> Result<(), Error> {
    // SAFETY: both are C strings, which setenv copies. Slurm calls us from the thread that
    // parses the command line and sets variables itself. The other threads that srun has by
    // then, in 26.05, serve its sockets and read no variable.
    match unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) } {
        0 => Ok(()),
        _ => Err(Error::InvalidArgument("the environment is full")),
    }
}

/// Removes a variable of this process.
pub(super) fn unset_variable(name: &CString) -> Result<(), Error> {
    // SAFETY: a C string, which unsetenv only reads; the thread is the same as above.
    match unsafe { libc::unsetenv(name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Error::InvalidArgument("the variable has no valid name")),
    }
}

/// A variable of this process.
pub(super) fn variable(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_encoded_bytes)
}

/// The words that this process was started with; none if they are not to be had.
pub(super) fn command_line() -> Vec<Vec<u8>> {
    words(&fs::read("/proc/self/cmdline").unwrap_or_default())
}

/// The words of proc(5), `/proc/pid/cmdline`: each ends with a null byte.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let Some(text) = text.strip_suffix(b"\0") else { return Vec::new() };
    text.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

/// Whether this user may execute the file at `path`, for all that its mode says.
pub(crate) fn may_execute(path: &CStr) -> bool {
    // SAFETY: a C string and a number.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
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

/// A limit of this process; none if it is not to be had.
pub(super) fn soft_limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes the two numbers of the structure.
    let answer = unsafe { libc::getrlimit(resource, &raw mut limit) };
    (answer == 0).then_some(limit.rlim_cur)
}

/// Does what may write to a file. Where files are limited, in a task by another plugin or by
/// PAM, too long a file would end the process by a signal; so the write fails instead.
pub(super) fn writing<T>(write: impl FnOnce() -> T) -> T {
    let unlimited = soft_limit(libc::RLIMIT_FSIZE).is_none_or(|most| most == libc::RLIM_INFINITY);
    if unlimited {
        return write();
    }
    // SAFETY: a signal and what is to become of it.
    let before = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let result = write();
    // SAFETY: as above; this is what it was.
    unsafe { libc::signal(libc::SIGXFSZ, before) };
    result
}

/// A socket for datagrams on which sending never waits, in one system call; the
/// standard library needs two, and every hit pays for them.
pub(crate) fn datagram_socket() -> io::Result<UnixDatagram> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes three numbers and gives a new descriptor or -1.
    let descriptor = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and nobody else knows it.
    Ok(UnixDatagram::from(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

#[cfg(test)]
mod tests {
    use super::{command_line, datagram_socket, words};
    use std::io::ErrorKind;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn the_words_of_a_command_line() {
        assert_eq!(words(b"srun\0\0-n 1\0"), [b"srun".as_slice(), b"", b"-n 1"]);
        assert_eq!(words(b"a\0"), [b"a"]);
        assert!(words(b"").is_empty() && words(b"cut").is_empty());
        assert_eq!(command_line().len(), std::env::args_os().len());
    }

    /// A syslog daemon that does not read must not hold up a task.
    #[test]
    fn sending_never_waits() {
        let path = std::env::temp_dir().join(format!("sifcache-log-{}", std::process::id()));
        let _daemon = UnixDatagram::bind(&path).unwrap();
        let socket = datagram_socket().unwrap();
        let full = (0..100_000).find_map(|_| socket.send_to(&[b'x'; 900], &path).err());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::WouldBlock));
    }
}
