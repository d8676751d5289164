//! Copies the content of an image and computes its SHA-256.

use crate::cache::store;
use crate::error::Failure;
use crate::system::signals;
use crate::ui::progress::Task;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

/// The number of bytes read at once.
const CHUNK: usize = 1 << 20;
/// The interval between checks for a signal that asks the command to end: 100 ms.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The digest and length of the content.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// SHA-256 in hexadecimal.
    pub(crate) sha256: String,
    /// Length in bytes.
    pub(crate) size: u64,
}

/// The reason why a copy stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Reading failed.
    #[error("cannot read: {0}")]
    Read(io::Error),
    /// Writing failed.
    #[error("cannot write: {0}")]
    Write(io::Error),
    /// A signal asked the command to end.
    #[error(transparent)]
    Stopped(Failure),
}

/// A source whose descriptor can be polled: a file or a pipe.
pub(crate) trait Source: Read + AsFd {}

impl<T: Read + AsFd> Source for T {}

/// Reads all of a file to compute its digest, and reports the progress to `task`.
///
/// # Errors
/// Reading failed, or a signal asked the command to end.
pub(crate) fn of(path: &Path, task: &Task) -> Result<Content, Failure> {
    let mut file = File::open(path)?;
    copy(&mut file, &mut io::sink(), task).map_err(|error| match error {
        Error::Read(error) | Error::Write(error) => error.into(),
        Error::Stopped(failure) => failure,
    })
}

/// Copies all of `from` to `to`, and reports the progress to `task`.
///
/// # Errors
/// Reading or writing failed, or a signal asked the command to end.
pub(crate) fn copy(
    from: &mut dyn Source,
    to: &mut dyn Write,
    task: &Task,
) -> Result<Content, Error> {
    let mut buffer = vec![0; CHUNK];
    let mut sha256 = Sha256::new();
    let mut size = 0;
    loop {
        wait(from)?;
        let length = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Read(error)),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        sha256.update(bytes);
        to.write_all(bytes).map_err(Error::Write)?;
        size += length as u64;
        task.advance(length as u64);
    }
    // Ctrl-C probably also ended the process that wrote to the pipe, so this end of file may be
    // an interruption.
    signals::check().map_err(Error::Stopped)?;
    Ok(Content { sha256: store::hex(&sha256.finalize()), size })
}

/// Waits until data can be read. A pipe may be silent for a long time, and a blocking read would
/// delay the reaction to a signal.
fn wait(from: &dyn Source) -> Result<(), Error> {
    loop {
        signals::check().map_err(Error::Stopped)?;
        let mut file = [PollFd::new(&from, PollFlags::IN)];
        match poll(&mut file, Some(&POLL_INTERVAL)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(Error::Read(error.into())),
        }
    }
}
