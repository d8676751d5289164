//! The header of a SIF file: its first 128 bytes. The module [`descriptors`] reads the table that
//! describes the rest of the file.
//!
//! ```text
//!   0  launch line      32   "#!/usr/bin/env run-singularity\n"
//!  32  magic            10   "SIF_MAGIC\0"
//!  42  version           3   "01\0"
//!  45  architecture      3   "02\0" is amd64
//!  48  id               16
//!  64  created, modified, descriptors free, total, offset, size,
//!      data offset, data size: eight little-endian signed 64-bit integers
//! ```
//!
//! Source: <https://github.com/apptainer/sif>, `pkg/sif/sif.go`.

pub mod definition;
pub mod descriptors;
pub mod unsigned;

use crate::name::Name;
use descriptors::Table;
use std::fmt;

/// Length of the header, in bytes.
pub const HEADER: usize = 128;
/// The number of bytes at the start of a file that have the header and all descriptors in use, in
/// files that the runtimes create. Their table begins at byte 4096 and has 48 places, of which an
/// image uses three or four, from the first one on.
pub const USUAL_START: usize = 4096 + 7 * descriptors::DESCRIPTOR;

const MAGIC: &[u8] = b"SIF_MAGIC\0";
const VERSION: &[u8] = b"01\0";

/// The architecture codes of the format and Go's names for them.
static ARCHITECTURES: [([u8; 3], Name); 13] = [
    (*b"01\0", Name::new("386")),
    (*b"02\0", Name::new("amd64")),
    (*b"03\0", Name::new("arm")),
    (*b"04\0", Name::new("arm64")),
    (*b"05\0", Name::new("ppc64")),
    (*b"06\0", Name::new("ppc64le")),
    (*b"07\0", Name::new("mips")),
    (*b"08\0", Name::new("mipsle")),
    (*b"09\0", Name::new("mips64")),
    (*b"10\0", Name::new("mips64le")),
    (*b"11\0", Name::new("s390x")),
    (*b"12\0", Name::new("riscv64")),
    (*b"13\0", Name::new("loong64")),
];

/// The name for a code that the format does not list, such as the code in a file without a
/// partition.
pub const UNKNOWN_ARCHITECTURE: &str = "unknown";

/// The fields of the header that a lookup needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Go's name of the architecture; `unknown` for a code that the format does not list.
    pub architecture: &'static str,
    /// The end of the data, in bytes from the start of the file.
    pub data_end: u64,
    /// The location of the descriptor table.
    pub table: Table,
}

/// Why 128 bytes are not a valid SIF header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The SIF magic is missing.
    NotSif,
    /// The version of the format is not supported.
    Version,
    /// An offset, size or count is negative, or the end of the data overflows.
    Offsets,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSif => "it is not a SIF file",
            Self::Version => "it has an unsupported version of the SIF format",
            Self::Offsets => "its SIF header has an invalid offset, size or count",
        })
    }
}

impl std::error::Error for Error {}

/// Parses a header.
///
/// # Errors
/// The magic or the version is wrong, or a number is out of range: see [`Error`].
pub fn parse(header: &[u8; HEADER]) -> Result<Header, Error> {
    let field = |from: usize, length: usize| header.get(from..from + length).unwrap_or_default();
    if field(32, 10) != MAGIC {
        return Err(Error::NotSif);
    }
    if field(42, 3) != VERSION {
        return Err(Error::Version);
    }
    let number = |from: usize| integer(field(from, 8)).ok_or(Error::Offsets);
    let data_end = number(112)?.checked_add(number(120)?).ok_or(Error::Offsets)?;
    let (count, free) = (number(88)?, integer(field(80, 8)));
    let used = free.and_then(|free| count.checked_sub(free));
    let table = Table { count, used, offset: number(96)?, size: number(104)? };
    Ok(Header { architecture: architecture(field(45, 3)), data_end, table })
}

/// Go's name for an architecture code; `unknown` for a code that the format does not list.
fn architecture(code: &[u8]) -> &'static str {
    let known = ARCHITECTURES.iter().find(|(known, _)| *known == code);
    known.map_or(UNKNOWN_ARCHITECTURE, |(_, name)| name.as_str())
}

/// Reads a little-endian signed 64-bit integer; `None` if it is negative.
fn integer(bytes: &[u8]) -> Option<u64> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    u64::try_from(i64::from_le_bytes(bytes)).ok()
}

/// The name of an architecture in messages.
#[must_use]
pub fn architecture_in_words(name: &str) -> &str {
    if name == UNKNOWN_ARCHITECTURE { "an unknown architecture" } else { name }
}

/// `name` itself if it is Go's name of an architecture that the SIF format lists.
#[must_use]
pub fn known_architecture(name: &str) -> Option<&'static str> {
    architectures().into_iter().find(|known| *known == name)
}

/// Go's names of all architectures that the SIF format lists.
#[must_use]
pub fn architectures() -> [&'static str; ARCHITECTURES.len()] {
    ARCHITECTURES.each_ref().map(|(_, name)| name.as_str())
}

/// Go's name of the architecture that this program was built for.
#[must_use]
pub fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86" => "386",
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::descriptors::{DESCRIPTOR, Table};
    use super::{Error, HEADER, Header, host_architecture, parse};

    /// A header as Apptainer writes it, for `size` bytes of data at `offset`, without a table.
    pub(crate) fn header(architecture: &[u8; 2], offset: i64, size: i64) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..31].copy_from_slice(b"#!/usr/bin/env run-singularity\n");
        bytes[32..42].copy_from_slice(b"SIF_MAGIC\0");
        bytes[42..44].copy_from_slice(b"01");
        bytes[45..47].copy_from_slice(architecture);
        bytes[112..120].copy_from_slice(&offset.to_le_bytes());
        bytes[120..128].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    /// A file that consists of a header, the bytes `descriptor` as its table, and `data`.
    pub(crate) fn file(architecture: &[u8; 2], descriptor: &[u8], data: &[u8]) -> Vec<u8> {
        let start = HEADER + descriptor.len();
        let mut bytes = header(architecture, start as i64, data.len() as i64);
        let count = (descriptor.len() / DESCRIPTOR) as u64;
        for (at, number) in [(88, count), (96, HEADER as u64), (104, descriptor.len() as u64)] {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        [&bytes, descriptor, data].concat()
    }

    #[test]
    fn reads_a_header() {
        let table = Table { offset: 4096, count: 48, used: Some(3), size: 28080 };
        let expected = Header { architecture: "amd64", data_end: 32176 + 4096, table };
        let mut ordinary = header(b"02", 32176, 4096);
        for (at, number) in [(80, 45_u64), (88, 48), (96, 4096), (104, 28080)] {
            ordinary[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        assert_eq!(parse(&ordinary), Ok(expected));
        for free in [49, -1_i64] {
            ordinary[80..88].copy_from_slice(&free.to_le_bytes());
            assert_eq!(parse(&ordinary).map(|header| header.table.used), Ok(None), "{free}");
        }
        assert_eq!(parse(&header(b"04", 0, 0)).unwrap().architecture, "arm64");
        assert_eq!(parse(&header(b"99", 0, 0)).unwrap().architecture, "unknown");
    }

    #[test]
    fn invalid_headers_are_rejected() {
        assert_eq!(parse(&[0; HEADER]), Err(Error::NotSif));
        let mut other_version = header(b"02", 0, 0);
        other_version[43] = b'2';
        assert_eq!(parse(&other_version), Err(Error::Version));
        let mut other_magic = header(b"02", 0, 0);
        other_magic[41] = b'x';
        assert_eq!(parse(&other_magic), Err(Error::NotSif));
        for (offset, size) in [(-1, 0), (0, -1), (i64::MIN, i64::MAX)] {
            assert_eq!(parse(&header(b"02", offset, size)), Err(Error::Offsets));
        }
        for at in [88, 96, 104] {
            let mut negative = header(b"02", 0, 0);
            negative[at + 7] = 0x80;
            assert_eq!(parse(&negative), Err(Error::Offsets), "{at}");
        }
        let end = parse(&header(b"02", i64::MAX, i64::MAX)).unwrap().data_end;
        assert_eq!(end, u64::MAX - 1);
    }

    #[test]
    fn the_host_architecture_has_a_code() {
        let host = host_architecture();
        assert!(super::architectures().contains(&host), "{host}");
    }
}
