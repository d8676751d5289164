//! Progress output on standard error: an animated line for each task on a terminal, plain lines
//! otherwise, and nothing together with JSON.

use crate::error::Failure;
use crate::ui::stderr;
use crate::ui::terminal::Terminal;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Update interval of an animated line.
const TICK: Duration = Duration::from_millis(120);

/// The maximum number of updates per second, over all lines.
const RATE: u8 = 20;

/// Reports progress, results and remarks.
#[derive(Debug)]
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

impl Progress {
    /// With `json`, the output is for a script, so no progress is shown.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = io::stderr().is_terminal() && !json;
        let bars = || {
            let terminal = Box::new(Terminal::new(io::stderr()));
            MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(terminal, RATE))
        };
        Self { bars: terminal.then(bars), quiet: json }
    }

    /// Shows that a task has started.
    pub(crate) fn start(&self, title: &str) -> Task {
        self.start_with(title, &Arc::default())
    }

    /// Like [`Self::start`]. The task also reports its progress to `gauge`.
    pub(crate) fn start_with(&self, title: &str, gauge: &Arc<Gauge>) -> Task {
        let task = |bar| Task { bar, title: title.to_owned(), gauge: Arc::clone(gauge) };
        let Some(bars) = &self.bars else {
            if !self.quiet {
                stderr::print(&format!("{title}\n"));
            }
            return task(ProgressBar::hidden());
        };
        let bar = bars.add(ProgressBar::new_spinner());
        bar.set_message(title.to_owned());
        bar.enable_steady_tick(TICK);
        task(bar)
    }

    /// Shows that a task has started; shows nothing without a terminal.
    pub(crate) fn spinner(&self, title: &str) -> Option<Task> {
        self.bars.as_ref().map(|_| self.start(title))
    }

    /// Shows a task with a length in bytes; zero means unknown.
    pub(crate) fn bytes(&self, title: &str, length: u64) -> Task {
        let task = self.start(title);
        task.expect(length);
        task
    }

    /// Shows the progress of reading a log; shows nothing without a terminal.
    pub(crate) fn reading(&self, title: &str, length: u64) -> Task {
        self.on_terminal(&format!("reading {title}"), length)
    }

    /// Shows a task with a length in bytes; shows nothing without a terminal.
    pub(crate) fn on_terminal(&self, title: &str, length: u64) -> Task {
        match self.bars {
            Some(_) => self.bytes(title, length),
            None => {
                Task { bar: ProgressBar::hidden(), title: String::new(), gauge: Arc::default() }
            }
        }
    }

    /// Prints a line of results to standard output.
    ///
    /// # Errors
    /// Standard output fails.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        let write = || anstream::stdout().lock().write_all(format!("{text}\n").as_bytes());
        match &self.bars {
            Some(bars) => bars.suspend(write)?,
            None => write()?,
        }
        Ok(())
    }

    /// Prints a remark to standard error.
    pub(crate) fn note(&self, text: &str) {
        let write = || stderr::message(text);
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// The progress of a task in bytes, for other threads than the task's own.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    length: AtomicU64,
    done: AtomicU64,
    /// Progress that is not counted in bytes.
    steps: AtomicU64,
}

impl Gauge {
    /// The number of bytes that are done, and the length; zero means unknown.
    pub(crate) fn read(&self) -> (u64, u64) {
        let length = self.length.load(Ordering::Relaxed);
        // After the download, the new file is read as well.
        (self.done.load(Ordering::Relaxed).min(length), length)
    }

    /// Notes progress that is not counted in bytes.
    pub(crate) fn touch(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// A number that changes with any progress.
    pub(crate) fn activity(&self) -> u64 {
        self.done.load(Ordering::Relaxed).wrapping_add(self.steps.load(Ordering::Relaxed))
    }
}

/// A task in progress. Dropping it removes its line.
#[derive(Debug)]
pub(crate) struct Task {
    bar: ProgressBar,
    title: String,
    gauge: Arc<Gauge>,
}

impl Task {
    /// Shows the current activity.
    pub(crate) fn say(&self, detail: &str) {
        self.bar.set_message(format!("{}: {detail}", self.title));
    }

    /// Sets the length in bytes; zero means unknown.
    pub(crate) fn expect(&self, length: u64) {
        self.gauge.length.store(length, Ordering::Relaxed);
        if length > 0 {
            self.bar.set_length(length);
            let template = "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}";
            self.bar.set_style(style(template));
        } else {
            self.bar.set_style(style("{spinner} {msg} {binary_bytes}"));
        }
    }

    /// Counts the bytes that are read through the returned reader.
    pub(crate) fn watch<R: Read>(&self, reader: R) -> impl Read + use<R> {
        self.bar.wrap_read(reader)
    }

    /// Sets the number of bytes that are done.
    pub(crate) fn set(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Adds to the number of bytes that are done.
    pub(crate) fn advance(&self, bytes: u64) {
        self.gauge.done.fetch_add(bytes, Ordering::Relaxed);
        self.bar.inc(bytes);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Templates are constants; an invalid one would only lead to default formatting.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
