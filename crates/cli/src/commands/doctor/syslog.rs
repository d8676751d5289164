//! Checks syslog: whether the lines for hits and misses arrive, and whether they can be read back.

use super::finding::Finding;
use super::host::Host;
use crate::events::logs::source;
use sifcache_core::settings::Syslog;
use std::os::unix::net::UnixDatagram;

/// The socket of syslog(3).
const SOCKET: &str = "/dev/log";

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let off = host.site.settings.as_ref().is_some_and(|settings| settings.syslog == Syslog::Off);
    if off {
        let message = "syslog=off: `sifcache misses` and `hits` have no data from this host";
        return vec![Finding::note("socket", message)];
    }
    vec![socket(host), log()]
}

/// Only connects to the socket, so that the check writes nothing to the site's logs.
fn socket(host: &Host) -> Finding {
    let connected = UnixDatagram::unbound().and_then(|s| s.connect(host.path(SOCKET)));
    match connected {
        Ok(()) => Finding::ok("socket", format!("{SOCKET}: a syslog daemon listens")),
        Err(error) => {
            Finding::warn("socket", format!("{SOCKET}: {error}: hits and misses are lost")).advice(
                "start rsyslog or systemd-journald; or set syslog=off if they are not to be \
                 counted",
            )
        }
    }
}

fn log() -> Finding {
    match source::of_this_host(None) {
        Ok((sources, _)) => {
            let first = sources.first().map(source::Source::name).unwrap_or_default();
            Finding::ok("log", format!("`sifcache misses` reads {first}"))
        }
        Err(_) => {
            let why = "this user can read no log of this host; read a central one with `sifcache \
                       misses --log FILE`";
            Finding::skipped("log", why)
        }
    }
}
