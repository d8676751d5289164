//! Arbitrary files.

use crate::file;
use sifcache_core::reference::Reference;

const DESCRIPTOR: usize = 585;
const DEFINITION: [u8; 4] = 0x4001_i32.to_le_bytes();

/// Reads a file with these bytes and checks the result.
pub(crate) fn read(bytes: &[u8]) {
    let Some(origin) = file::of(bytes) else { return };
    assert!(bytes.get(32..).is_some_and(|bytes| bytes.starts_with(b"SIF_MAGIC\x0001\0")));
    let printed = origin.reference.to_string();
    let again = Reference::parse(printed.as_bytes()).expect("what it prints");
    assert_eq!(again.to_string(), printed);
    if let Some(digest) = &origin.digest {
        let pinned = Reference::parse(format!("x@{digest}").as_bytes()).expect("a digest");
        assert_eq!(pinned.digest(), Some(digest.as_str()));
        assert!(contains(bytes, digest.as_bytes()), "made up: {digest}");
    }
    let last = origin.reference.repository().rsplit('/').next().expect("a part");
    match definition(bytes) {
        Some(definition) => {
            assert!(definition.len() <= 64 << 10, "a definition of {} bytes", definition.len());
            assert!(contains(definition, last.as_bytes()), "{printed} is not in the definition");
        }
        // The origin comes from the labels, in which each character can be escaped.
        None => assert!(contains(bytes, b"inspect-metadata.json"), "no definition, no labels"),
    }
}

/// The data of the first definition in use: an independent implementation of the rules.
fn definition(bytes: &[u8]) -> Option<&[u8]> {
    let (count, table) = (number(bytes, 88)?, number(bytes, 96)?);
    let descriptors = bytes.get(table..)?.chunks_exact(DESCRIPTOR).take(count);
    let first = descriptors.filter(|one| one[4] != 0).find(|one| one.starts_with(&DEFINITION))?;
    let (offset, size) = (number(first, 17)?, number(first, 25)?);
    bytes.get(offset..offset.checked_add(size)?)
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
    i64::from_le_bytes(bytes).try_into().ok()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len().max(1)).any(|window| window == part)
}
