//! The header of a SIF file: its first 128 bytes. What is in the file, `descriptors` says.
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

pub mod descriptors;

use descriptors::Table;

/// Length of the header, in bytes.
pub const HEADER: usize = 128;
/// As far as the table reaches in what the runtimes make: 48 descriptors from byte 4096 on.
pub const USUAL_TABLE_END: usize = 4096 + 48 * descriptors::DESCRIPTOR;

const MAGIC: &[u8] = b"SIF_MAGIC\0";
const VERSION: &[u8] = b"01\0";

/// Architecture codes of the format with Go's names for them.
const ARCHITECTURES: [(&[u8], &str); 12] = [
    (b"01\0", "386"),
    (b"02\0", "amd64"),
    (b"03\0", "arm"),
    (b"04\0", "arm64"),
    (b"05\0", "ppc64"),
    (b"06\0", "ppc64le"),
    (b"07\0", "mips"),
    (b"08\0", "mipsle"),
    (b"09\0", "mips64"),
    (b"10\0", "mips64le"),
    (b"11\0", "s390x"),
    (b"12\0", "riscv64"),
];

/// The name of an architecture without a code, such as that of a file without a partition.
pub const UNKNOWN_ARCHITECTURE: &str = "unknown";

/// What the header says that matters for a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Go's name of the architecture; `unknown` for a code that the format does not list.
    pub architecture: &'static str,
    /// Where the data end, in bytes from the start of the file.
    pub data_end: u64,
    /// Where it says what the data are.
    pub table: Table,
}

/// Why 128 bytes are no SIF header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// No SIF magic.
    NotSif,
    /// A version of the format that we do not know.
    Version,
    /// Offsets that no file can have.
    Offsets,
}

/// Reads a header.
///
/// # Errors
/// What makes it none.
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
    let table = Table { count: number(88)?, offset: number(96)?, size: number(104)? };
    Ok(Header { architecture: architecture(field(45, 3)), data_end, table })
}

/// Go's name for the code of an architecture; `unknown` for one that the format does not list.
fn architecture(code: &[u8]) -> &'static str {
    let known = ARCHITECTURES.iter().find(|(known, _)| *known == code);
    known.map_or(UNKNOWN_ARCHITECTURE, |(_, name)| *name)
}

/// A little-endian signed 64-bit integer, if it is not negative.
fn integer(bytes: &[u8]) -> Option<u64> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    u64::try_from(i64::from_le_bytes(bytes)).ok()
}

/// Go's name of an architecture that SIF files can be for.
#[must_use]
pub fn known_architecture(name: &str) -> Option<&'static str> {
    architectures().into_iter().find(|known| *known == name)
}

/// All of them.
#[must_use]
pub fn architectures() -> [&'static str; ARCHITECTURES.len()] {
    ARCHITECTURES.map(|(_, name)| name)
}

/// Go's name of the architecture that this was built for.
#[must_use]
pub fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86" => "386",
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::descriptors::{DESCRIPTOR, Table};
    use super::{Error, HEADER, Header, host_architecture, parse};

    /// A header as Apptainer writes it, for data from `offset` on, `size` bytes, and no table.
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

    /// A file of one descriptor behind its header and `data` behind that.
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
        let table = Table { offset: 4096, count: 48, size: 28080 };
        let expected = Header { architecture: "amd64", data_end: 32176 + 4096, table };
        let mut ordinary = header(b"02", 32176, 4096);
        for (at, number) in [(88, 48_u64), (96, 4096), (104, 28080)] {
            ordinary[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        assert_eq!(parse(&ordinary), Ok(expected));
        assert_eq!(parse(&header(b"04", 0, 0)).unwrap().architecture, "arm64");
        assert_eq!(parse(&header(b"99", 0, 0)).unwrap().architecture, "unknown");
    }

    #[test]
    fn refuses_what_is_none() {
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
    fn the_host_has_a_code() {
        let host = host_architecture();
        assert!(super::ARCHITECTURES.iter().any(|(_, name)| *name == host), "{host}");
    }
}
