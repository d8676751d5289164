//! Checks `filler=`: whether the misses of this host reach the listener of `sifcache fill
//! --listen`.

use super::finding::Finding;
use super::host::Host;
use crate::demand::message::Answer;
use sifcache_core::nested::{COMMAND, installed};
use sifcache_core::settings::Filler;

/// The program that sends the misses, and the answer of the listener.
pub(super) fn check(host: &Host, filler: &Filler) -> Vec<Finding> {
    vec![command(host), listener(host, filler)]
}

/// The plugin and the shim start this program.
fn command(host: &Host) -> Finding {
    let path = installed(COMMAND);
    if host.is_program(path.as_ref()) {
        return Finding::ok("command", format!("{path} sends misses to the listener"));
    }
    let message =
        format!("{path} is missing or not executable, so no miss is sent to the listener");
    Finding::warn("command", message).advice("install it with `make install` or the package")
}

fn listener(host: &Host, filler: &Filler) -> Finding {
    let lost = "misses of this host are not sent";
    match (host.ask)(filler) {
        Ok(Answer::Accepted) => {
            Finding::ok("listener", format!("filler={filler}: the listener accepts requests"))
        }
        Ok(Answer::Busy(seconds)) => {
            let message = format!("filler={filler}: the listener is busy for {seconds} s");
            Finding::note("listener", message).advice("check munged on that host, or try again")
        }
        Ok(Answer::Refused(reason)) => {
            let message =
                format!("filler={filler}: the listener refuses requests: {reason}; {lost}");
            let advice = "check the munge keys, the clocks and the releases of both hosts";
            Finding::warn("listener", message).advice(advice)
        }
        Err(failure) => {
            let message = format!("filler={filler} cannot be reached: {failure}; {lost}");
            Finding::warn("listener", message)
                .advice("docs/on-demand.md#limits lists what can be wrong; or remove filler=")
        }
    }
}
