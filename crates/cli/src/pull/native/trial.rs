//! Proves that a runtime can start an image with a compression on this host: a tiny image that
//! holds a program, which the runtime executes.
//!
//! Whether it can depends on the kernel or on the program that mounts the image, and on how either
//! was built (docs/compression.md).

mod capabilities;
pub(crate) mod conditions;
mod image;
mod program;
pub(crate) mod record;

use crate::ui::escape::escape_for_terminal;
use rustix::process::geteuid;
use sifcache_squashfs::compression::Compression;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

/// The path of the program in the image.
const PROGRAM: &str = "/trial";

/// The options with which the image is started. Nothing of the host but its devices is mounted, so
/// that only the image itself is tested.
const OPTIONS: &[&str] = &["exec", "--containall"];
/// The same in a user namespace. There, root starts an image as users do, even if some capability
/// is missing, as in a container.
const IN_NAMESPACE: &[&str] = &["exec", "--containall", "--userns"];

/// Runs the runtime with arguments; the error is why it failed.
pub(crate) type Run<'a> = dyn Fn(&[&OsStr]) -> Result<(), String> + 'a;

/// Why it is not proven that an image starts.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// There is no program for this architecture.
    #[error("there is no test image for {0}")]
    Architecture(&'static str),
    /// The image cannot be written.
    #[error("cannot write a test image: {0}")]
    Write(String),
    /// An image with gzip starts, but not this one.
    #[error("the runtime does not start such an image here: {0}")]
    Refused(String),
    /// Not even an image with gzip starts.
    #[error("the runtime starts no image here at all: {0}")]
    NothingStarts(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Write(error.to_string())
    }
}

/// Starts an image with this compression. It is written to `directory`.
///
/// # Errors
/// The image does not start, or cannot be made.
pub(crate) fn prove(
    directory: &Path,
    compression: Compression,
    run: &Run<'_>,
) -> Result<(), Error> {
    let Err(error) = start(directory, compression, run)? else { return Ok(()) };
    match start(directory, Compression::GZIP, run)? {
        Ok(()) => Err(Error::Refused(error)),
        Err(error) => Err(Error::NothingStarts(error)),
    }
}

/// Whether an image with this compression starts; otherwise why it does not.
fn start(
    directory: &Path,
    compression: Compression,
    run: &Run<'_>,
) -> Result<Result<(), String>, Error> {
    let path = directory.join(format!("trial-{}.sif", compression.code()));
    if !path.exists() {
        write(&path, compression)?;
    }
    let started = |options: &[&'static str]| {
        let options = options.iter().map(OsStr::new);
        let arguments: Vec<&OsStr> =
            options.chain([path.as_os_str(), OsStr::new(PROGRAM)]).collect();
        run(&arguments).map_err(|error| escape_for_terminal(error.as_ref()))
    };
    Ok(match (geteuid().is_root(), capabilities::are_complete()) {
        (false, _) => started(OPTIONS),
        (true, true) => started(OPTIONS).or_else(|_| started(IN_NAMESPACE)),
        // Apptainer then starts nothing without a namespace, so that would be a wasted attempt.
        (true, false) => started(IN_NAMESPACE).or_else(|error| started(OPTIONS).map_err(|_| error)),
    })
}

/// Writes an image into the new file `path`. Its program ends with status 0.
fn write(path: &Path, compression: Compression) -> Result<(), Error> {
    let architecture = sifcache_core::sif::host_architecture();
    let program = program::of(architecture).ok_or(Error::Architecture(architecture))?;
    image::write(path, &program, compression)
}

#[cfg(test)]
mod tests;
