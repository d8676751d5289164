//! Copies an image to the target of a pull.
//!
//! The copy is written to a temporary file in the target's directory, with the name that the
//! runtime would use, and renamed when it is complete. Like the runtime, this does not sync the file.
//! Only SIGKILL and a crash leave the temporary file behind.

use super::messages::reason;
use super::progress::Progress;
use super::target::Target;
use crate::process::files::{free_space, has_own_copy, share_blocks, umask};
use crate::process::signals::Deferred;
use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

/// The bytes that a file server copies between two looks at the signals.
const CHUNK: u64 = 8 << 20;
/// The size of the buffer in which this process copies.
const BUFFER: usize = 1 << 20;
/// The mode of the target before the umask.
const MODE: u32 = 0o777;
/// The mode of the temporary file until it has its final one.
const INITIAL_MODE: u32 = 0o600;
/// How often another temporary name is tried if one exists already.
const NAMES: u32 = 100;

/// Why there is no copy. Nothing is left of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A signal has arrived that ends this process.
    Signal,
    /// The reason in the words of the runtime.
    Failed(String),
}

/// Copies the `length` bytes of `image` to `target`.
///
/// # Errors
/// The copy failed: see [`Failure`].
pub(crate) fn copy(
    image: &File,
    length: u64,
    target: &Target,
    has_progress: bool,
    signals: &Deferred,
) -> Result<(), Failure> {
    let temporary = Temporary::create(target)?;
    if share_blocks(image, &temporary.file).is_err() {
        if free_space(&temporary.file).is_some_and(|free| free < length) {
            return Err(temporary.not_written(&io::Error::from_raw_os_error(libc::ENOSPC)));
        }
        let progress = Progress::new(length, has_progress);
        temporary.fill(image, length, progress, signals)?;
    }
    if signals.has_arrived() {
        return Err(Failure::Signal);
    }
    temporary.rename(target)
}

/// A temporary file, which is removed when this is dropped.
struct Temporary {
    path: PathBuf,
    file: File,
    /// Whether the file has its final name, so that nothing is left to remove.
    is_renamed: bool,
}

impl Temporary {
    fn create(target: &Target) -> Result<Self, Failure> {
        let cannot = |what: String| {
            Failure::Failed(format!("could not open temporary file for copy: {what}"))
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(INITIAL_MODE);
        let mut tries = 0..NAMES;
        let temporary = loop {
            let number = RandomState::new().hash_one(()) & u64::from(u32::MAX);
            let path = target.beside(&format!("tmp-copy-{number}"));
            match options.open(&path) {
                Ok(file) => break Self { path, file, is_renamed: false },
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries.next().is_some() => {}
                Err(error) => {
                    let (path, reason) = (path.display(), reason(&error));
                    let what = format!("failed to create temporary file: open {path}: {reason}");
                    return Err(cannot(what));
                }
            }
        };
        // The runtime sets the mode in the same way, which matters in a directory with a default
        // access control list.
        let mode = Permissions::from_mode(MODE & !umask());
        temporary.file.set_permissions(mode).map_err(|error| {
            let (path, reason) = (temporary.path.display(), reason(&error));
            cannot(format!("failed to change permission of {path}: chmod {path}: {reason}"))
        })?;
        Ok(temporary)
    }

    fn fill(
        &self,
        image: &File,
        length: u64,
        mut progress: Progress,
        signals: &Deferred,
    ) -> Result<(), Failure> {
        let is_by_server = has_own_copy(image) && has_own_copy(&self.file);
        let mut buffer = if is_by_server { Vec::new() } else { vec![0; BUFFER] };
        let mut done = 0;
        while done < length {
            if signals.has_arrived() {
                return Err(Failure::Signal);
            }
            let copied = match is_by_server {
                // The standard library calls copy_file_range(2).
                true => io::copy(&mut image.take(CHUNK.min(length - done)), &mut &self.file),
                // On other file systems that call is slower than reads and writes.
                false => self.pass_on(image, &mut buffer),
            };
            match copied {
                Ok(0) => {
                    return Err(Failure::Failed("could not copy file: unexpected EOF".to_owned()));
                }
                Ok(count) => done += count,
                Err(error) => return Err(self.not_written(&error)),
            }
            progress.show(done);
        }
        Ok(())
    }

    /// Copies at most one buffer. Returns the number of bytes.
    fn pass_on(&self, mut image: &File, buffer: &mut [u8]) -> io::Result<u64> {
        let count = loop {
            match image.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        (&self.file).write_all(buffer.get(..count).unwrap_or_default())?;
        Ok(count as u64)
    }

    fn rename(mut self, target: &Target) -> Result<(), Failure> {
        // The runtime looks for a directory first, so its error differs from that of rename(2).
        let renamed = match target.is_directory() {
            true => Err(io::Error::from_raw_os_error(libc::EEXIST)),
            false => fs::rename(&self.path, &target.path),
        };
        match renamed {
            Ok(()) => {
                self.is_renamed = true;
                Ok(())
            }
            Err(error) => Err(Failure::Failed(format!(
                "could not rename temporary file in copy: rename {} {}: {}",
                self.path.display(),
                target.path.display(),
                reason(&error)
            ))),
        }
    }

    fn not_written(&self, error: &io::Error) -> Failure {
        let (path, reason) = (self.path.display(), reason(error));
        Failure::Failed(format!("could not copy file: write {path}: {reason}"))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}
