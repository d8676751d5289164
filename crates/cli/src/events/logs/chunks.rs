//! Reads a log in chunks of whole lines, which several threads can process.

use super::packed;
use crate::ui::progress::Task;
use std::io::{self, BufRead, ErrorKind};

/// Maximum length of a line in bytes; the rest is dropped. The plugin's lines have a few hundred
/// bytes, and a file without any line ends is not a log.
pub(super) const LONGEST: usize = 1 << 16;
/// The size of a chunk in bytes.
const CHUNK: usize = 1 << 20;

/// Some lines of a log, each with its line end, except perhaps for the last one.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    used: usize,
}

impl Chunk {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    /// Reads until less than a read buffer of space is left. Returns whether the log has ended.
    fn fill(&mut self, reader: &mut dyn BufRead) -> io::Result<bool> {
        // A smaller read would be copied through the reader's own buffer.
        while let Some(rest) = self.bytes.get_mut(self.used..)
            && rest.len() >= packed::BUFFER
        {
            match reader.read(rest) {
                Ok(0) => return Ok(true),
                Ok(count) => self.used += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// An open log.
pub(super) struct Chunks {
    reader: Box<dyn BufRead + Send>,
    /// The beginning of a line that continues after the last chunk.
    begun: Vec<u8>,
    /// The error that ended the log, after the lines before it.
    error: Option<io::Error>,
    _task: Task,
}

impl Chunks {
    pub(super) fn new(reader: Box<dyn BufRead + Send>, task: Task) -> Self {
        Self { reader, begun: Vec::new(), error: None, _task: task }
    }

    /// Reads the next lines into a chunk, whose memory is used again. Returns `None` at the end.
    ///
    /// # Errors
    /// Reading or decompressing failed. All whole lines before that were returned.
    pub(super) fn next(&mut self, mut chunk: Chunk) -> io::Result<Option<Chunk>> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        chunk.bytes.resize(CHUNK, 0);
        chunk.used = self.begun.len();
        if let Some(start) = chunk.bytes.get_mut(..chunk.used) {
            start.copy_from_slice(&self.begun);
        }
        self.begun.clear();
        match chunk.fill(&mut *self.reader) {
            Ok(true) => return Ok((chunk.used > 0).then_some(chunk)),
            Ok(false) => {}
            Err(error) => self.error = Some(error),
        }
        let end = memchr::memrchr(b'\n', chunk.bytes());
        let whole = end.map_or(0, |end| end + 1);
        let begun = chunk.bytes().get(whole..).unwrap_or_default();
        // The rest of a longer line is not used.
        self.begun.extend_from_slice(begun.get(..LONGEST).unwrap_or(begun));
        chunk.used = whole;
        Ok(Some(chunk))
    }
}

/// Calls `take` for each line, without its line end, and with its offset.
pub(super) fn lines<'a>(bytes: &'a [u8], take: &mut dyn FnMut(usize, &'a [u8])) {
    let mut start = 0;
    while let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) {
        let (line, length) = first(rest);
        take(start, line);
        start += length;
    }
}

/// The first line without its line end.
pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    first(bytes).0
}

/// The first line without its line end, and its length with it.
fn first(bytes: &[u8]) -> (&[u8], usize) {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    (bytes.get(..end.min(LONGEST)).unwrap_or(bytes), end + 1)
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Chunk, Chunks, LONGEST, lines};
    use crate::ui::progress::Progress;
    use std::io::{BufReader, Read};

    /// Returns one byte at a time, as a pipe may.
    struct Slow<R>(R);

    impl<R: Read> Read for Slow<R> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = buffer.len().min(1);
            self.0.read(&mut buffer[..length])
        }
    }

    fn read(reader: impl Read + Send + 'static) -> (Vec<Vec<u8>>, usize) {
        let task = Progress::new(true).reading("log", 0);
        let mut chunks = Chunks::new(Box::new(BufReader::new(reader)), task);
        let (mut all, mut count, mut chunk) = (Vec::new(), 0, Chunk::default());
        while let Some(next) = chunks.next(chunk).unwrap() {
            lines(next.bytes(), &mut |_, line| all.push(line.to_owned()));
            (chunk, count) = (next, count + 1);
        }
        (all, count)
    }

    #[test]
    fn lines_are_whole_in_chunks() {
        let line = |number: usize| format!("{number} {}", "x".repeat(number % 300)).into_bytes();
        let expected: Vec<Vec<u8>> = (0..20_000).map(line).collect();
        let text = expected.join(&b'\n');
        let (all, count) = read(std::io::Cursor::new(text.clone()));
        assert!(all == expected && count > text.len() / CHUNK, "{count}");
        let short: Vec<u8> = text[..5000].to_vec();
        assert_eq!(
            read(Slow(std::io::Cursor::new(short.clone()))).0,
            read(short.leak() as &[u8]).0
        );
        assert_eq!(read(&b""[..]).0, [] as [Vec<u8>; 0]);
        assert_eq!(read(&b"\n\na"[..]).0, [&b""[..], b"", b"a"]);
    }

    /// Fails after its bytes.
    struct Broken(std::io::Cursor<Vec<u8>>);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(std::io::Error::other("broken")),
                count => Ok(count),
            }
        }
    }

    #[test]
    fn whole_lines_before_an_error_are_returned() {
        for (text, expected) in [
            (b"a\nb\nc".to_vec(), vec![1, 1]),
            (b"a".to_vec(), vec![]),
            (b"".to_vec(), vec![]),
            ([vec![b'x'; CHUNK + 5], b"\nb\nc".to_vec()].concat(), vec![LONGEST, 1]),
        ] {
            let task = Progress::new(true).reading("log", 0);
            let broken = BufReader::new(Broken(std::io::Cursor::new(text)));
            let mut chunks = Chunks::new(Box::new(broken), task);
            let mut lengths = Vec::new();
            let error = loop {
                match chunks.next(Chunk::default()) {
                    Ok(next) => {
                        let next = next.unwrap();
                        lines(next.bytes(), &mut |_, line| lengths.push(line.len()));
                    }
                    Err(error) => break error,
                }
            };
            assert_eq!((lengths, error.to_string().as_str()), (expected, "broken"));
        }
    }

    #[test]
    fn the_rest_of_a_long_line_is_dropped() {
        for length in [LONGEST, LONGEST + 1, CHUNK, 3 * CHUNK + 5] {
            let long = "x".repeat(length);
            for (text, after) in
                [(format!("a\n{long}\nb"), Some("b")), (format!("a\n{long}"), None)]
            {
                let all = read(std::io::Cursor::new(text)).0;
                let lengths: Vec<usize> = all.iter().map(Vec::len).collect();
                let expected = [Some(1), Some(LONGEST), after.map(str::len)];
                assert_eq!(lengths, expected.into_iter().flatten().collect::<Vec<_>>(), "{length}");
            }
        }
    }
}
