//! Records the lines for syslog, in the place of the plugin's own logger.

use crate::logging::syslog::EVENT;
use log::{LevelFilter, Log, Metadata, Record};
use std::cell::RefCell;

thread_local! {
    static SENT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Recorder;

impl Log for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target() == EVENT {
            SENT.with_borrow_mut(|sent| sent.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// The lines that `work` sends to syslog.
pub(crate) fn sent(work: impl FnOnce()) -> Vec<String> {
    // This fails from the second call on, because the logger is already set.
    if log::set_logger(&Recorder).is_ok() {
        log::set_max_level(LevelFilter::Trace);
    }
    SENT.take();
    work();
    SENT.take()
}
