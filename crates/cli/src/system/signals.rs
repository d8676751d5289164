//! Handles Ctrl-C and similar signals: a signal sets a flag, and long operations check it, so that
//! they can remove unfinished work.

use crate::error::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

static ASKED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Installs handlers, so that SIGHUP, SIGINT and SIGTERM from now on set the flag instead of ending
/// the process.
///
/// # Errors
/// The handlers cannot be installed.
pub(crate) fn watch() -> io::Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for (signal, number) in [(SIGHUP, 1), (SIGINT, 2), (SIGTERM, 15)] {
        signal_hook::flag::register_usize(signal, Arc::clone(asked), number)?;
    }
    Ok(())
}

/// Checks whether a signal asked the command to stop.
///
/// # Errors
/// [`Failure::Stopped`] if a signal did.
pub(crate) fn check() -> Result<(), Failure> {
    match ASKED.get().map_or(0, |asked| asked.load(Ordering::Relaxed)) {
        0 => Ok(()),
        signal => Err(Failure::Stopped(u8::try_from(signal).unwrap_or(u8::MAX))),
    }
}
