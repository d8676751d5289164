//! Sends lines to syslog, through `/dev/log`.
//!
//! The C library's syslog(3) and the usual crates block while the daemon does not read, and a task must
//! not block.

use crate::NAME;
use crate::spank;
use sifcache_core::settings::facility_code;
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::OnceLock;

/// The target of log records for syslog: one line of `key=value` fields for each hit and miss.
pub const EVENT: &str = "sifcache::event";

const SOCKET: &CStr = c"/dev/log";

/// The severity of all lines: `info`.
const INFO: u8 = 6;

/// The code of the facility.
static FACILITY: OnceLock<u8> = OnceLock::new();

/// Selects the facility by name. Only the first call has an effect; without it, nothing is sent.
pub fn use_facility(name: &str) {
    if !is_used()
        && let Some(code) = facility_code(name)
    {
        let _ = FACILITY.set(code);
    }
}

/// Whether a facility has been selected.
pub fn is_used() -> bool {
    FACILITY.get().is_some()
}

/// Sends one line without blocking. If the daemon is absent or its queue is full, the line is lost.
pub fn send(line: fmt::Arguments<'_>) {
    let _ = FACILITY.get().map(|facility| try_to_send(&message(*facility, line)));
}

fn try_to_send(message: &str) -> io::Result<()> {
    // The socket is not closed here: the `execve` that follows closes it.
    let socket = ManuallyDrop::new(spank::datagram_socket()?);
    spank::send_to(&socket, SOCKET, message.as_bytes()).map(drop)
}

/// `<PRIORITY>NAME: LINE`, the form of RFC 3164 for a local socket. It contains no time, because
/// the daemon adds the time in its own zone (4.3.2), and no process ID, because by the time the
/// line is read, the process runs another program.
fn message(facility: u8, line: fmt::Arguments<'_>) -> String {
    let priority = facility * 8 + INFO;
    format!("<{priority}>{NAME}: {line}")
}

#[cfg(test)]
mod tests {
    use super::message;
    use sifcache_core::settings::facility_code;

    #[test]
    fn one_line_with_priority_and_name() {
        let facility = facility_code("local3").unwrap();
        let expected = format!("<{}>sifcache: event=hit", 19 * 8 + 6);
        assert_eq!(message(facility, format_args!("event=hit")), expected);
    }
}
