//! Where log lines come from: files, packed ones too, standard input, or the journal.

use crate::failure::{Exit, Failure};
use crate::output::plain;
use flate2::read::MultiGzDecoder;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;

/// Where this host keeps its log if it is no journal.
const FILES: [&str; 2] = ["/var/log/syslog", "/var/log/messages"];

/// One log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file; `-` is standard input.
    File(PathBuf),
    /// The journal of this host.
    Journal,
}

impl Source {
    /// For messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) if path.as_os_str() == "-" => "standard input".to_owned(),
            Self::File(path) => plain(path),
            Self::Journal => "the journal".to_owned(),
        }
    }

    /// Its size, as far as a progress bar is concerned, in bytes; zero is not known.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::File(path) if is_packed(path) => 0,
            Self::File(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Journal => 0,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// The file system's, or that there is no journalctl.
    pub(super) fn open(&self) -> Result<Input, Failure> {
        let failed = |error: io::Error| {
            Failure::new(Exit::IO, format!("cannot read {}: {error}", self.name()))
        };
        let (reader, child): (Box<dyn Read>, _) = match self {
            Self::File(path) if path.as_os_str() == "-" => (Box::new(io::stdin()), None),
            Self::File(path) if is_packed(path) => {
                (Box::new(MultiGzDecoder::new(File::open(path).map_err(failed)?)), None)
            }
            Self::File(path) => (Box::new(File::open(path).map_err(failed)?), None),
            Self::Journal => {
                let mut child = journalctl(&["--identifier=sifcache"]).map_err(failed)?;
                let stdout = child.stdout.take();
                let stdout = stdout.ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
                (Box::new(stdout), Some(child))
            }
        };
        Ok(Input { reader: BufReader::with_capacity(BUFFER, reader), child })
    }
}

fn is_packed(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("gz"))
}

fn journalctl(arguments: &[&str]) -> io::Result<Child> {
    let fields = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER";
    Command::new("journalctl")
        .args(["--quiet", "--no-pager", "--output=json", fields])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// An open log.
pub(super) struct Input {
    reader: BufReader<Box<dyn Read>>,
    child: Option<Child>,
}

impl Input {
    /// Reads the next line into `line`, without its end; false at the end of the log.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        let more = self.reader.read_until(b'\n', line)? > 0;
        Ok(more)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The first line of the whole journal, whoever wrote it: it says how far back it reaches.
pub(super) fn journals_first_line() -> Option<String> {
    let mut child = journalctl(&[]).ok()?;
    let mut line = String::new();
    let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
    let _ = child.kill();
    let _ = child.wait();
    read.and_then(Result::ok).filter(|length| *length > 0).map(|_| line)
}

/// This host's own log: its journal, else the files of syslog with those rotated away.
///
/// # Errors
/// If there is neither, or they cannot be read by this user.
pub(crate) fn of_this_host() -> Result<Vec<Source>, Failure> {
    if journals_first_line().is_some() {
        return Ok(vec![Source::Journal]);
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
