//! A value that is made from the certificates of this host, once for all images: reading and parsing
//! them takes about 10 ms. The filler runs for months, so the value is made again when the
//! certificates have changed.

use super::roots::{Roots, Sources, Stamp};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The maximum age of the value. A change of a file in a directory does not change the directory, and
/// an authority may have expired.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The value, if it has been made.
#[derive(Debug)]
pub(super) struct Fresh<T> {
    sources: Sources,
    kept: Mutex<Option<Kept<T>>>,
}

#[derive(Debug)]
struct Kept<T> {
    value: T,
    stamp: Stamp,
    made: Instant,
}

impl<T: Clone> Fresh<T> {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources, kept: Mutex::default() }
    }

    /// The value. `make` makes it; threads that need it at the same time wait.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get<E>(
        &self,
        now: Instant,
        make: impl FnOnce(Roots) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before the files are read: a later change makes the value again.
        let stamp = self.sources.stamp();
        let is_fresh = |kept: &&Kept<T>| {
            kept.stamp == stamp && now.saturating_duration_since(kept.made) < LONGEST
        };
        if let Some(kept) = kept.as_ref().filter(is_fresh) {
            return Ok(kept.value.clone());
        }
        let value = make(self.sources.read())?;
        *kept = Some(Kept { value: value.clone(), stamp, made: now });
        Ok(value)
    }

    /// The last value that was made.
    pub(super) fn last(&self) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map(|kept| kept.value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{Fresh, LONGEST};
    use crate::pull::registry::roots::Sources;
    use std::convert::Infallible;
    use std::fs;
    use std::time::{Duration, Instant};

    fn pem(byte: char) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{0}{0}{0}{0}\n-----END CERTIFICATE-----\n", byte)
    }

    /// As a program of the host replaces the certificates.
    #[test]
    fn certificates_are_read_again_only_after_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("d")).unwrap();
        let fresh = Fresh::new(Sources::of(&[at("file")], &[at("d")]));
        let start = Instant::now();
        let count = |now| {
            let mut was_made = false;
            let count = fresh.get(now, |roots| {
                was_made = true;
                Ok::<_, Infallible>(roots.certificates.len())
            });
            assert_eq!(fresh.last(), count.ok());
            (count.unwrap(), was_made)
        };
        assert_eq!((count(start), count(start)), ((0, true), (0, false)));
        fs::write(at("new"), pem('a') + &pem('b')).unwrap();
        fs::rename(at("new"), at("file")).unwrap();
        assert_eq!((count(start), count(start)), ((2, true), (2, false)));
        fs::write(at("new"), pem('c') + &pem('d')).unwrap();
        fs::rename(at("new"), at("file")).unwrap();
        assert_eq!((count(start), count(start)), ((2, true), (2, false)));
        fs::write(at("d/one"), pem('e')).unwrap();
        assert_eq!((count(start), count(start)), ((3, true), (3, false)));
        let late = start + LONGEST;
        assert_eq!(count(late - Duration::from_secs(1)), (3, false));
        assert_eq!((count(late), count(late)), ((3, true), (3, false)));
    }

    #[test]
    fn a_failure_is_not_kept() {
        let fresh = Fresh::new(Sources::of(&[], &[]));
        let now = Instant::now();
        assert_eq!(fresh.get(now, |_| Err::<u8, _>("no")), Err("no"));
        assert_eq!((fresh.last(), fresh.get(now, |_| Ok::<_, &str>(1))), (None, Ok(1)));
    }
}
