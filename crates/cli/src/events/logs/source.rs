//! Sources of log lines: files, which may be compressed, standard input, or the journal.

use super::chunks::Chunks;
use super::packed::{self, Opened};
use super::{damage, journal};
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use crate::ui::progress::Progress;
use crate::ui::shell_quote::quoted;
use jiff::Timestamp;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The log files of a host without a journal.
pub(crate) const FILES: [&str; 2] = ["/var/log/syslog", "/var/log/messages"];

/// One log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file; `-` is standard input.
    File(PathBuf),
    /// The journal of this host, optionally only from a given time on.
    Journal(Option<Timestamp>),
}

impl Source {
    /// The name for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) if path.as_os_str() == "-" => "standard input".to_owned(),
            Self::File(path) => escape_for_terminal(path),
            Self::Journal(_) => "the journal".to_owned(),
        }
    }

    /// This source, recorded as one that could not be read to its end. `latest` is the latest time of
    /// the lines that could be read.
    pub(super) fn failed(&self, reason: String, latest: Option<Timestamp>) -> Failed {
        Failed { path: self.name(), reason, until: damage::until(self, latest) }
    }

    /// The device and inode of a regular file. A file that is read twice would be counted twice.
    pub(super) fn id(&self) -> Option<(u64, u64)> {
        match self {
            Self::File(path) if path.as_os_str() != "-" => {
                let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
                Some((metadata.dev(), metadata.ino()))
            }
            _ => None,
        }
    }

    /// Its size in bytes for a progress bar; zero if unknown.
    fn size(&self) -> u64 {
        match self {
            Self::File(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Self::Journal(_) => 0,
        }
    }

    /// Opens the log. A directory, or a file in an unsupported format, is skipped.
    ///
    /// # Errors
    /// The file cannot be opened or read, or journalctl cannot be started.
    pub(super) fn open(&self, progress: &Progress) -> io::Result<Result<Chunks, Skipped>> {
        if let Self::File(path) = self
            && path.is_dir()
        {
            return Ok(Err(self.skipped("it is a directory".to_owned())));
        }
        let opened = || -> io::Result<Box<dyn Read + Send>> {
            Ok(match self {
                Self::File(path) if path.as_os_str() == "-" => Box::new(io::stdin()),
                Self::File(path) => Box::new(File::open(path)?),
                Self::Journal(since) => Box::new(journal::Journal::open(*since)?),
            })
        };
        let task = progress.reading(&self.name(), self.size());
        match packed::open(task.watch(opened()?))? {
            Opened::Text(reader) => Ok(Ok(Chunks::new(reader, task))),
            Opened::Other(what, command) => {
                let file = match self {
                    Self::File(path) if path.as_os_str() != "-" => {
                        escape_for_terminal(quoted(&[path.as_os_str().as_encoded_bytes()]).as_ref())
                    }
                    _ => "FILE".to_owned(),
                };
                let why = format!("it is {what}: use `{command} {file} | sifcache … --log -`");
                Ok(Err(self.skipped(why)))
            }
        }
    }

    /// This source, recorded as skipped.
    pub(super) fn skipped(&self, reason: String) -> Skipped {
        Skipped { path: self.name(), reason }
    }
}

/// A file that was not read, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Skipped {
    pub(crate) path: String,
    pub(crate) reason: String,
}

/// A file that could not be read, or only in part, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failed {
    pub(crate) path: String,
    pub(crate) reason: String,
    /// The times before this one are unknown, because any of the lost lines could be a hit; `None` if
    /// all times are unknown.
    pub(crate) until: Option<Timestamp>,
}

impl Failed {
    /// The message, which also says what the failure means for the result.
    pub(crate) fn message(&self) -> String {
        let Self { path, reason, until } = self;
        let text = format!("cannot read {path} to its end: {reason}; the lines that were read are");
        match until.filter(|until| *until < Timestamp::now()) {
            // Without the file, its times would look like quiet ones.
            Some(until) => format!(
                "{text} counted, but no image counts as unused before {}: restore the file from a \
                 backup, or leave it until it is rotated away",
                format::minute(until)
            ),
            None => format!("{text} counted, but do not show that an image was not used"),
        }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        Self::Read { prefix: "", name: failed.path, error: io::Error::other(failed.reason) }
    }
}

/// This host's own log: its journal, or else the files of syslog including the rotated ones. Also
/// returns files that seem to belong to the log but are skipped.
///
/// # Errors
/// There is no log, or this user cannot read it.
pub(crate) fn of_this_host(
    since: Option<Timestamp>,
) -> Result<(Vec<Source>, Vec<Skipped>), Failure> {
    if journal::first_line().is_some() {
        return Ok((vec![Source::Journal(since)], Vec::new()));
    }
    for file in FILES {
        if File::open(file).is_ok() {
            return Ok(rotated(Path::new(file)));
        }
    }
    Err(Failure::NoLog)
}

/// A log file and its rotated predecessors: `syslog.1`, `syslog.2.gz`.
pub(crate) fn rotated(file: &Path) -> (Vec<Source>, Vec<Skipped>) {
    let all = glob::glob(&format!("{}*", file.display())).ok().into_iter().flatten().flatten();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut sources, mut skipped) = (Vec::new(), Vec::new());
    for path in all {
        let other = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(rest) = other.strip_prefix(&name) else { continue };
        // `syslogger` is a different log.
        if !rest.is_empty() && !rest.starts_with(['.', '-']) {
            continue;
        }
        // Any suffix of a compression format is accepted; unsupported formats are reported when
        // they are opened.
        let number = rest.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
        let number = number.strip_suffix('.').filter(|number| !number.is_empty()).unwrap_or(rest);
        let source = Source::File(path);
        if number.chars().skip(1).all(|c| c.is_ascii_digit() || c == '-') {
            sources.push(source);
        } else {
            let why = "logrotate does not use such names: give it with --log if it is a log";
            skipped.push(source.skipped(why.to_owned()));
        }
    }
    (sources, skipped)
}

#[cfg(test)]
mod tests {
    use super::{Source, rotated};
    use std::fs;

    #[test]
    fn rotated_files_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let ours = [
            "syslog",
            "syslog-20261124",
            "syslog-20261124-1795489395.xz",
            "syslog.1",
            "syslog.2.gz",
            "syslog.3.bz2",
            "syslog.4.zst",
            "syslog.5.lz4",
        ];
        for name in ours.iter().chain(&["syslog.bak", "syslogger", "syslog-old.gz"]) {
            fs::write(path(name), "").unwrap();
        }
        let expected: Vec<Source> = ours.iter().map(|name| Source::File(path(name))).collect();
        let (sources, skipped) = rotated(&path("syslog"));
        assert_eq!(sources, expected);
        let skipped: Vec<&str> = skipped.iter().map(|one| one.path.as_str()).collect();
        let names = ["syslog-old.gz", "syslog.bak"].map(|name| path(name).display().to_string());
        assert_eq!(skipped, names);
    }
}
