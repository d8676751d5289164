//! The backend of the `log` crate. It writes to Slurm's own log and to syslog.
//!
//! | level | Slurm function | shown in |
//! | --- | --- | --- |
//! | error | `slurm_error` | daemon's log; the user's terminal |
//! | warn | `slurm_info` | daemon's log |
//! | info | `slurm_verbose` | daemon's log, if it is verbose |
//! | debug, trace | `slurm_debug`, `slurm_debug2` | daemon's log, if it is that verbose |
//!
//! Records with the target [`EVENT`] go to syslog only.

pub mod syslog;

use crate::spank;
use log::{LevelFilter, Log, Metadata, Record};
use syslog::EVENT;

struct Sinks;

impl Log for Sinks {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target() == EVENT {
            // Without syslog, nothing is formatted.
            if syslog::is_used() {
                syslog::send(*record.args());
            }
            return;
        }
        if spank::is_shown(record.level()) {
            spank::slurm_log(record.level(), &format!("{}: {}", crate::NAME, record.args()));
        }
    }

    fn flush(&self) {}
}

/// Installs the backend. Later calls have no effect.
#[cfg(not(test))]
pub(crate) fn install() {
    // This fails only if a logger is installed already.
    if log::set_logger(&Sinks).is_ok() {
        // `Sinks::log` drops records that Slurm's own level hides, without formatting them.
        log::set_max_level(LevelFilter::Trace);
    }
}

#[cfg(test)]
pub(crate) use capture::{captured, install};

/// In tests, records are kept per thread instead.
#[cfg(test)]
mod capture {
    use super::{EVENT, LevelFilter, Log, Metadata, Record};
    use std::cell::RefCell;

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    struct Capture;

    impl Log for Capture {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            let level = match record.target() {
                EVENT => "EVENT",
                _ => record.level().as_str(),
            };
            LINES.with_borrow_mut(|lines| lines.push(format!("{level} {}", record.args())));
        }

        fn flush(&self) {}
    }

    pub(crate) fn install() {
        if log::set_logger(&Capture).is_ok() {
            log::set_max_level(LevelFilter::Trace);
        }
    }

    /// Returns the lines that `work` logs, each with its level in front.
    pub(crate) fn captured(work: impl FnOnce()) -> Vec<String> {
        install();
        LINES.take();
        work();
        LINES.take()
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENT, Sinks};
    use crate::spank::stubs::{LOG_LEVEL, LOGGED};
    use log::{Level, Log, Record};

    #[test]
    fn each_level_has_its_slurm_function() {
        LOGGED.take();
        for level in Level::iter() {
            let record = Record::builder().level(level).args(format_args!("50%s\0!")).build();
            Sinks.log(&record);
        }
        let names = ["slurm_error", "slurm_info", "slurm_verbose", "slurm_debug", "slurm_debug2"];
        assert_eq!(LOGGED.take(), names.map(|name| (name, "sifcache: 50%s!".to_owned())));
    }

    #[test]
    fn hidden_levels_are_not_written() {
        LOGGED.take();
        LOG_LEVEL.set(3);
        for level in Level::iter() {
            Sinks.log(&Record::builder().level(level).args(format_args!("!")).build());
        }
        LOG_LEVEL.set(6);
        let names = LOGGED.take().into_iter().map(|(name, _)| name);
        assert_eq!(names.collect::<Vec<_>>(), ["slurm_error", "slurm_info"]);
    }

    #[test]
    fn events_are_not_written_to_slurms_log() {
        LOGGED.take();
        Sinks.log(&Record::builder().target(EVENT).args(format_args!("event=hit")).build());
        assert!(LOGGED.take().is_empty());
    }
}
