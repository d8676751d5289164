//! The fields of a header block.

use super::number::{number, octal};
use super::{BLOCK, text};
use crate::error::Failure;
use sifcache_squashfs::tree::Device;
use tar::{EntryType, Header};

/// The offset and the length of the checksum in a header.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// The fields of a header that matter, as they are or as an extended header corrects them.
#[derive(Debug)]
pub(super) struct Fields {
    /// The type as it is in the header.
    pub(super) flag: u8,
    pub(super) kind: EntryType,
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    /// The size; negative in hostile headers.
    pub(super) size: i64,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) mtime: i64,
    major: i64,
    minor: i64,
}

/// The formats of a header, by its magic bytes.
enum Format {
    V7,
    Ustar,
    Star,
    Gnu,
}

impl Fields {
    /// Reads a header block that is not empty.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self, Failure> {
        let header = Header::from_byte_slice(block);
        let old = header.as_old();
        let name = text(old.name.to_vec());
        let wrong = |field: &str| {
            Failure::damaged(format_args!("the {field} of {} is not valid", name.escape_ascii()))
        };
        if !checksum_matches(block) {
            return Err(wrong("checksum"));
        }
        let field = |bytes: &[u8], field: &str| number(bytes).ok_or_else(|| wrong(field));
        let mut fields = Self {
            flag: old.linkflag[0],
            kind: EntryType::new(old.linkflag[0]),
            link: text(old.linkname.to_vec()),
            size: field(&old.size, "size")?,
            mode: field(&old.mode, "mode")?,
            uid: field(&old.uid, "owner")?,
            gid: field(&old.gid, "group")?,
            mtime: field(&old.mtime, "time")?,
            major: 0,
            minor: 0,
            name: Vec::new(),
        };
        let format = format(block);
        if !matches!(format, Format::V7) {
            fields.major = field(bytes(block, 329, 8), "device number")?;
            fields.minor = field(bytes(block, 337, 8), "device number")?;
        }
        if matches!(format, Format::Star) {
            field(bytes(block, 476, 12), "access time")?;
            field(bytes(block, 488, 12), "change time")?;
        }
        let prefix = prefix(block, &format);
        fields.name = if prefix.is_empty() { name } else { [&prefix[..], b"/", &name].concat() };
        Ok(fields)
    }

    /// Whether data follows the header. For the other types, the size means nothing.
    pub(super) fn has_data(&self) -> bool {
        !matches!(
            self.kind,
            EntryType::Link
                | EntryType::Symlink
                | EntryType::Char
                | EntryType::Block
                | EntryType::Directory
                | EntryType::Fifo
        )
    }

    /// The size in bytes.
    pub(super) fn size(&self) -> Result<u64, Failure> {
        u64::try_from(self.size).map_err(|_| {
            Failure::invalid(&self.name, format_args!("its size is negative: {}", self.size))
        })
    }

    /// The number of the device. mknod(2) takes the lowest 12 and 20 bits.
    pub(super) fn device(&self) -> Device {
        let bits = |number: i64, mask: i64| u32::try_from(number & mask).unwrap_or_default();
        Device { major: bits(self.major, 0xfff), minor: bits(self.minor, 0xf_ffff) }
    }
}

/// Whether the checksum is right. Old programs added the bytes as signed numbers.
fn checksum_matches(block: &[u8; BLOCK]) -> bool {
    let Some(stored) = block.get(CHECKSUM).and_then(octal) else { return false };
    let (mut unsigned, mut signed) = (0, 0);
    for (index, byte) in block.iter().enumerate() {
        let byte = if CHECKSUM.contains(&index) { b' ' } else { *byte };
        unsigned += i64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    stored == unsigned || stored == signed
}

fn format(block: &[u8; BLOCK]) -> Format {
    match (bytes(block, 257, 6), bytes(block, 263, 2), bytes(block, 508, 4)) {
        (b"ustar\0", _, b"tar\0") => Format::Star,
        (b"ustar\0", ..) => Format::Ustar,
        (b"ustar ", b" \0", _) => Format::Gnu,
        _ => Format::V7,
    }
}

/// The start of a path that is too long for the field of the name.
fn prefix(block: &[u8; BLOCK], format: &Format) -> Vec<u8> {
    match format {
        Format::V7 => Vec::new(),
        Format::Ustar => text(bytes(block, 345, 155).to_vec()),
        Format::Star => text(bytes(block, 345, 131).to_vec()),
        Format::Gnu => {
            // These fields are times. Go's tar writer before 1.8 put the prefix there.
            let time = |field: &[u8]| field.first() == Some(&0) || number(field).is_some();
            if time(bytes(block, 345, 12)) && time(bytes(block, 357, 12)) {
                return Vec::new();
            }
            let prefix = text(bytes(block, 345, 155).to_vec());
            if prefix.is_ascii() { prefix } else { Vec::new() }
        }
    }
}

fn bytes(block: &[u8; BLOCK], at: usize, length: usize) -> &[u8] {
    block.get(at..at + length).unwrap_or_default()
}
