//! Sends lines to syslog, through `/dev/log`.
//!
//! The `syslog` crate provides the facilities and the message. The plugin opens its own socket,
//! because the socket of the crate blocks while the daemon does not read, and a task must not
//! block.

use crate::NAME;
use crate::spank;
use std::ffi::CStr;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;
use syslog::{Facility, LogFormat, Logger, Severity};

/// The target of log records for syslog: one line of `key=value` fields for each hit and miss.
pub const EVENT: &str = "sifcache::event";

const SOCKET: &CStr = c"/dev/log";

static FACILITY: OnceLock<Facility> = OnceLock::new();

/// Selects the facility by name. Only the first call has an effect; without it, nothing is sent.
pub fn use_facility(name: &str) {
    if !is_used()
        && let Ok(facility) = name.parse()
    {
        let _ = FACILITY.set(facility);
    }
}

/// Whether a facility has been selected.
pub fn is_used() -> bool {
    FACILITY.get().is_some()
}

/// Sends one line without blocking. If the daemon is absent or its queue is full, the line is lost.
pub fn send(line: &str) {
    let Some(facility) = FACILITY.get() else { return };
    if let Ok(socket) = Socket::open() {
        // The socket is not closed here: the `execve` that follows closes it.
        let mut logger = ManuallyDrop::new(Logger::new(socket, Format(*facility)));
        let _ = logger.info(line);
    }
}

/// `<PRIORITY>NAME: LINE`, the form of RFC 3164 for a local socket. It contains no time, because
/// the daemon adds the time in its own zone (4.3.2), and no process ID, because by the time the
/// line is read, the process runs another program.
struct Format(Facility);

impl LogFormat<&str> for Format {
    fn format<W: Write>(&self, w: &mut W, severity: Severity, line: &str) -> syslog::Result<()> {
        let priority = self.0 as u8 | severity as u8;
        let message = format!("<{priority}>{NAME}: {line}");
        // This must be one write, because each write is a separate message.
        w.write_all(message.as_bytes()).map_err(syslog::Error::Io)
    }
}

struct Socket(UnixDatagram);

impl Socket {
    fn open() -> io::Result<Self> {
        spank::datagram_socket().map(Self)
    }
}

impl Write for Socket {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        spank::send_to(&self.0, SOCKET, message)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Facility, Format};
    use sifcache_core::settings::facilities;
    use syslog::{LogFormat, Severity};

    #[test]
    fn one_line_with_priority_and_name() {
        let mut sent = Vec::new();
        Format(Facility::LOG_LOCAL3).format(&mut sent, Severity::LOG_INFO, "event=hit").unwrap();
        let expected = format!("<{}>sifcache: event=hit", 19 * 8 + 6);
        assert_eq!(String::from_utf8(sent).unwrap(), expected);
    }

    #[test]
    fn every_facility_in_the_settings_is_valid() {
        for name in facilities() {
            assert!(name.parse::<Facility>().is_ok(), "{name}");
        }
    }
}
