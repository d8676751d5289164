//! `request --send-only`: the plugin and the shim start it for a miss, without waiting for it.

use super::report::Status;
use crate::demand::ask::Route;
use crate::demand::syslog;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::Site;
use crate::reference_list;
use crate::site;
use sifcache_core::settings::{Filler, Syslog};
use std::path::{Path, PathBuf};
use std::process::exit;
use std::thread;
use std::time::Duration;

/// The process ends after this time for each image, whatever it is waiting for: a file server, a
/// name server, munge. A request that was not sent by then comes too late for a job that waits.
const LIMIT: Duration = Duration::from_millis(2200);

/// Sends the requests, prints nothing, and logs the first problem. With `to`, no settings are read.
pub(super) fn run(site: &Site, to: Option<&Filler>, words: &[String], from: &[PathBuf]) -> Exit {
    let count = u32::try_from(words.len().max(1)).unwrap_or(u32::MAX);
    thread::spawn(move || {
        thread::sleep(LIMIT.saturating_mul(count));
        exit(Exit::UNAVAILABLE.code().into());
    });
    let (problem, exit) = match send(site, to, words, from) {
        Ok(None) => return Exit::OK,
        Ok(Some(status)) => (status.reason().unwrap_or_default(), status.exit()),
        Err(failure) => (failure.to_string(), failure.exit()),
    };
    let facility = site::settings(site).map_or(Syslog::Off, |settings| settings.syslog);
    let images = words.join(" ").escape_debug().to_string();
    let text = format!("{images} cannot be requested: {problem}");
    syslog::warn(Path::new(syslog::SOCKET), facility, &text);
    exit
}

/// The last request that was not accepted, if any.
fn send(
    site: &Site,
    to: Option<&Filler>,
    words: &[String],
    from: &[PathBuf],
) -> Result<Option<Status>, Failure> {
    let route = match to {
        Some(filler) => Route::listener(filler, "--to")?,
        None => Route::new(None, &site::settings(site)?)?,
    };
    let mut last = None;
    for reference in &reference_list::gather(words, from)? {
        last = Status::of_answer(route.send(reference)?).or(last);
    }
    Ok(last)
}
