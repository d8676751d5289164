//! File names of at most 255 bytes, the limit of the file systems of Linux (`NAME_MAX`).

use sha2::{Digest as _, Sha256};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// The maximum length in bytes.
pub(crate) const MAX: usize = 255;
/// The length of a hash and of the character before it.
const HASH: usize = 33;

/// The first component of a path that is too long for a file name.
pub(crate) fn too_long(path: &str) -> Option<&str> {
    path.split('/').find(|component| component.len() > MAX)
}

/// The name of a file that belongs to the file `name`: `prefix`, `name` and `suffix`. If that is too
/// long, a hash takes the place of the end of `name`.
pub(crate) fn companion(prefix: &str, name: &OsStr, suffix: &str) -> OsString {
    let room = MAX.saturating_sub(prefix.len() + suffix.len());
    let bytes = name.as_bytes();
    let start = bytes.get(..room.saturating_sub(HASH)).filter(|_| bytes.len() > room);
    let (start, hash) = match start {
        None => (bytes, String::new()),
        Some(start) => {
            let hash = Sha256::digest(bytes);
            let half = hash.first_chunk().copied().unwrap_or_default();
            (start, format!("~{:032x}", u128::from_be_bytes(half)))
        }
    };
    OsString::from_vec([prefix.as_bytes(), start, hash.as_bytes(), suffix.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::{companion, too_long};
    use std::ffi::OsStr;

    #[test]
    fn a_long_name_is_shortened_to_a_name_of_its_own() {
        let name = |end: &str, length: usize| "a".repeat(length - end.len()) + end;
        let record = |name: &str| companion("", OsStr::new(name), ".json");
        assert_eq!(record("i:1"), "i:1.json");
        let longest = name("b", 250);
        assert_eq!(record(&longest), format!("{longest}.json").as_str());
        let (one, two) = (record(&name("b", 251)), record(&name("c", 251)));
        assert_eq!((one.len(), two.len()), (255, 255));
        assert_ne!(one, two);
        assert_eq!(record(&name("b", 251)), one);
        let start = format!("{}~", "a".repeat(217));
        assert!(one.to_str().unwrap().starts_with(&start), "{one:?}");
        assert!(one.to_str().unwrap().ends_with(".json"), "{one:?}");
        assert_eq!(companion(".", OsStr::new(&name("b", 255)), ".host.1.tmp").len(), 255);
    }

    #[test]
    fn each_component_is_counted() {
        let (fits, long) = ("a".repeat(255), "a".repeat(256));
        assert_eq!(too_long(&format!("{fits}/{fits}")), None);
        assert_eq!(too_long(&format!("b/{long}/c")), Some(long.as_str()));
    }
}
