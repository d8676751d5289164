//! `request --send-only`: the plugin and the shim start it for a miss, without waiting for it.

use super::relay;
use super::report::Status;
use crate::cache::image_name;
use crate::demand::ask::Route;
use crate::demand::subscription::Subscription;
use crate::demand::syslog;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::Site;
use crate::reference_list;
use crate::site;
use sifcache_core::settings::{Filler, Syslog};
use sifcache_munge::Munge;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// The process ends after this time for each image, even if a file server, a name server or munge
/// does not answer. A request that was not sent by then comes too late for a job that waits.
const LIMIT: Duration = Duration::from_millis(2200);

/// Sends the requests, prints nothing, and logs the first problem. With `to`, no settings are read.
/// With `news`, this also passes on the news about the last image: see [`relay`].
pub(super) fn run(
    site: &Site,
    (to, news): (Option<&Filler>, bool),
    words: &[String],
    from: &[PathBuf],
) -> Exit {
    let count = u32::try_from(words.len().max(1)).unwrap_or(u32::MAX);
    let is_sending = Arc::new(AtomicBool::new(true));
    let is_late = Arc::clone(&is_sending);
    thread::spawn(move || {
        thread::sleep(LIMIT.saturating_mul(count));
        if is_late.load(Ordering::Relaxed) {
            exit(Exit::UNAVAILABLE.code().into());
        }
    });
    let (problem, exit) = match send(site, to, words, from) {
        Ok(None) => {
            if let Some((listener, news)) = to.filter(|_| news).and_then(|to| subscribe(to, words))
            {
                is_sending.store(false, Ordering::Relaxed);
                relay::run(listener, news);
            }
            return Exit::OK;
        }
        Ok(Some(status)) => (status.reason().unwrap_or_default(), status.exit()),
        Err(failure) => (failure.to_string(), failure.exit()),
    };
    let facility = site::settings(site).map_or(Syslog::Off, |settings| settings.syslog);
    let images = words.join(" ").escape_debug().to_string();
    let text = format!("{images} cannot be requested: {problem}");
    syslog::warn(Path::new(syslog::SOCKET), facility, &text);
    exit
}

/// The socket of the waiting processes, and the news for them. `None` if one of them is not available.
/// This is not an error, because these processes can poll the queue files.
fn subscribe(filler: &Filler, words: &[String]) -> Option<(UnixListener, Subscription)> {
    let listener = relay::socket().ok()?;
    let reference = image_name::parse(words.last()?).ok()?;
    let news = Subscription::start(filler, &Munge::load().ok()?, &reference).ok()??;
    Some((listener, news))
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
