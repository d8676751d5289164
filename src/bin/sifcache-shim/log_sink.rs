//! The backend of the `log` crate: sends events, warnings and errors to syslog and drops everything
//! else.

use log::{Level, LevelFilter, Log, Metadata, Record};
use spank_sifcache::logging::syslog::{self, EVENT};

struct Sink;

impl Log for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == EVENT || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            syslog::send(*record.args());
        }
    }

    fn flush(&self) {}
}

/// Installs the backend. Later calls have no effect.
pub(crate) fn install() {
    if log::set_logger(&Sink).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
