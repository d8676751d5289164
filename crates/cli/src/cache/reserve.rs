//! Whether an image will fit, asked before it is pulled.

use crate::cache::store;
use crate::error::{Exit, Failure};
use crate::ui::format;
use crate::ui::output::plain;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The unpacked layers are larger than the packed ones, which lie beside them.
const UNPACKED: u64 = 3;

/// Space that pulls at once have asked for, in bytes, by file system.
#[derive(Debug, Default)]
pub(crate) struct Reservations(Mutex<Vec<(u64, u64)>>);

/// Space for one pull; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    all: &'a Reservations,
    parts: Vec<(u64, u64)>,
}

impl Reservations {
    /// Sets space aside for an image whose layers have `packed` bytes: about as much in
    /// the image root, and what unpacking takes in `tmpdir`.
    ///
    /// # Errors
    /// That there is not enough, with how much is needed and how much there is.
    pub(crate) fn reserve(
        &self,
        packed: u64,
        root: &Path,
        tmpdir: &Path,
    ) -> Result<Room<'_>, Failure> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Vec::new();
        for (path, need) in [(root, packed), (tmpdir, packed.saturating_mul(UNPACKED))] {
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

/// The failure that says how much is needed where, in bytes.
pub(crate) fn too_little(path: &Path, need: u64, free: u64) -> Failure {
    let (need, free) = (format::size(need), format::size(free));
    let message = format!(
        "not enough space: about {need} are needed in {}, and {free} are free; \
         `sifcache gc` can make space in an image root",
        plain(path)
    );
    Failure::new(Exit::CANT_CREATE, message)
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
    fn pulls_at_once_share_the_space() {
        let root = tempfile::tempdir().unwrap();
        let fifth = crate::cache::store::free(root.path()).unwrap() / 5;
        let all = Reservations::default();
        let room = all.reserve(fifth, root.path(), root.path()).unwrap();
        let said = all.reserve(fifth, root.path(), root.path()).unwrap_err().to_string();
        assert!(said.starts_with("not enough space: about "), "{said}");
        drop(room);
        assert!(all.0.lock().unwrap().is_empty());
    }
}
