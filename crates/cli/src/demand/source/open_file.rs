//! One file of a log while it is read: plain or compressed.

use super::batch::{Batch, Origin};
use super::cursor::{self, HEAD, Place};
use super::generation::{self, Id};
use super::lines::Lines;
use super::verdict::{Unsupported, Verdict};
use crate::events::logs::packed::{self, MAGIC, Opened};
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::SystemTime;

/// A file that is being read.
pub(super) struct OpenFile {
    file: File,
    /// The uncompressed content; `None` if the file itself is plain.
    packed: Option<Box<dyn Read + Send>>,
    pub(super) id: Id,
    /// The first bytes of the content that have been read, at most [`HEAD`].
    head: Vec<u8>,
    lines: Lines,
    /// The size of a plain file when it was opened. Requests after it are new, whatever their time.
    old: u64,
    /// The size and the time of the last change, when they were last checked.
    seen: (u64, SystemTime),
}

impl OpenFile {
    /// Opens a file at its beginning.
    ///
    /// # Errors
    /// It cannot be opened, or has an unsupported format.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        let (file, metadata) = generation::open(path)?;
        let mut magic = [0; MAGIC];
        let length = file.read_at(&mut magic, 0)?;
        let is_packed = packed::is_packed(magic.get(..length).unwrap_or_default());
        let packed: Option<Box<dyn Read + Send>> = match is_packed {
            false => None,
            true => match packed::open(file.try_clone()?)? {
                Opened::Text(reader) => Some(Box::new(reader)),
                Opened::Other(what, command) => {
                    return Err(Unsupported { what, command }.into());
                }
            },
        };
        let old = if is_packed { u64::MAX } else { metadata.len() };
        let (id, seen) = (Id::of(&metadata), (metadata.len(), metadata.modified()?));
        let (head, lines) = (Vec::new(), Lines::default());
        Ok(Self { file, packed, id, head, lines, old, seen })
    }

    /// Opens a file at a place in it; returns `None` if the place is not in this file.
    ///
    /// # Errors
    /// It cannot be read, or has an unsupported format.
    pub(super) fn resume(path: &Path, place: &Place) -> io::Result<Option<Self>> {
        let mut file = Self::begin(path)?;
        if place.offset == 0 {
            let is_same = file.id.inode == place.inode && file.id.device == place.device;
            return Ok(is_same.then_some(file));
        }
        let mut head = vec![0; place.head_length()];
        match file.content().read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        if cursor::fingerprint(&head) != place.head || !file.skip_to(place.offset)? {
            return Ok(None);
        }
        (file.head, file.lines) = (head, Lines::at(place.offset));
        Ok(Some(file))
    }

    /// Continues at an offset after the head. Returns false if the content is shorter, or if no line
    /// begins there.
    fn skip_to(&mut self, offset: u64) -> io::Result<bool> {
        let done = self.content_position(offset);
        if let Some(packed) = &mut self.packed {
            let mut skipped = packed.take(offset.saturating_sub(done));
            return Ok(io::copy(&mut skipped, &mut io::sink())? == offset.saturating_sub(done));
        }
        let mut last = [0];
        let has_line = match self.file.read_exact_at(&mut last, offset.saturating_sub(1)) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
            other => other.map(|()| last == *b"\n")?,
        };
        self.file.seek(SeekFrom::Start(offset))?;
        Ok(has_line)
    }

    /// The number of bytes of the content that the head has used up.
    fn content_position(&self, offset: u64) -> u64 {
        offset.min(u64::try_from(HEAD).unwrap_or(u64::MAX))
    }

    fn content(&mut self) -> &mut dyn Read {
        match &mut self.packed {
            Some(packed) => packed,
            None => &mut self.file,
        }
    }

    /// The place of the next line. In a file without any line of a log, nothing counts as read, so
    /// that later runs notice this too.
    pub(super) fn place(&self) -> Place {
        let offset = match self.verdict() {
            Verdict::Log => self.lines.offset(),
            Verdict::Empty | Verdict::NoLog => 0,
        };
        let (Id { device, inode }, head) = (self.id, String::new());
        let changed = Timestamp::try_from(self.seen.1).unwrap_or(Timestamp::MIN);
        let mut place = Place { device, inode, offset, changed, head };
        let head = self.head.get(..place.head_length()).unwrap_or(&self.head);
        place.head = cursor::fingerprint(head);
        place
    }

    /// Continues to read. Returns whether the present end was reached.
    ///
    /// # Errors
    /// Reading or decompressing failed.
    pub(super) fn read(
        &mut self,
        batch: &mut Batch<'_>,
        not_before: Timestamp,
    ) -> io::Result<bool> {
        loop {
            let is_old = self.lines.offset() < self.old;
            let not_before = if is_old { not_before } else { Timestamp::MIN };
            let origin = Origin { is_journal: false, not_before };
            if batch.is_full() {
                return Ok(false);
            }
            if let Some(line) = self.lines.next(&batch.name) {
                batch.line(line, origin);
            } else if self.fill(batch)? == 0 {
                return Ok(true);
            }
        }
    }

    fn fill(&mut self, batch: &mut Batch<'_>) -> io::Result<usize> {
        batch.counters.lines += self.lines.take_count();
        let reader: &mut dyn Read = match &mut self.packed {
            Some(packed) => packed,
            // The check is cheaper than a buffer.
            None if self.file.metadata()?.len() <= self.lines.position() => return Ok(0),
            None => &mut self.file,
        };
        let new = self.lines.fill(reader)?;
        let missing = HEAD - self.head.len();
        self.head.extend(new.get(..missing).unwrap_or(new));
        let count = new.len();
        batch.used(count);
        Ok(count)
    }

    /// Handles an incomplete last line, after which nothing more can come.
    pub(super) fn finish(&mut self, batch: &mut Batch<'_>, not_before: Timestamp) {
        let rest = self.lines.rest();
        if !rest.is_empty() {
            batch.line(&rest, Origin { is_journal: false, not_before });
        }
    }

    /// Whether the file was truncated, or written anew, since it was read. This is
    /// also true for an empty file that was changed, because lines could have been
    /// written, copied to another file and removed again.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn was_truncated(&mut self) -> io::Result<bool> {
        let now = self.file.metadata()?;
        let state = (now.len(), now.modified()?);
        if self.seen == state || self.packed.is_some() {
            return Ok(false);
        }
        if now.len() < self.lines.position() || self.lines.position() == 0 {
            return Ok(true);
        }
        let mut head = vec![0; self.head.len()];
        match self.file.read_exact_at(&mut head, 0) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(true),
            other => other?,
        }
        if head != self.head {
            return Ok(true);
        }
        self.seen = state;
        Ok(false)
    }

    /// The time of the last change.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn modified(&self) -> io::Result<SystemTime> {
        self.file.metadata()?.modified()
    }

    /// Whether what was read of the file is a log.
    pub(super) fn verdict(&self) -> Verdict {
        self.lines.verdict()
    }

    /// Whether the file is compressed, so that nothing is added to it.
    pub(super) fn is_packed(&self) -> bool {
        self.packed.is_some()
    }
}
