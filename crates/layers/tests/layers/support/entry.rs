//! Entries of a tar archive, with control over every field.

/// An entry, by default as tar(1) writes it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    name: Vec<u8>,
    link: Vec<u8>,
    flag: u8,
    mode: i64,
    uid: i64,
    gid: i64,
    mtime: i64,
    size: Option<i64>,
    device: (i64, i64),
    data: Vec<u8>,
    records: Vec<(Vec<u8>, Vec<u8>)>,
    before: Vec<u8>,
    magic: [u8; 8],
    prefix: Vec<u8>,
}

/// The time of entries that do not say otherwise.
pub(crate) const TIME: i64 = 1_700_000_000;

fn entry(name: impl AsRef<[u8]>, flag: u8, mode: i64) -> Entry {
    Entry {
        name: name.as_ref().to_vec(),
        link: Vec::new(),
        flag,
        mode,
        uid: 0,
        gid: 0,
        mtime: TIME,
        size: None,
        device: (0, 0),
        data: Vec::new(),
        records: Vec::new(),
        before: Vec::new(),
        magic: *b"ustar\x0000",
        prefix: Vec::new(),
    }
}

/// A regular file.
pub(crate) fn file(name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Entry {
    let mut file = entry(name, b'0', 0o644);
    file.data = data.as_ref().to_vec();
    file
}

/// A directory.
pub(crate) fn dir(name: impl AsRef<[u8]>) -> Entry {
    entry(name, b'5', 0o755)
}

/// A symbolic link.
pub(crate) fn symlink(name: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Entry {
    let mut link = entry(name, b'2', 0o777);
    link.link = to.as_ref().to_vec();
    link
}

/// A hard link.
pub(crate) fn hard_link(name: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Entry {
    let mut link = entry(name, b'1', 0o644);
    link.link = to.as_ref().to_vec();
    link
}

/// An entry of any type.
pub(crate) fn other(name: impl AsRef<[u8]>, flag: u8) -> Entry {
    entry(name, flag, 0o644)
}

/// A block (`b'4'`) or character (`b'3'`) device.
pub(crate) fn device(name: impl AsRef<[u8]>, flag: u8, major: i64, minor: i64) -> Entry {
    let mut device = entry(name, flag, 0o644);
    device.device = (major, minor);
    device
}

/// A whiteout: `path` has no `.wh.`.
pub(crate) fn whiteout(path: &str) -> Entry {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let slash = if directory.is_empty() { "" } else { "/" };
    file(format!("{directory}{slash}.wh.{name}"), "")
}

impl Entry {
    /// Sets the mode.
    pub(crate) fn mode(mut self, mode: i64) -> Self {
        self.mode = mode;
        self
    }

    /// Sets owner and group.
    pub(crate) fn owner(mut self, uid: i64, gid: i64) -> Self {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    /// Sets the time.
    pub(crate) fn time(mut self, mtime: i64) -> Self {
        self.mtime = mtime;
        self
    }

    /// Sets the size in the header, whatever the data is.
    pub(crate) fn size(mut self, size: i64) -> Self {
        self.size = Some(size);
        self
    }

    /// Sets the data behind the header.
    pub(crate) fn data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.data = data.as_ref().to_vec();
        self
    }

    /// Adds an extended attribute.
    pub(crate) fn xattr(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.record(&format!("SCHILY.xattr.{name}"), value)
    }

    /// Adds a record to the pax header before the entry.
    pub(crate) fn record(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.records.push((key.into(), value.as_ref().to_vec()));
        self
    }

    /// Puts a header of its own before the entry.
    pub(crate) fn after(mut self, header: Self) -> Self {
        self.before.extend(header.bytes());
        self
    }

    /// Sets the magic bytes and the version.
    pub(crate) fn magic(mut self, magic: &[u8; 8]) -> Self {
        self.magic = *magic;
        self
    }

    /// Sets the field for the start of a long name.
    pub(crate) fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The bytes in the archive, with padding.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut records = self.records.clone();
        if self.name.len() > 100 {
            records.push((b"path".to_vec(), self.name.clone()));
        }
        if self.link.len() > 100 {
            records.push((b"linkpath".to_vec(), self.link.clone()));
        }
        let mut bytes = self.before.clone();
        if !records.is_empty() {
            bytes.extend(pax(b'x', &records).bytes());
        }
        bytes.extend(self.header());
        bytes.extend(&self.data);
        bytes.extend(vec![0; self.data.len().wrapping_neg() % 512]);
        bytes
    }

    fn header(&self) -> [u8; 512] {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, &number(self.mode, 8));
        put(108, &number(self.uid, 8));
        put(116, &number(self.gid, 8));
        put(124, &number(self.size.unwrap_or(self.data.len() as i64), 12));
        put(136, &number(self.mtime, 12));
        put(148, b"        ");
        put(156, &[self.flag]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, &self.magic);
        put(329, &number(self.device.0, 8));
        put(337, &number(self.device.1, 8));
        put(345, &self.prefix);
        seal(&mut block);
        block
    }
}

/// Sets the checksum of a header.
pub(crate) fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// An extended header: `b'x'` for the next entry, `b'g'` for all.
pub(crate) fn pax(flag: u8, records: &[(Vec<u8>, Vec<u8>)]) -> Entry {
    let data: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
    other("pax", flag).data(data)
}

/// A record, with its own length in front.
pub(crate) fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length += 1;
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// A GNU long name (`b'L'`) or long target (`b'K'`).
pub(crate) fn gnu_long(flag: u8, name: impl AsRef<[u8]>) -> Entry {
    other("././@LongLink", flag).magic(b"ustar  \0").data([name.as_ref(), &[0]].concat())
}

/// A number in octal digits, or in base 256 if it has too many.
fn number(value: i64, length: usize) -> Vec<u8> {
    let octal = format!("{value:0width$o}\0", width = length - 1);
    if value >= 0 && octal.len() == length {
        return octal.into_bytes();
    }
    let sign = if value < 0 { 0xff } else { 0 };
    let mut bytes = vec![sign; length.saturating_sub(8)];
    bytes.extend(&value.to_be_bytes()[8_usize.saturating_sub(length)..]);
    bytes[0] |= 0x80;
    bytes
}
