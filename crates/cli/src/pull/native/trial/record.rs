//! The record of a successful trial, so that later commands on the same host need none.
//!
//! ```text
//! ROOT/.sifcache/trials/HOST.UID.json    the conditions of the last trial that succeeded
//! ```
//!
//! A record is only used if it belongs to the caller, is in a directory that no other user can
//! write to, and has the current conditions. Otherwise the trial is run again.

use super::conditions::Conditions;
use crate::cache::store::{Store, directory, metadata, path_trust};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::geteuid;
use rustix::system::uname;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// The directory of the records below the hidden directory.
const DIRECTORY: &str = "trials";
/// The size of a record in bytes up to which it is read. One has a few kilobytes.
const LARGEST: u64 = 256 << 10;
/// The permissions of users other than the owner to write.
const OTHERS_WRITE: u32 = 0o022;

/// Where the records of an image root are.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    store: &'a Store,
}

impl<'a> Place<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store }
    }

    /// Whether a trial succeeded under these conditions.
    pub(crate) fn has(&self, conditions: &Conditions) -> bool {
        self.load().is_some_and(|record| record == *conditions)
    }

    fn load(&self) -> Option<Conditions> {
        let path = self.path();
        if path.parent().is_none_or(|directory| path_trust::refuse(directory).is_err()) {
            return None;
        }
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(open(&path, flags, Mode::empty()).ok()?);
        let metadata = file.metadata().ok()?;
        let is_own = metadata.uid() == geteuid().as_raw() && metadata.mode() & OTHERS_WRITE == 0;
        if !metadata.is_file() || !is_own || metadata.len() > LARGEST {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Remembers that a trial succeeded under these conditions, in place of the last one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn remember(&self, conditions: &Conditions) -> io::Result<()> {
        let path = self.path();
        if let Some(parent) = path.parent() {
            path_trust::refuse(parent).map_err(io::Error::other)?;
            directory::make(self.store.root(), parent)?;
        }
        metadata::write(self.store, &path, &serde_json::to_vec(conditions)?)
    }

    fn path(&self) -> PathBuf {
        let host = uname().nodename().to_string_lossy().replace('/', "_");
        let name = format!("{host}.{}.json", geteuid().as_raw());
        self.store.state().join(DIRECTORY).join(name)
    }
}

#[cfg(test)]
mod tests;
