//! Whether a SIF file carries a signature: the table behind its header.
//!
//! ```text
//! header  88  descriptors total, 96  descriptors' offset: little-endian 64-bit integers
//! each descriptor has 585 bytes:
//!          0  type, little-endian 32-bit integer: 0x4005 is a signature
//!          4  not 0 if it is in use
//! ```
//!
//! Source: <https://github.com/apptainer/sif>, `pkg/sif/descriptor.go`.

use sifcache_core::sif::HEADER;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Length of a descriptor, in bytes.
const DESCRIPTOR: usize = 585;
/// More than any image has; what a file says may be anything.
const MOST: u64 = 1024;
const SIGNATURE: [u8; 4] = 0x4005_i32.to_le_bytes();

/// Whether one of the descriptors is a signature.
///
/// # Errors
/// The file system's.
pub(crate) fn has_signature(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0)?;
    let field = |at: usize| -> u64 {
        let bytes: Option<[u8; 8]> = header.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    };
    let (total, offset) = (field(88).min(MOST), field(96));
    for index in 0..total {
        let mut start = [0; 5];
        let at = offset.saturating_add(index * DESCRIPTOR as u64);
        match file.read_exact_at(&mut start, at) {
            Ok(()) if start.starts_with(&SIGNATURE) && start.ends_with(&[0]) => {}
            Ok(()) if start.starts_with(&SIGNATURE) => return Ok(true),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            // An offset beyond all files.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::{DESCRIPTOR, SIGNATURE, has_signature};
    use std::fs;

    #[test]
    fn in_use_and_a_signature() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        let has = |total: u64, offset: u64, used: u8| {
            let mut bytes = vec![0; 128 + 3 * DESCRIPTOR];
            bytes[88..96].copy_from_slice(&total.to_le_bytes());
            bytes[96..104].copy_from_slice(&offset.to_le_bytes());
            let third = 128 + 2 * DESCRIPTOR;
            bytes[third..third + 4].copy_from_slice(&SIGNATURE);
            bytes[third + 4] = used;
            fs::write(&path, bytes).unwrap();
            has_signature(&path).unwrap()
        };
        assert!(has(3, 128, 1) && has(u64::MAX, 128, 1));
        assert!(!has(3, 128, 0) && !has(2, 128, 1) && !has(3, 129, 1));
        assert!(!has(3, u64::MAX, 1) && !has(3, i64::MAX as u64, 1));
        fs::write(&path, "short").unwrap();
        assert!(has_signature(&path).is_err());
    }
}
