//! The bytes of an image: copied, and what their SHA-256 is.

use crate::cache::store;
use crate::error::Failure;
use crate::system::signals;
use crate::ui::progress::Task;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// How often it is looked whether the command is to end: 100 ms.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// SHA-256, hexadecimal.
    pub(crate) sha256: String,
    /// Length, in bytes.
    pub(crate) size: u64,
}

/// Why a copy stopped.
#[derive(Debug)]
pub(crate) enum Error {
    /// Reading failed.
    Read(io::Error),
    /// Writing failed.
    Write(io::Error),
    /// A signal asked the command to end.
    Stopped(Failure),
}

/// What can be waited for: a file or a pipe.
pub(crate) trait Source: Read + AsFd {}

impl<T: Read + AsFd> Source for T {}

/// Copies all of `from` into `to`.
///
/// # Errors
/// Which side failed, or that a signal asked the command to end.
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
    // What Ctrl-C has ended is likely to be what wrote into the pipe, too.
    signals::check().map_err(Error::Stopped)?;
    Ok(Content { sha256: store::hex(&sha256.finalize()), size })
}

/// Waits until there is something to read: a pipe may be silent for long, and reading
/// would not hear of a signal meanwhile.
fn wait(from: &dyn Source) -> Result<(), Error> {
    loop {
        signals::check().map_err(Error::Stopped)?;
        let mut file = [PollFd::new(&from, PollFlags::IN)];
        match poll(&mut file, Some(&PATIENCE)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(Error::Read(error.into())),
        }
    }
}
