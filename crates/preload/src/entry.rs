//! The entry of the environment that tells the shim which program was meant.

use sifcache_core::nested::RUNTIME;

/// `PATH_MAX`: as long as the kernel lets a path be, with its null byte.
const LONGEST: usize = 4096;
/// Where the path starts: after the name and `=`.
const START: usize = RUNTIME.len() + 1;

/// `RUNTIME=PATH` with a null byte at its end. The path is tried and handed over in the
/// same place, so they cannot differ.
pub(crate) struct Entry {
    bytes: [u8; START + LONGEST],
    length: usize,
}

impl Entry {
    /// Nothing yet.
    pub(crate) const EMPTY: Self = Self { bytes: [0; START + LONGEST], length: 0 };

    /// Makes the path what `parts` are together; none if it does not fit.
    pub(crate) fn set_path(&mut self, parts: &[&[u8]]) -> Option<()> {
        self.begin()?;
        self.append(parts)
    }

    /// Makes the path what `read` writes into a buffer, of which it returns the length.
    pub(crate) fn read_path(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<()> {
        self.begin()?;
        let slots = self.bytes.get_mut(START..)?;
        self.length = read(slots).and_then(|length| length.checked_add(START))?;
        self.append(&[])
    }

    /// Adds `parts` to the path; none if they do not fit.
    pub(crate) fn append(&mut self, parts: &[&[u8]]) -> Option<()> {
        parts.iter().try_for_each(|part| self.push(part))?;
        self.push(b"\0")?;
        // The null byte is no part of the path.
        self.length = self.length.checked_sub(1)?;
        Some(())
    }

    /// Leaves the name of the variable only.
    fn begin(&mut self) -> Option<()> {
        self.length = 0;
        self.push(RUNTIME.as_bytes())?;
        self.push(b"=")
    }

    fn push(&mut self, part: &[u8]) -> Option<()> {
        let end = self.length.checked_add(part.len())?;
        let slots = self.bytes.get_mut(self.length..end)?;
        slots.iter_mut().zip(part).for_each(|(slot, byte)| *slot = *byte);
        self.length = end;
        Some(())
    }

    /// The whole entry; a null byte follows.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The path; a null byte follows.
    pub(crate) fn path(&self) -> &[u8] {
        self.as_bytes().get(START..).unwrap_or_default()
    }
}

/// Whether `entry` of an environment is one for this variable.
pub(crate) fn is_entry(entry: &[u8]) -> bool {
    entry.strip_prefix(RUNTIME.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
}

#[cfg(test)]
mod tests {
    use super::{Entry, LONGEST, START, is_entry};

    #[test]
    fn holds_one_path_after_the_other() {
        let mut entry = Entry::EMPTY;
        assert_eq!(entry.set_path(&[b"/opt/long/bin", b"/", b"apptainer"]), Some(()));
        assert_eq!(entry.path(), b"/opt/long/bin/apptainer");
        assert_eq!(entry.set_path(&[b"/x"]), Some(()));
        assert_eq!(entry.path(), b"/x");
        assert_eq!(entry.as_bytes(), b"SINGULARITY_SIFCACHE_RUNTIME=/x");
        assert_eq!(entry.bytes[entry.length], 0);
        assert!(is_entry(entry.as_bytes()));
    }

    #[test]
    fn the_null_byte_must_fit_too() {
        let mut entry = Entry::EMPTY;
        assert_eq!(entry.set_path(&[&[b'x'; LONGEST - 1]]), Some(()));
        assert_eq!(entry.path().len(), LONGEST - 1);
        assert_eq!(entry.bytes[START + LONGEST - 1], 0);
        assert_eq!(entry.set_path(&[&[b'x'; LONGEST]]), None);
        assert_eq!(entry.set_path(&[&[b'x'; LONGEST - 2], b"/", b"x"]), None);
    }

    #[test]
    fn a_path_can_be_read_and_go_on() {
        let mut entry = Entry::EMPTY;
        assert_eq!(entry.set_path(&[&[b'y'; 99]]), Some(()));
        let read = |slots: &mut [u8]| {
            assert_eq!(slots.len(), LONGEST);
            slots[..2].copy_from_slice(b"/a");
            Some(2)
        };
        assert_eq!(entry.read_path(read), Some(()));
        assert_eq!((entry.path(), entry.bytes[entry.length]), (b"/a".as_slice(), 0));
        assert_eq!(entry.append(&[b"/", b"b"]), Some(()));
        assert_eq!((entry.path(), entry.bytes[entry.length]), (b"/a/b".as_slice(), 0));
        assert_eq!(entry.append(&[&[b'x'; LONGEST - 4]]), None);
        assert_eq!(entry.read_path(|slots| Some(slots.len())), None);
        assert_eq!(entry.read_path(|_| Some(usize::MAX)), None);
        assert_eq!(entry.read_path(|_| None), None);
    }

    #[test]
    fn other_variables_are_no_such_entry() {
        assert!(is_entry(b"SINGULARITY_SIFCACHE_RUNTIME="));
        for other in ["", "SINGULARITY_SIFCACHE=a", "SINGULARITY_SIFCACHE_RUNTIME", "X=/x"] {
            assert!(!is_entry(other.as_bytes()), "{other}");
        }
        assert!(!is_entry(b"SINGULARITY_SIFCACHE_RUNTIMES=/x"));
    }
}
