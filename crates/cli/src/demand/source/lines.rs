//! Splits a log into lines, of which only those with our name are returned.
//!
//! An incomplete line at the end stays in the buffer until the rest of it has been read.

use super::verdict::Verdict;
use crate::events::logs::recognized;
use memchr::memmem::Finder;
use std::io::{self, ErrorKind, Read};

/// Maximum length of a line in bytes; the rest is dropped. The plugin's lines have a few hundred.
const LONGEST: usize = 1 << 16;
/// Size of the buffer in bytes. A line that does not fit is dropped.
const CAPACITY: usize = 4 * LONGEST;

/// The lines of one stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// The part of the buffer that has been read and not returned.
    start: usize,
    end: usize,
    /// The number of bytes before `start` in the stream.
    offset: u64,
    /// Whether the buffer continues a line that is dropped.
    dropping: bool,
    /// The number of lines so far, of all programs.
    count: u64,
    /// Whether one of the lines so far starts like a line of a log.
    is_log: bool,
}

fn widen(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Lines {
    /// The lines of a log from this offset on, which is the start of a line.
    pub(super) fn at(offset: u64) -> Self {
        Self { offset, is_log: true, ..Self::default() }
    }

    /// Whether one of the lines so far starts like a line of a log. An incomplete line counts too.
    fn is_log(&self) -> bool {
        self.is_log || recognized::is_log_line(bounded(self.unread()))
    }

    /// Whether the lines so far are those of a log.
    pub(super) fn verdict(&self) -> Verdict {
        match () {
            () if self.is_log() => Verdict::Log,
            () if self.position() == 0 => Verdict::Empty,
            () => Verdict::NoLog,
        }
    }

    /// The offset of the first byte after the lines that have been returned or passed over.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The offset of the first byte that has not been read.
    pub(super) fn position(&self) -> u64 {
        self.offset + widen(self.end - self.start)
    }

    /// The number of lines since the last call, of all programs.
    pub(super) fn take_count(&mut self) -> u64 {
        std::mem::take(&mut self.count)
    }

    /// Reads once, and returns the new bytes; they are empty at the end.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn fill(&mut self, reader: &mut dyn Read) -> io::Result<&[u8]> {
        self.buffer.resize(CAPACITY, 0);
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == CAPACITY {
            self.is_log |= !self.dropping && self.is_log();
            self.offset += widen(self.end);
            (self.end, self.dropping) = (0, true);
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = loop {
            match reader.read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        let before = self.end;
        self.end += count;
        if self.end == 0 {
            // Most logs of many nodes have nothing new most of the time.
            self.buffer = Vec::new();
        }
        Ok(self.buffer.get(before..self.end).unwrap_or_default())
    }

    /// The next complete line that contains our name, without its line end. `None`: more must be
    /// read.
    pub(super) fn next(&mut self, name: &Finder<'_>) -> Option<&[u8]> {
        let unread = self.unread();
        if self.dropping {
            let end = memchr::memchr(b'\n', unread)?;
            self.pass(end + 1);
            self.dropping = false;
        }
        let unread = self.unread();
        let complete = memchr::memrchr(b'\n', unread)? + 1;
        let Some(at) = name.find(unread.get(..complete)?) else {
            self.pass(complete);
            return None;
        };
        let (before, after) = unread.split_at_checked(at)?;
        let begin = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
        let end = at + memchr::memchr(b'\n', after)?;
        let range = self.start + begin..self.start + end;
        self.pass(end + 1);
        self.buffer.get(range).map(bounded)
    }

    /// Takes the incomplete line at the end, which is empty if there is none.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let rest = if self.dropping { Vec::new() } else { bounded(self.unread()).to_vec() };
        self.pass(self.end - self.start);
        rest
    }

    /// The start of the buffer: of the stream, as long as the buffer was filled only once.
    pub(super) fn begin(&self) -> &[u8] {
        self.buffer.get(..self.end).unwrap_or_default()
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn pass(&mut self, length: usize) {
        let passed = self.unread().get(..length).unwrap_or_default();
        let (lines, bytes) = (memchr::memchr_iter(b'\n', passed).count(), widen(passed.len()));
        let is_line = |line: &[u8]| recognized::is_log_line(bounded(line));
        let is_log = self.is_log || passed.split(|byte| *byte == b'\n').any(is_line);
        self.is_log = is_log;
        self.count += widen(lines);
        self.offset += bytes;
        self.start += length;
    }
}

/// A line of limited length. A writer that does not append, and whose file is truncated, leaves a
/// hole of null bytes before its next line.
fn bounded(line: &[u8]) -> &[u8] {
    let holes = line.iter().take_while(|byte| **byte == 0).count();
    let line = line.get(holes..).unwrap_or_default();
    line.get(..LONGEST).unwrap_or(line)
}

#[cfg(test)]
mod tests;
