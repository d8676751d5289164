//! Writes tar archives with the headers of several formats, entry by entry.
//!
//! ```text
//!   0  name 100        100 mode 8     108 uid 8     116 gid 8     124 size 12   136 mtime 12
//! 148  checksum 8      156 type 1     157 linkname 100            257 magic 6   263 version 2
//! 265  user name 32    297 group name 32            329 major 8   337 minor 8   345 prefix 155
//! ```
//!
//! Sources: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar
//! manual, "Basic Tar Format" and "Storing Sparse Files".

mod header;
mod pax;

/// The type of an entry, with the data that only this type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with its content.
    File(Vec<u8>),
    /// A regular file with holes: its size, and its segments of data with their offsets.
    Sparse(Sparse),
    /// A directory.
    Directory,
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// A hard link to another path of the archive or of a lower layer.
    Hardlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A character device: major and minor number.
    CharDevice(u32, u32),
    /// A block device: major and minor number.
    BlockDevice(u32, u32),
    /// Another type, and its data.
    Other(u8, Vec<u8>),
}

/// A regular file with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparse {
    /// The size in bytes, with the holes.
    pub size: u64,
    /// Segments of data in ascending order, each with its offset.
    pub segments: Vec<(u64, Vec<u8>)>,
    /// The format: pax 0.1 or 1.0.
    pub version: SparseVersion,
}

/// How a pax archive stores a file with holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SparseVersion {
    /// The segments are listed in a pax record.
    V0_1,
    /// The segments are listed in front of the data.
    V1_0,
}

/// How an entry stores values that do not fit into a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// In pax records, and only if necessary.
    Pax,
    /// All values in pax records, in addition to the header.
    PaxAlways,
    /// In GNU's entries for long names, and as base-256 numbers.
    Gnu,
    /// Without a magic number, as before POSIX; values that do not fit are in pax records.
    Old,
}

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path as it is stored; a directory's path gets a slash at its end.
    pub path: Vec<u8>,
    /// The type.
    pub kind: Kind,
    /// Permissions with setuid, setgid and sticky bit.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The modification time in seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds that are added to `mtime`; only pax records store them.
    pub nanoseconds: u32,
    /// Extended attributes with their full names; only pax records store them.
    pub xattrs: Vec<(String, Vec<u8>)>,
    /// The format of the headers.
    pub format: Format,
}

impl Entry {
    /// An entry with mode 644, or 755 for a directory, that belongs to 0:0.
    #[must_use]
    pub fn new(path: impl Into<Vec<u8>>, kind: Kind) -> Self {
        let mode = if kind == Kind::Directory { 0o755 } else { 0o644 };
        let (path, xattrs) = (path.into(), Vec::new());
        let mtime = 1_600_000_000;
        Self {
            path,
            kind,
            mode,
            uid: 0,
            gid: 0,
            mtime,
            nanoseconds: 0,
            xattrs,
            format: Format::Pax,
        }
    }

    /// A regular file.
    #[must_use]
    pub fn file(path: impl Into<Vec<u8>>, content: impl Into<Vec<u8>>) -> Self {
        Self::new(path, Kind::File(content.into()))
    }

    /// A directory.
    #[must_use]
    pub fn directory(path: impl Into<Vec<u8>>) -> Self {
        Self::new(path, Kind::Directory)
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(path: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> Self {
        Self::new(path, Kind::Symlink(target.into()))
    }

    /// Sets the permissions.
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// Appends the entry to an archive.
    pub fn write(&self, archive: &mut Vec<u8>) {
        let mut records = pax::records(self);
        let mut data = self.data();
        if let Kind::Sparse(sparse) = &self.kind {
            data = pax::sparse(sparse, &self.path, &mut records);
        }
        if self.format == Format::Gnu {
            header::gnu_long(b'K', self.target(), archive);
            header::gnu_long(b'L', &self.path, archive);
        }
        if !records.is_empty() {
            let body = pax::encode(&records);
            header::Header::of_records(&self.path, body.len()).write(&body, archive);
        }
        header::Header::of(self, data.len()).write(&data, archive);
    }

    fn data(&self) -> Vec<u8> {
        match &self.kind {
            Kind::File(content) | Kind::Other(_, content) => content.clone(),
            _ => Vec::new(),
        }
    }

    /// The target of a link; empty for other types.
    fn target(&self) -> &[u8] {
        match &self.kind {
            Kind::Symlink(target) | Kind::Hardlink(target) => target,
            _ => b"",
        }
    }
}

/// Ends an archive.
pub fn end(archive: &mut Vec<u8>) {
    archive.resize(archive.len() + 1024, 0);
}
