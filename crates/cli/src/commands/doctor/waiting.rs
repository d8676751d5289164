//! Checks jobs that wait for missing images: whether a filler adds the images.

use super::finding::Finding;
use super::host::Host;
use super::listener;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::queue;
use sifcache_core::settings::{Settings, Syslog};
use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

/// `sifcache fill --follow` writes this file at least every 10 seconds.
const BEAT: &str = "beat";
/// The age from which the filler counts as stopped.
const STOPPED: Duration = Duration::from_secs(60);

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let Some(settings) = &host.site.settings else {
        return vec![Finding::skipped("wait", "there are no valid settings")];
    };
    let value = settings.on_miss_value();
    let listener = settings.filler.as_ref().map(|filler| listener::check(host, filler));
    let listener = listener.unwrap_or_default();
    if settings.wait.is_none() {
        let message = format!("on_miss={value}: jobs do not wait, except with --sif-cache=wait");
        return [vec![Finding::ok("wait", message)], listener].concat();
    }
    let waits = Finding::ok("wait", format!("on_miss={value}: jobs wait for missing images"));
    [vec![waits, request(settings, &value), filler(host, settings)], listener].concat()
}

/// The line of a miss in syslog is the request, and so is a message to the listener.
fn request(settings: &Settings, value: &str) -> Finding {
    if let Some(filler) = &settings.filler {
        return Finding::ok("request", format!("filler={filler}: jobs request images there"));
    }
    match settings.syslog {
        Syslog::Facility(facility) => {
            Finding::ok("request", format!("syslog={facility}: jobs request images by syslog"))
        }
        Syslog::Off => {
            let message =
                format!("syslog=off: no filler gets the requests of waiting jobs ({value})");
            let advice = "remove syslog=off from plugstack.conf, or set filler= to a listener";
            Finding::warn("request", message).advice(advice)
        }
    }
}

/// Whether `sifcache fill --follow` runs on any host.
fn filler(host: &Host, settings: &Settings) -> Finding {
    let Some(root) = settings.image_roots.last() else {
        let message = "no image root has sifcache's own layout, so jobs do not wait";
        return Finding::warn("filler", message).advice("add a directory to image_root=");
    };
    let directory = root.join(queue::DIRECTORY);
    let beat = host.path(directory.join(BEAT));
    let stopped = |message: String| {
        Finding::warn("filler", format!("{message}; each miss takes two more seconds")).advice(
            "start sifcache-fill.service on the host that adds images, or set another on_miss=",
        )
    };
    let shown = escape_for_terminal(&directory);
    match fs::metadata(beat).and_then(|metadata| metadata.modified()) {
        // A time in the future comes from a host whose clock is ahead.
        Ok(time) => match SystemTime::now().duration_since(time).unwrap_or_default() {
            age if age < STOPPED => {
                Finding::ok("filler", format!("{shown}: `sifcache fill --follow` is running"))
            }
            age => {
                let seconds = age.as_secs();
                stopped(format!("{shown}: `sifcache fill --follow` stopped {seconds} seconds ago"))
            }
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            stopped(format!("{shown}: `sifcache fill --follow` is not running"))
        }
        Err(error) => Finding::skipped("filler", format!("{shown}: {error}")),
    }
}
