//! Checks that an image will fit before it is pulled.

use crate::cache::store;
use crate::error::Failure;
use crate::ui::format;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The space that concurrent pulls have reserved: pairs of device number and bytes.
#[derive(Debug, Default)]
pub(crate) struct Reservations(Mutex<Vec<(u64, u64)>>);

/// Reserved space for one pull. Dropping it releases the space.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    all: &'a Reservations,
    parts: Vec<(u64, u64)>,
}

impl Reservations {
    /// Reserves this number of bytes in each of the directories.
    ///
    /// # Errors
    /// There is not enough space; the message contains the required and the available size.
    pub(crate) fn reserve(&self, spaces: &[(&Path, u64)]) -> Result<Room<'_>, Failure> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Vec::new();
        for &(path, need) in spaces {
            let Ok(device) = path.metadata().map(|metadata| metadata.dev()) else { continue };
            let before = all.iter().chain(&parts).filter(|(other, _)| *other == device);
            let taken: u64 = before.map(|(_, bytes)| bytes).sum();
            let free = store::free(path).map(|free| free.saturating_sub(taken));
            if let Some(free) = free.filter(|free| *free < need) {
                return Err(too_little(path, need, free));
            }
            parts.push((device, need));
        }
        all.extend(&parts);
        Ok(Room { all: self, parts })
    }
}

/// The failure for a lack of space in `path`, with the required and the available bytes.
pub(crate) fn too_little(path: &Path, need: u64, free: u64) -> Failure {
    let (need, free) = (format::size(need), format::size(free));
    Failure::Space { path: path.to_owned(), need, free }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        for part in &self.parts {
            if let Some(index) = all.iter().position(|other| other == part) {
                all.swap_remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reservations;

    #[test]
    fn concurrent_pulls_share_the_free_space() {
        let root = tempfile::tempdir().unwrap();
        let third = crate::cache::store::free(root.path()).unwrap() / 3;
        let all = Reservations::default();
        let spaces = [(root.path(), third), (root.path(), third)];
        let room = all.reserve(&spaces).unwrap();
        let message = all.reserve(&spaces).unwrap_err().to_string();
        assert!(message.starts_with("not enough space: about "), "{message}");
        drop(room);
        assert!(all.0.lock().unwrap().is_empty());
    }
}
