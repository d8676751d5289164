//! The header of 512 bytes in front of each entry.

use super::{Entry, Format, Kind};

/// The length of headers, and the unit of all data.
const BLOCK: usize = 512;
/// The length of the name and of a link's target.
pub(super) const NAME: usize = 100;
/// The largest number in the field of an owner or a device.
pub(super) const SMALL: u64 = 0o7_777_777;
/// The largest number in the field of a size or a time.
pub(super) const LARGE: u64 = 0o77_777_777_777;

/// The fields of a header.
pub(super) struct Header {
    name: Vec<u8>,
    mode: u32,
    owner: [u64; 2],
    size: u64,
    mtime: i64,
    kind: u8,
    target: Vec<u8>,
    device: [u32; 2],
    format: Format,
}

impl Header {
    /// The header of an entry with this length of data.
    pub(super) fn of(entry: &Entry, length: usize) -> Self {
        let mut name = entry.path.clone();
        if entry.kind == Kind::Directory && !name.ends_with(b"/") {
            name.push(b'/');
        }
        if let Kind::Sparse(_) = entry.kind {
            name = b"GNUSparseFile.0/file".to_vec();
        }
        let device = match entry.kind {
            Kind::CharDevice(major, minor) | Kind::BlockDevice(major, minor) => [major, minor],
            _ => [0, 0],
        };
        Self {
            name,
            mode: entry.mode,
            owner: [entry.uid, entry.gid].map(u64::from),
            size: length as u64,
            mtime: entry.mtime,
            kind: kind(entry),
            target: entry.target().to_vec(),
            device,
            format: entry.format,
        }
    }

    /// The header of pax records of this length.
    pub(super) fn of_records(path: &[u8], length: usize) -> Self {
        let last = path.rsplit(|byte| *byte == b'/').find(|name| !name.is_empty());
        let name = [b"PaxHeaders.0/", last.unwrap_or_default()].concat();
        Self::special(b'x', name, length)
    }

    fn special(kind: u8, name: Vec<u8>, length: usize) -> Self {
        Self {
            name,
            mode: 0o644,
            owner: [0, 0],
            size: length as u64,
            mtime: 0,
            kind,
            target: Vec::new(),
            device: [0, 0],
            format: Format::Pax,
        }
    }

    /// Appends the header and the data, padded to whole blocks.
    pub(super) fn write(&self, data: &[u8], archive: &mut Vec<u8>) {
        let mut header = self.fields();
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(data);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }

    fn fields(&self) -> [u8; BLOCK] {
        let mut header = [0; BLOCK];
        put(&mut header, 0, self.name.get(..NAME).unwrap_or(&self.name));
        put(&mut header, 100, &self.number(u64::from(self.mode), 8));
        put(&mut header, 108, &self.number(self.owner[0], 8));
        put(&mut header, 116, &self.number(self.owner[1], 8));
        put(&mut header, 124, &self.number(self.size, 12));
        put(&mut header, 136, &self.time());
        put(&mut header, 148, b"        ");
        put(&mut header, 156, &[self.kind]);
        put(&mut header, 157, self.target.get(..NAME).unwrap_or(&self.target));
        let magic: &[u8] = match self.format {
            Format::Pax | Format::PaxAlways => b"ustar\x0000",
            Format::Gnu => b"ustar  \0",
            Format::Old => b"",
        };
        put(&mut header, 257, magic);
        if self.format != Format::Old || self.device != [0, 0] {
            put(&mut header, 257, if magic.is_empty() { b"ustar\x0000" } else { magic });
            put(&mut header, 329, &self.number(u64::from(self.device[0]), 8));
            put(&mut header, 337, &self.number(u64::from(self.device[1]), 8));
        }
        header
    }

    /// A number in a field of this length: octal digits, or GNU's base 256 if they are too many.
    fn number(&self, value: u64, length: usize) -> Vec<u8> {
        let largest = if length == 8 { SMALL } else { LARGE };
        if value <= largest {
            return format!("{value:0width$o}\0", width = length - 1).into_bytes();
        }
        match self.format {
            Format::Gnu => base_256(value, length),
            _ => format!("{:0width$o}\0", 0, width = length - 1).into_bytes(),
        }
    }

    fn time(&self) -> Vec<u8> {
        match u64::try_from(self.mtime) {
            Ok(time) => self.number(time, 12),
            // Negative: two's complement with all high bits set.
            Err(_) if self.format == Format::Gnu => {
                [&[0xff; 4], self.mtime.to_be_bytes().as_slice()].concat()
            }
            Err(_) => self.number(0, 12),
        }
    }
}

fn kind(entry: &Entry) -> u8 {
    match (&entry.kind, entry.format) {
        (Kind::File(_), Format::Old) => 0,
        (Kind::File(_) | Kind::Sparse(_), _) => b'0',
        (Kind::Hardlink(_), _) => b'1',
        (Kind::Symlink(_), _) => b'2',
        (Kind::CharDevice(..), _) => b'3',
        (Kind::BlockDevice(..), _) => b'4',
        (Kind::Directory, _) => b'5',
        (Kind::Fifo, _) => b'6',
        (Kind::Other(kind, _), _) => *kind,
    }
}

fn base_256(value: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length - 8];
    bytes.extend_from_slice(&value.to_be_bytes());
    if let Some(first) = bytes.first_mut() {
        *first |= 0x80;
    }
    bytes
}

fn put(header: &mut [u8; BLOCK], at: usize, value: &[u8]) {
    for (to, from) in header.iter_mut().skip(at).zip(value) {
        *to = *from;
    }
}

/// Appends GNU's entry for a name or target (`kind`) that does not fit into a header.
pub(super) fn gnu_long(kind: u8, name: &[u8], archive: &mut Vec<u8>) {
    if name.len() >= NAME {
        let data = [name, b"\0"].concat();
        let mut header = Header::special(kind, b"././@LongLink".to_vec(), data.len());
        header.format = Format::Gnu;
        header.write(&data, archive);
    }
}
