//! Where log lines come from: files, packed ones too, standard input, or the journal.

use super::journal;
use crate::failure::{Exit, Failure};
use crate::output::plain;
use crate::progress::{Progress, Task};
use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;
/// Of a longer line, the rest is left out: the plugin's have some hundred bytes, and what has
/// no line ends at all is no log.
const LONGEST: usize = 1 << 16;
/// How a file of gzip's begins, whatever it is called.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Where this host keeps its log if it is no journal.
const FILES: [&str; 2] = ["/var/log/syslog", "/var/log/messages"];

/// One log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file; `-` is standard input.
    File(PathBuf),
    /// The journal of this host, from a time on if one is given.
    Journal(Option<Timestamp>),
}

impl Source {
    /// For messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) if path.as_os_str() == "-" => "standard input".to_owned(),
            Self::File(path) => plain(path),
            Self::Journal(_) => "the journal".to_owned(),
        }
    }

    /// What went wrong with it.
    pub(super) fn failed(&self, error: &io::Error) -> Failure {
        Failure::new(Exit::IO, format!("cannot read {}: {error}", self.name()))
    }

    /// Its size for a progress bar, in bytes; zero is not known.
    fn size(&self) -> u64 {
        match self {
            Self::File(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Journal(_) => 0,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// The file system's, or that there is no journalctl.
    pub(super) fn open(&self, progress: &Progress) -> Result<Lines, Failure> {
        let opened = || -> io::Result<Box<dyn Read>> {
            Ok(match self {
                Self::File(path) if path.as_os_str() == "-" => Box::new(io::stdin()),
                Self::File(path) => Box::new(File::open(path)?),
                Self::Journal(since) => Box::new(journal::Journal::open(*since)?),
            })
        };
        let task = progress.reading(&self.name(), self.size());
        let lines = opened().and_then(|reader| Lines::new(task.watch(reader), task));
        lines.map_err(|error| self.failed(&error))
    }
}

/// The lines of an open log.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    _task: Task,
}

impl Lines {
    fn new(reader: impl Read + 'static, task: Task) -> io::Result<Self> {
        let mut raw = BufReader::with_capacity(BUFFER, reader);
        let reader: Box<dyn BufRead> = match raw.fill_buf()?.starts_with(&GZIP) {
            true => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(raw))),
            false => Box::new(raw),
        };
        Ok(Self { reader, _task: task })
    }

    /// Reads the next line into `line`, without its end; false at the end of the log.
    ///
    /// # Errors
    /// The file system's, or of what is packed.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        let mut any = false;
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = memchr::memchr(b'\n', buffer);
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = LONGEST.saturating_sub(line.len()).min(part.len());
            line.extend_from_slice(part.get(..room).unwrap_or_default());
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// This host's own log: its journal, else the files of syslog with those rotated away.
///
/// # Errors
/// If there is neither, or they cannot be read by this user.
pub(crate) fn of_this_host(since: Option<Timestamp>) -> Result<Vec<Source>, Failure> {
    if journal::first_line().is_some() {
        return Ok(vec![Source::Journal(since)]);
    }
    for file in FILES {
        if File::open(file).is_ok() {
            return Ok(rotated(Path::new(file)));
        }
    }
    let message = "no journal and no /var/log/syslog or /var/log/messages that you can read: \
                   name the log with --log FILE, or run this as root";
    Err(Failure::new(Exit::UNAVAILABLE, message))
}

/// A file and what logrotate has made of it before: `syslog.1`, `syslog.2.gz`.
fn rotated(file: &Path) -> Vec<Source> {
    let all = glob::glob(&format!("{}*", file.display())).ok().into_iter().flatten().flatten();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_one = |path: &PathBuf| {
        let other = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let rest = other.strip_prefix(&name).map(|rest| rest.trim_end_matches(".gz").to_owned());
        let numbered = |rest: &str| rest.chars().skip(1).all(|c| c.is_ascii_digit());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']) && numbered(&rest))
    };
    all.filter(is_one).map(Source::File).collect()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Lines, Source, rotated};
    use crate::progress::Progress;
    use flate2::{Compression, write::GzEncoder};
    use std::fs;
    use std::io::Write as _;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let task = Progress::new(true).reading("", 0);
        let mut lines = Lines::new(std::io::Cursor::new(bytes.to_vec()), task).unwrap();
        let (mut line, mut all) = (Vec::new(), Vec::new());
        while lines.next(&mut line).unwrap() {
            all.push(String::from_utf8_lossy(&line).into_owned());
        }
        all
    }

    #[test]
    fn lines_packed_or_not() {
        assert_eq!(lines(b"a\n\nb"), ["a", "", "b"]);
        assert_eq!(lines(b""), [""; 0]);
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(b"a\nb\n").unwrap();
        // Two files in one, as `cat` makes them.
        let packed = packed.finish().unwrap().repeat(2);
        assert_eq!(lines(&packed), ["a", "b", "a", "b"]);
    }

    #[test]
    fn an_endless_line_is_cut() {
        let long = [vec![b'x'; 3 << 20], b"\nnext\n".to_vec()].concat();
        assert_eq!(lines(&long), ["x".repeat(LONGEST), "next".to_owned()]);
    }

    #[test]
    fn what_logrotate_leaves() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let ours = ["syslog", "syslog-20261124", "syslog.1", "syslog.2.gz"];
        for name in ours.iter().chain(&["syslog.bak", "syslogger", "syslog.1.xz"]) {
            fs::write(path(name), "").unwrap();
        }
        let expected: Vec<Source> = ours.iter().map(|name| Source::File(path(name))).collect();
        assert_eq!(rotated(&path("syslog")), expected);
    }
}
