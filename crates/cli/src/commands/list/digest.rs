//! A compact representation of a digest.

use crate::cache::store::hex;
use serde::{Serialize, Serializer};
use std::fmt;

const SHA256: &str = "sha256:";
/// The length of a SHA-256 in bytes.
const LENGTH: usize = 32;

/// A digest, or any other text that a record has in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256([u8; LENGTH]),
    Other(Box<str>),
}

impl Digest {
    pub(super) fn new(text: &str) -> Self {
        let sha256 = || {
            let digits = text.strip_prefix(SHA256)?.as_bytes();
            let mut bytes = [0; LENGTH];
            if digits.len() != 2 * LENGTH {
                return None;
            }
            for (byte, digits) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                let [high, low] = digits else { return None };
                *byte = digit(*high)? * 16 + digit(*low)?;
            }
            Some(Self::Sha256(bytes))
        };
        sha256().unwrap_or_else(|| Self::Other(text.into()))
    }
}

/// The value of a lower-case hexadecimal digit.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(bytes) => write!(f, "{SHA256}{}", hex(bytes)),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn every_text_comes_back() {
        let sha256 = format!("sha256:{}", "0f".repeat(32));
        assert!(matches!(Digest::new(&sha256), Digest::Sha256(_)));
        let others = [sha256.replace('f', "F"), format!("{sha256}0"), sha256.replace("256", "512")];
        for text in others.iter().map(String::as_str).chain(["sha256:", "", "sha256:ü"]) {
            assert!(matches!(Digest::new(text), Digest::Other(_)), "{text}");
            assert_eq!(Digest::new(text).to_string(), text);
        }
        let json = serde_json::to_string(&Digest::new(&sha256)).unwrap();
        assert_eq!(json, format!("\"{sha256}\""));
    }
}
