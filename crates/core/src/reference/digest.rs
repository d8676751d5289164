//! The digest of a reference: `ALGORITHM:HEX`.

use super::Error;

/// The algorithms that OCI registers, each with its number of hexadecimal digits.
/// Source: <https://github.com/opencontainers/image-spec/blob/main/descriptor.md#registered-algorithms>
/// and go-digest, which also accepts sha384.
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// Splits `NAME[@DIGEST]` and checks the digest.
pub(super) fn split(text: &str) -> Result<(&str, Option<&str>), Error> {
    match text.split_once('@') {
        None => Ok((text, None)),
        Some((name, digest)) if is_digest(digest) => Ok((name, Some(digest))),
        Some(_) => Err(Error::Digest),
    }
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    ALGORITHMS.iter().any(|(name, digits)| *name == algorithm && hex.len() == *digits)
        && is_hex(hex)
}

/// Whether the text is exactly 64 lower-case hexadecimal digits.
pub(super) fn is_identifier(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
