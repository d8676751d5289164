//! The environment entry that passes the path of the runtime to the shim.

use sifcache_core::nested::RUNTIME;

/// `PATH_MAX`: the kernel's maximum length of a path with its null byte, in bytes.
const MAX_PATH: usize = 4096;
/// The offset of the path in the entry: after the name and `=`.
const START: usize = RUNTIME.len() + 1;

/// `RUNTIME=PATH`, followed by a null byte. The path is checked and passed on in the same buffer,
/// so the shim always gets the path that was checked.
pub(crate) struct Entry {
    bytes: [u8; START + MAX_PATH],
    length: usize,
}

impl Entry {
    /// An entry without name and path. This is not a constant, because the library would then contain
    /// the whole buffer.
    pub(crate) fn new() -> Self {
        Self { bytes: [0; START + MAX_PATH], length: 0 }
    }

    /// Sets the path to the concatenation of `parts`; `None` if it does not fit.
    pub(crate) fn set_path(&mut self, parts: &[&[u8]]) -> Option<()> {
        self.begin()?;
        self.append(parts)
    }

    /// Sets the path to the bytes that `read` writes into the buffer that is passed to it. `read`
    /// returns their number. `None` if `read` fails or the path does not fit.
    pub(crate) fn read_path(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<()> {
        self.begin()?;
        let buffer = self.bytes.get_mut(START..)?;
        self.length = read(buffer).and_then(|length| length.checked_add(START))?;
        self.append(&[])
    }

    /// Appends `parts` to the path; `None` if they do not fit.
    pub(crate) fn append(&mut self, parts: &[&[u8]]) -> Option<()> {
        parts.iter().try_for_each(|part| self.push(part))?;
        self.push(b"\0")?;
        // The null byte is not part of the path.
        self.length = self.length.checked_sub(1)?;
        Some(())
    }

    /// Resets the entry to the name of the variable and `=`.
    fn begin(&mut self) -> Option<()> {
        self.length = 0;
        self.push(RUNTIME.as_bytes())?;
        self.push(b"=")
    }

    fn push(&mut self, part: &[u8]) -> Option<()> {
        let end = self.length.checked_add(part.len())?;
        let target = self.bytes.get_mut(self.length..end)?;
        target.iter_mut().zip(part).for_each(|(slot, byte)| *slot = *byte);
        self.length = end;
        Some(())
    }

    /// The entry without its null byte, which follows in memory.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The path without its null byte, which follows in memory.
    pub(crate) fn path(&self) -> &[u8] {
        self.as_bytes().get(START..).unwrap_or_default()
    }
}

/// Whether the environment entry `entry` sets this variable.
pub(crate) fn is_entry(entry: &[u8]) -> bool {
    entry.strip_prefix(RUNTIME.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
}

#[cfg(test)]
mod tests {
    use super::{Entry, MAX_PATH, START, is_entry};

    #[test]
    fn an_entry_can_be_reused_for_another_path() {
        let mut entry = Entry::new();
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
        let mut entry = Entry::new();
        assert_eq!(entry.set_path(&[&[b'x'; MAX_PATH - 1]]), Some(()));
        assert_eq!(entry.path().len(), MAX_PATH - 1);
        assert_eq!(entry.bytes[START + MAX_PATH - 1], 0);
        assert_eq!(entry.set_path(&[&[b'x'; MAX_PATH]]), None);
        assert_eq!(entry.set_path(&[&[b'x'; MAX_PATH - 2], b"/", b"x"]), None);
    }

    #[test]
    fn a_path_can_be_read_and_extended() {
        let mut entry = Entry::new();
        assert_eq!(entry.set_path(&[&[b'y'; 99]]), Some(()));
        let read = |buffer: &mut [u8]| {
            assert_eq!(buffer.len(), MAX_PATH);
            buffer[..2].copy_from_slice(b"/a");
            Some(2)
        };
        assert_eq!(entry.read_path(read), Some(()));
        assert_eq!((entry.path(), entry.bytes[entry.length]), (b"/a".as_slice(), 0));
        assert_eq!(entry.append(&[b"/", b"b"]), Some(()));
        assert_eq!((entry.path(), entry.bytes[entry.length]), (b"/a/b".as_slice(), 0));
        assert_eq!(entry.append(&[&[b'x'; MAX_PATH - 4]]), None);
        assert_eq!(entry.read_path(|buffer| Some(buffer.len())), None);
        assert_eq!(entry.read_path(|_| Some(usize::MAX)), None);
        assert_eq!(entry.read_path(|_| None), None);
    }

    #[test]
    fn other_variables_do_not_match() {
        assert!(is_entry(b"SINGULARITY_SIFCACHE_RUNTIME="));
        for other in ["", "SINGULARITY_SIFCACHE=a", "SINGULARITY_SIFCACHE_RUNTIME", "X=/x"] {
            assert!(!is_entry(other.as_bytes()), "{other}");
        }
        assert!(!is_entry(b"SINGULARITY_SIFCACHE_RUNTIMES=/x"));
    }
}
