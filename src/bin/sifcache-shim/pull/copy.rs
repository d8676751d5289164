//! Copies an image to the target of a pull.
//!
//! The copy is written to a temporary file in the target's directory, with the name that the
//! runtime would use, and renamed when it is complete. Like the runtime, this module does not sync
//! the file.

use super::messages::reason;
use super::progress::Progress;
use super::temporary::{Temporary, not_created};
use crate::process::files::{free_space, has_own_copy, share_blocks, umask};
use crate::process::signals::Deferred;
use sifcache_core::pull::target::Target;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// The bytes that a file server copies between two checks for signals.
const CHUNK: u64 = 8 << 20;
/// The size of the buffer in which this process copies, as in cp(1). With 1 MiB, writes to ext4
/// took two to four times as long when the page cache had filled the memory.
const BUFFER: usize = 128 << 10;
/// The mode of the target before the umask.
const MODE: u32 = 0o777;
/// The mode of the temporary file until it has its final one.
const INITIAL_MODE: u32 = 0o600;

/// Why there is no copy. Nothing is left of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A signal has arrived that ends this process.
    Signal,
    /// The reason in the words of the runtime.
    Failed(String),
}

/// An image that is open for reading.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) file: &'a File,
    /// The number of bytes.
    pub(crate) length: u64,
}

/// Copies `image` to `target`.
///
/// # Errors
/// The copy failed: see [`Failure`].
pub(crate) fn copy(
    image: &Source<'_>,
    target: &Target,
    has_progress: bool,
    signals: &Deferred,
) -> Result<(), Failure> {
    let copy = Copy::create(target)?;
    if share_blocks(image.file, &copy.file).is_err() {
        if free_space(&copy.file).is_some_and(|free| free < image.length) {
            return Err(copy.not_written(&io::Error::from_raw_os_error(libc::ENOSPC)));
        }
        let progress = Progress::new(image.length, has_progress);
        copy.fill(image, progress, signals)?;
    }
    if signals.has_arrived() {
        return Err(Failure::Signal);
    }
    copy.temporary.rename(target).map_err(Failure::Failed)
}

/// The temporary file with the copy.
struct Copy {
    /// It is closed before the temporary name is removed.
    file: File,
    temporary: Temporary,
}

impl Copy {
    fn create(target: &Target) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(INITIAL_MODE);
        let (temporary, file) = Temporary::create(target, &|path| options.open(path))
            .map_err(|error| Failure::Failed(not_created(&error)))?;
        // The runtime sets the mode in the same way, which matters in a directory with a default
        // access control list.
        let mode = Permissions::from_mode(MODE & !umask());
        file.set_permissions(mode).map_err(|error| {
            let (path, reason) = (temporary.path.display(), reason(&error));
            Failure::Failed(format!(
                "could not open temporary file for copy: failed to change permission of {path}: \
                 chmod {path}: {reason}"
            ))
        })?;
        Ok(Self { file, temporary })
    }

    fn fill(
        &self,
        image: &Source<'_>,
        mut progress: Progress,
        signals: &Deferred,
    ) -> Result<(), Failure> {
        let Source { file, length, .. } = *image;
        let is_by_server = has_own_copy(file) && has_own_copy(&self.file);
        let mut buffer = if is_by_server { Vec::new() } else { vec![0; BUFFER] };
        let mut done = 0;
        while done < length {
            if signals.has_arrived() {
                return Err(Failure::Signal);
            }
            let copied = match is_by_server {
                // The standard library calls copy_file_range(2).
                true => io::copy(&mut file.take(CHUNK.min(length - done)), &mut &self.file)
                    .map_err(|error| self.not_written(&error)),
                // On local file systems that call is not faster than reads and writes:
                // docs/launches.md.
                false => self.pass_on(image, &mut buffer),
            };
            match copied? {
                0 => {
                    return Err(Failure::Failed("could not copy file: unexpected EOF".to_owned()));
                }
                count => done += count,
            }
            progress.show(done);
        }
        Ok(())
    }

    /// Copies at most one buffer. Returns the number of bytes.
    fn pass_on(&self, image: &Source<'_>, buffer: &mut [u8]) -> Result<u64, Failure> {
        let mut file = image.file;
        let count = loop {
            match file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let (path, reason) = (image.path.display(), reason(&error));
                    let what = format!("could not copy file: read {path}: {reason}");
                    return Err(Failure::Failed(what));
                }
                Ok(count) => break count,
            }
        };
        let written = (&self.file).write_all(buffer.get(..count).unwrap_or_default());
        written.map_err(|error| self.not_written(&error))?;
        Ok(count as u64)
    }

    fn not_written(&self, error: &io::Error) -> Failure {
        let (path, reason) = (self.temporary.path.display(), reason(error));
        Failure::Failed(format!("could not copy file: write {path}: {reason}"))
    }
}
