//! How long work shows itself: a moving line for each thing in progress where standard
//! error is a terminal, plain lines elsewhere, nothing beside JSON.

use crate::error::Failure;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::time::Duration;

/// How often a moving line moves.
const TICK: Duration = Duration::from_millis(120);

/// What the command says while it works.
#[derive(Debug)]
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

impl Progress {
    /// `json`: standard output is for a script, which reads nothing of this.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = io::stderr().is_terminal() && !json;
        Self { bars: terminal.then(MultiProgress::new), quiet: json }
    }

    /// Shows that something has begun.
    pub(crate) fn start(&self, what: &str) -> Task {
        let Some(bars) = &self.bars else {
            if !self.quiet {
                anstream::eprintln!("{what}");
            }
            return Task { bar: ProgressBar::hidden(), what: what.to_owned() };
        };
        let bar = bars.add(ProgressBar::new_spinner());
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(TICK);
        Task { bar, what: what.to_owned() }
    }

    /// Shows something whose length is known, in bytes; zero is not known.
    pub(crate) fn bytes(&self, what: &str, length: u64) -> Task {
        let task = self.start(what);
        if length > 0 {
            task.bar.set_length(length);
            let template = "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}";
            task.bar.set_style(style(template));
        } else {
            task.bar.set_style(style("{spinner} {msg} {binary_bytes}"));
        }
        task
    }

    /// Shows how far a log has been read; nothing where there is no terminal.
    pub(crate) fn reading(&self, what: &str, length: u64) -> Task {
        self.on_terminal(&format!("reading {what}"), length)
    }

    /// Shows something whose length is known, in bytes; nothing where there is no terminal.
    pub(crate) fn on_terminal(&self, what: &str, length: u64) -> Task {
        match self.bars {
            Some(_) => self.bytes(what, length),
            None => Task { bar: ProgressBar::hidden(), what: String::new() },
        }
    }

    /// Prints a line of results.
    ///
    /// # Errors
    /// Standard output's.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        let write = || anstream::stdout().lock().write_all(format!("{text}\n").as_bytes());
        match &self.bars {
            Some(bars) => bars.suspend(write)?,
            None => write()?,
        }
        Ok(())
    }

    /// Says something that is no result, beside it.
    pub(crate) fn note(&self, text: &str) {
        let text = crate::ui::output::plain_lines(text);
        let write = || anstream::eprintln!("sifcache: {text}");
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// One thing in progress; its line goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Task {
    bar: ProgressBar,
    what: String,
}

impl Task {
    /// What is going on right now.
    pub(crate) fn say(&self, detail: &str) {
        self.bar.set_message(format!("{}: {detail}", self.what));
    }

    /// Counts the bytes that are read.
    pub(crate) fn watch<R: Read>(&self, reader: R) -> impl Read + use<R> {
        self.bar.wrap_read(reader)
    }

    /// So many more bytes are done.
    pub(crate) fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The template is a constant of ours: a wrong one only looks plainer.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
