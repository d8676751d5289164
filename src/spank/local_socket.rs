//! Connections between processes on this node, over sockets with abstract names: unix(7).

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

/// Connects to the socket with this abstract name, without waiting for the process that listens.
/// The standard library would wait if that process accepts no connections.
///
/// # Errors
/// No process listens, or its queue of connections is full, or the name is too long.
pub(crate) fn connect(name: &[u8]) -> io::Result<UnixStream> {
    let (address, length) = address(name).ok_or(io::ErrorKind::InvalidInput)?;
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the call takes three integers and returns a new descriptor or -1.
    let descriptor = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and nothing else owns it.
    let stream = UnixStream::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    let address = (&raw const address).cast::<libc::sockaddr>();
    // SAFETY: the address is valid, and `length` is not larger than its structure.
    if unsafe { libc::connect(stream.as_raw_fd(), address, length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// The address of an abstract name: a null byte and the name.
fn address(name: &[u8]) -> Option<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: all bytes of this structure may be zero.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX.try_into().ok()?;
    let place = address.sun_path.get_mut(1..=name.len())?;
    for (to, from) in place.iter_mut().zip(name) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    let before = mem::offset_of!(libc::sockaddr_un, sun_path) + 1;
    Some((address, libc::socklen_t::try_from(before + name.len()).ok()?))
}

/// The user ID of the process at the other end, when it began to listen or connected.
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
    // Without MSG_NOSIGNAL, a peer that has ended would end this process, too.
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    let (start, length) = (bytes.as_ptr().cast(), bytes.len());
    // SAFETY: the pointer and the length are those of `bytes`.
    let sent = unsafe { libc::send(stream.as_raw_fd(), start, length, flags) };
    usize::try_from(sent) == Ok(length)
}

#[cfg(test)]
mod tests {
    use super::{connect, peer_uid, send};
    use std::io::{ErrorKind, Read as _};
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};

    fn name(test: &str) -> String {
        format!("sifcache-test/{}/{test}", std::process::id())
    }

    fn listen(name: &str) -> UnixListener {
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap()
    }

    #[test]
    fn a_peer_is_identified_and_gets_messages() {
        let name = name("peer");
        let missing = connect(name.as_bytes()).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::ConnectionRefused);
        let listener = listen(&name);
        let mut follower = connect(name.as_bytes()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let own =
            std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own));
        assert_eq!(peer_uid(&follower), own.ok());
        assert_eq!(peer_uid(&accepted), peer_uid(&follower));
        assert!(send(&accepted, b"line\n"));
        let mut bytes = [0; 16];
        assert_eq!(follower.read(&mut bytes).unwrap(), 5);
        drop(follower);
        assert!(!send(&accepted, b"line\n"));
        assert!(connect(&[b'x'; 108]).is_err());
    }

    /// A process that listens but never accepts must not block a task.
    #[test]
    fn connecting_never_waits() {
        let name = name("full");
        let _listener = listen(&name);
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
        let listener = listen(&name);
        let _follower = connect(name.as_bytes()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!((0..100_000).any(|_| !send(&accepted, &[b'x'; 900])));
    }
}
