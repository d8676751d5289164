//! Standard input, until its end.
//!
//! It has no position: after a restart, the lines that were in the pipe are lost.

use super::batch::{Batch, Origin};
use super::lines::Lines;
use super::verdict::Verdict;
use crate::events::logs::packed;
use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read};
use std::os::fd::AsFd;

/// The name in the list of logs.
pub(super) const NAME: &str = "-";
/// The name in messages.
pub(super) const TEXT: &str = "standard input";

/// A pipe, terminal or file that is read without waiting.
#[derive(Debug)]
pub(super) struct Stream<R> {
    pub(super) reader: R,
    pub(super) lines: Lines,
}

/// Standard input, or another stream without positions.
#[derive(Debug)]
pub(super) struct Stdin<R> {
    stream: Stream<R>,
    ended: bool,
}

/// The state of a stream after reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The turn of the log is over.
    Full,
    /// There is nothing more at present.
    Empty,
    /// The end.
    Ended,
}

impl<R: Read + AsFd> Stream<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, lines: Lines::default() }
    }

    /// Reads the available bytes, and calls `take` for each line with our name.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn read<'a>(
        &mut self,
        batch: &mut Batch<'a>,
        take: &mut dyn FnMut(&mut Batch<'a>, &[u8]),
    ) -> io::Result<State> {
        loop {
            if batch.is_full() {
                return Ok(State::Full);
            }
            if let Some(line) = self.lines.next(&batch.name) {
                take(batch, line);
                continue;
            }
            batch.counters.lines += self.lines.take_count();
            if !is_readable(&self.reader)? {
                return Ok(State::Empty);
            }
            match self.lines.fill(&mut self.reader)?.len() {
                0 => return Ok(State::Ended),
                count => batch.used(count),
            }
        }
    }
}

/// Whether a read would not wait.
fn is_readable(reader: &impl AsFd) -> io::Result<bool> {
    let mut one = [PollFd::new(reader, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut one, Some(&now)) {
        Err(rustix::io::Errno::INTR) => Ok(false),
        other => Ok(other? > 0),
    }
}

impl<R: Read + AsFd> Stdin<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { stream: Stream::new(reader), ended: false }
    }

    /// Reads the available bytes. Returns whether the present end was reached.
    ///
    /// # Errors
    /// Reading failed, or the input is compressed.
    pub(super) fn read(&mut self, batch: &mut Batch<'_>) -> io::Result<bool> {
        let origin = Origin { is_journal: false, not_before: Timestamp::MIN };
        if self.ended {
            return Ok(true);
        }
        let is_first = self.stream.lines.position() == 0;
        let state = self.stream.read(batch, &mut |batch, line| drop(batch.line(line, origin)))?;
        if is_first && packed::is_packed(self.stream.lines.begin()) {
            return Err(io::Error::other("it is compressed: use `zcat FILE | sifcache fill …`"));
        }
        if state == State::Ended {
            self.ended = true;
            let rest = self.stream.lines.rest();
            batch.line(&rest, origin);
        }
        Ok(state != State::Full)
    }

    /// Whether the end has been reached.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the lines so far are a log.
    pub(super) fn verdict(&self) -> Verdict {
        self.stream.lines.verdict()
    }

    /// What to wait for.
    pub(super) fn waits_for(&self) -> Option<PollFd<'_>> {
        (!self.ended).then(|| PollFd::new(&self.stream.reader, PollFlags::IN))
    }
}
