//! Sockets of this node: unix(7). Connections use abstract names.
//!
//! Only [`receive`] waits for another process, and only for a limited time. The standard library
//! would wait longer, or would need more system calls.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
    bind, recv, sendto, socket_with,
};
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::time::Duration;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Without `NOSIGNAL`, a peer that has ended would end this process, too.
const SEND: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);

/// The number of connections that can wait to be accepted: as many as the system allows.
const BACKLOG: i32 = -1;

fn socket(kind: SocketType) -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, kind, FLAGS, None)
}

/// Listens on the socket with this abstract name.
///
/// # Errors
/// Another process listens on it, or the name is too long.
pub(crate) fn listen(name: &[u8]) -> io::Result<UnixListener> {
    let socket = socket(SocketType::STREAM)?;
    bind(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Accepts a connection.
///
/// # Errors
/// No process has connected, or this process has too many files.
pub(crate) fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    Ok(retry_on_intr(|| accept_with(listener, FLAGS))?.into())
}

/// Connects to the socket with this abstract name, without waiting for the process that listens.
///
/// # Errors
/// No process listens, or its queue of connections is full, or the name is too long.
pub(crate) fn connect(name: &[u8]) -> io::Result<UnixStream> {
    let socket = socket(SocketType::STREAM)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new_abstract_name(name)?)?;
    Ok(socket.into())
}

/// The user ID of the process at the other end, when it began to listen or connected.
///
/// The type of rustix has no process ID 0, which is that of a process in another PID namespace.
pub(crate) fn peer_uid(stream: &UnixStream) -> Option<u32> {
    let mut peer = MaybeUninit::<libc::ucred>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).ok()?;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
    let (value, size) = (peer.as_mut_ptr().cast(), &raw mut length);
    // SAFETY: the call writes at most `length` bytes to the structure.
    let result = unsafe { libc::getsockopt(stream.as_raw_fd(), level, option, value, size) };
    // SAFETY: all bytes of the structure are zero or written by the call.
    let peer = unsafe { peer.assume_init() };
    (result == 0).then_some(peer.uid)
}

/// Sends `bytes` without waiting. False if they cannot be sent completely.
pub(crate) fn send(stream: &UnixStream, bytes: &[u8]) -> bool {
    rustix::net::send(stream, bytes, SEND) == Ok(bytes.len())
}

/// Receives bytes, and returns their number: 0 if the connection was closed. Waits for them at most
/// `time`.
///
/// # Errors
/// No bytes have arrived within `time`, or the peer has closed the connection without reading what
/// it was sent.
pub(crate) fn receive(stream: &UnixStream, time: Duration, bytes: &mut [u8]) -> io::Result<usize> {
    let limit = Timespec::try_from(time).ok();
    if poll(&mut [PollFd::new(stream, PollFlags::IN)], limit.as_ref())? == 0 {
        return Err(Errno::AGAIN.into());
    }
    let (count, _) = recv(stream, bytes, RecvFlags::empty())?;
    Ok(count)
}

/// Returns a datagram socket on which sending never blocks.
///
/// # Errors
/// The kernel cannot create a socket.
pub(crate) fn datagram_socket() -> io::Result<UnixDatagram> {
    Ok(socket(SocketType::DGRAM)?.into())
}

/// Sends a datagram to the socket at `path`. Returns the number of bytes.
///
/// # Errors
/// No process has this socket, or its queue is full.
pub(crate) fn send_to(socket: &UnixDatagram, path: &CStr, bytes: &[u8]) -> io::Result<usize> {
    Ok(sendto(socket, bytes, SEND, &SocketAddrUnix::new(path)?)?)
}

#[cfg(test)]
mod tests {
    use super::{accept, connect, datagram_socket, listen, peer_uid, receive, send, send_to};
    use std::ffi::CString;
    use std::io::ErrorKind;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::UnixDatagram;
    use std::thread;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(20);

    fn name(test: &str) -> String {
        format!("sifcache-test/{}/{test}", std::process::id())
    }

    #[test]
    fn a_peer_is_identified_and_gets_messages() {
        let name = name("peer");
        let missing = connect(name.as_bytes()).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::ConnectionRefused);
        let listener = listen(name.as_bytes()).unwrap();
        let taken = listen(name.as_bytes()).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert_eq!(accept(&listener).unwrap_err().kind(), ErrorKind::WouldBlock);
        let follower = connect(name.as_bytes()).unwrap();
        let accepted = accept(&listener).unwrap();
        let own =
            std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own));
        assert_eq!(peer_uid(&follower), own.ok());
        assert_eq!(peer_uid(&accepted), peer_uid(&follower));
        let mut bytes = [0; 16];
        let nothing = receive(&follower, SHORT, &mut bytes).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        // It waits for a message that is sent later.
        let sender = thread::spawn(move || {
            thread::sleep(SHORT);
            assert!(send(&accepted, b"line\n"));
        });
        assert_eq!(receive(&follower, LONG, &mut bytes).unwrap(), 5);
        sender.join().unwrap();
        assert!(bytes.starts_with(b"line\n"));
        assert_eq!(receive(&follower, LONG, &mut bytes).unwrap(), 0);
        assert!(!send(&follower, b"line\n"));
        assert!(connect(&[b'x'; 108]).is_err());
    }

    /// A process that listens but never accepts must not block a task.
    #[test]
    fn connecting_never_waits() {
        let name = name("full");
        let _listener = listen(name.as_bytes()).unwrap();
        let mut connections = Vec::new();
        let error = loop {
            match connect(name.as_bytes()) {
                Ok(connection) => connections.push(connection),
                Err(error) => break error,
            }
        };
        // With a very long queue of connections, the limit on open files comes first.
        let limit = error.raw_os_error() == Some(libc::EMFILE);
        assert!(limit || error.kind() == ErrorKind::WouldBlock, "{error}");
    }

    /// A peer that does not read must not block a task.
    #[test]
    fn sending_never_waits() {
        let name = name("send");
        let listener = listen(name.as_bytes()).unwrap();
        let _follower = connect(name.as_bytes()).unwrap();
        let accepted = accept(&listener).unwrap();
        assert!((0..100_000).any(|_| !send(&accepted, &[b'x'; 900])));
    }

    /// A syslog daemon that does not read must not block a task.
    #[test]
    fn sending_datagrams_never_waits() {
        let path = std::env::temp_dir().join(format!("sifcache-log-{}", std::process::id()));
        let daemon = UnixDatagram::bind(&path).unwrap();
        let socket = datagram_socket().unwrap();
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        let send = || send_to(&socket, &path, &[b'x'; 900]);
        assert_eq!(send().unwrap(), 900);
        assert_eq!(daemon.recv(&mut [0; 1000]).unwrap(), 900);
        let full = (0..100_000).find_map(|_| send().err());
        std::fs::remove_file(path.to_str().unwrap()).unwrap();
        assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::WouldBlock));
    }
}
