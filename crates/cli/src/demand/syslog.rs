//! A request over syslog: the line that the plugin writes about a miss.
//!
//! The form is that of the plugin, `<PRIORITY>sifcache: LINE`: RFC 3164 without time and host, which
//! rsyslog, syslog-ng and journald add themselves. They take the text before the colon as the name
//! of the program. glibc's syslog(3) also writes the time, which journald discards and rsyslog would
//! take as the client's local time.

use crate::error::Failure;
use sifcache_core::fields;
use sifcache_core::reference::Reference;
use sifcache_core::settings::{Syslog, facility_code};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// The socket of the host's syslog daemon.
pub(crate) const SOCKET: &str = "/dev/log";
/// How long a daemon that does not read may delay the command.
const LIMIT: Duration = Duration::from_secs(1);
/// The severity `warning`.
const WARNING: u8 = 4;
/// The severity `info`.
const INFO: u8 = 6;

/// Sends the request of this user to the daemon that reads `socket`.
///
/// # Errors
/// The site's settings disable syslog, or the daemon does not take the line.
pub(crate) fn send(
    socket: &Path,
    syslog: Syslog,
    reference: &Reference,
    uid: u32,
) -> Result<(), Failure> {
    let code = match syslog {
        Syslog::Facility(name) => facility_code(name),
        Syslog::Off => None,
    };
    let code = code.ok_or_else(|| {
        let advice = "ask the site for the listener of its filler, and name it with --to HOST";
        Failure::Syslog(format!("the site has set syslog=off; {advice}"))
    })?;
    write(socket, &message(code, reference, uid))
        .map_err(|error| Failure::Syslog(format!("{}: {error}", socket.display())))
}

/// Sends a message for the admins. It is lost if the site's settings disable syslog, or the daemon
/// does not take it.
pub(crate) fn warn(socket: &Path, syslog: Syslog, text: &str) {
    if let Syslog::Facility(name) = syslog
        && let Some(code) = facility_code(name)
    {
        let priority = code * 8 + WARNING;
        let _ = write(socket, &format!("<{priority}>sifcache: {text}"));
    }
}

fn message(code: u8, reference: &Reference, uid: u32) -> String {
    let priority = code * 8 + INFO;
    let reference = fields::value(reference.to_string().as_bytes());
    format!("<{priority}>sifcache: event=miss uid={uid} via=request reference={reference}")
}

fn write(socket: &Path, message: &str) -> io::Result<()> {
    let daemon = UnixDatagram::unbound()?;
    daemon.set_write_timeout(Some(LIMIT))?;
    daemon.send_to(message.as_bytes(), socket).map(drop)
}

#[cfg(test)]
mod tests {
    use super::{send, warn};
    use crate::events::event;
    use sifcache_core::reference::Reference;
    use sifcache_core::settings::Syslog;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn the_line_is_a_miss() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("log");
        let reference = Reference::parse(b"o/i:1").unwrap();
        let missing = send(&socket, Syslog::Facility("local3"), &reference, 1001);
        let text = missing.unwrap_err().to_string();
        assert!(text.contains(&format!("{}: No such file", socket.display())), "{text}");
        let daemon = UnixDatagram::bind(&socket).unwrap();
        send(&socket, Syslog::Facility("local3"), &reference, 1001).unwrap();
        let mut bytes = [0; 256];
        let length = daemon.recv(&mut bytes).unwrap();
        let text = std::str::from_utf8(&bytes[..length]).unwrap();
        let line = text.strip_prefix("<158>sifcache: ").unwrap();
        assert_eq!(line, "event=miss uid=1001 via=request reference=docker.io/o/i:1");
        let event = event::parse(line).unwrap();
        assert_eq!((event.reference.to_string().as_str(), event.uid), ("docker.io/o/i:1", 1001));
        assert_eq!((event.image, event.job), (None, None));
        let off = send(&socket, Syslog::Off, &reference, 1001).unwrap_err().to_string();
        assert!(off.contains("syslog=off"), "{off}");
    }

    #[test]
    fn a_message_for_the_admins() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("log");
        let daemon = UnixDatagram::bind(&socket).unwrap();
        warn(&socket, Syslog::Off, "lost");
        warn(&socket, Syslog::Facility("local3"), "no filler");
        let mut bytes = [0; 256];
        let length = daemon.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], b"<156>sifcache: no filler");
    }
}
