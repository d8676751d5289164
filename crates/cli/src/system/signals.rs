//! Ctrl-C and its kin: they ask, and long work looks whether they did, so that it
//! can take away what it has begun.

use crate::error::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

static ASKED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// From now on these signals are noted and end nothing by themselves.
///
/// # Errors
/// The kernel's, if it does not take the handlers.
pub(crate) fn watch() -> io::Result<()> {
    let asked = ASKED.get_or_init(Arc::default);
    for (signal, number) in [(SIGHUP, 1), (SIGINT, 2), (SIGTERM, 15)] {
        signal_hook::flag::register_usize(signal, Arc::clone(asked), number)?;
    }
    Ok(())
}

/// Whether the command has been asked to end.
///
/// # Errors
/// [`Failure::Stopped`], if it has.
pub(crate) fn check() -> Result<(), Failure> {
    match ASKED.get().map_or(0, |asked| asked.load(Ordering::Relaxed)) {
        0 => Ok(()),
        signal => Err(Failure::Stopped(u8::try_from(signal).unwrap_or(u8::MAX))),
    }
}
