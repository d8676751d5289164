//! The bytes of an image: copied, and what their SHA-256 is.

use crate::failure::Failure;
use crate::progress::Task;
use crate::{stop, store};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

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

/// Copies all of `from` into `to`.
///
/// # Errors
/// Which side failed, or that a signal asked the command to end.
pub(crate) fn copy(from: &mut dyn Read, to: &mut dyn Write, task: &Task) -> Result<Content, Error> {
    let mut buffer = vec![0; CHUNK];
    let mut sha256 = Sha256::new();
    let mut size = 0;
    loop {
        stop::check().map_err(Error::Stopped)?;
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
    Ok(Content { sha256: store::hex(&sha256.finalize()), size })
}
