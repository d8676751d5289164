//! Builds small SIF files for tests.
//!
//! ```text
//!    0  header       128   magic, version, architecture, ID, offsets of the table and the data
//!  128  descriptors  585   each: one per object, then the unused ones
//!       data               of the objects, without gaps
//! ```
//!
//! A runtime places the table at byte 4096 and pads the data. Neither matters to a reader that
//! follows the offsets, so these files omit the gaps: the smallest image has 714 bytes.
//!
//! ```
//! let image = sif_fixture::Sif::image().bytes();
//! assert_eq!(image.len() as u64, sif_fixture::SMALLEST);
//! let signed = sif_fixture::Sif::image().with(sif_fixture::Object::signature()).bytes();
//! ```
//!
//! Source: <https://github.com/apptainer/sif>, `pkg/sif/sif.go` and `pkg/sif/descriptor.go`.

mod object;

pub use object::{Object, file_system, partition};

use std::fs;
use std::io;
use std::path::Path;

/// Length of the header in bytes.
pub const HEADER: usize = 128;
/// Length of a descriptor in bytes.
pub const DESCRIPTOR: usize = 585;
/// Length of the smallest image in bytes.
pub const SMALLEST: u64 = (HEADER + DESCRIPTOR + 1) as u64;

/// The architecture code of a file without a partition.
const NO_ARCHITECTURE: &[u8; 2] = b"00";

/// A SIF file under construction.
#[derive(Debug, Clone)]
pub struct Sif {
    architecture: [u8; 2],
    id: u8,
    objects: Vec<Object>,
    unused: usize,
    missing: usize,
}

impl Sif {
    /// A file without objects, for this host's architecture.
    #[must_use]
    pub fn empty() -> Self {
        let architecture = *code(host_architecture());
        Self { architecture, id: 0, objects: Vec::new(), unused: 0, missing: 0 }
    }

    /// The smallest image, whose primary system partition has one byte.
    #[must_use]
    pub fn image() -> Self {
        Self::image_of(1)
    }

    /// An image whose primary system partition has `size` bytes. Its file system is declared as
    /// ext3, whose content no check reads.
    #[must_use]
    pub fn image_of(size: usize) -> Self {
        Self::empty().with(Object::root_file_system(file_system::EXT3, vec![0; size]))
    }

    /// Sets the architecture in the header; `name` is Go's name for it. Partitions without an
    /// architecture of their own also use it. A name for which SIF has no code results in the code
    /// for no architecture.
    #[must_use]
    pub fn architecture(self, name: &str) -> Self {
        Self { architecture: *code(name), ..self }
    }

    /// Sets the first byte of the file's ID, so that two files differ.
    #[must_use]
    pub fn id(self, id: u8) -> Self {
        Self { id, ..self }
    }

    /// Adds an object.
    #[must_use]
    pub fn with(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    /// Adds unused descriptors after those of the objects.
    #[must_use]
    pub fn unused(self, descriptors: usize) -> Self {
        Self { unused: descriptors, ..self }
    }

    /// Truncates the file by this number of bytes, which the header still counts.
    #[must_use]
    pub fn without_last(self, bytes: usize) -> Self {
        Self { missing: bytes, ..self }
    }

    /// The content of the file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let count = self.objects.len() + self.unused;
        let table_size = count * DESCRIPTOR;
        let data_start = HEADER + table_size;
        let (mut table, mut data) = (Vec::new(), Vec::new());
        for (object, id) in self.objects.iter().zip(1..) {
            table.extend(object.descriptor(id, data_start + data.len(), self.architecture));
            data.extend_from_slice(object.data());
        }
        table.resize(table_size, 0);
        let mut file = self.header(count, table_size, data_start, data.len());
        file.append(&mut table);
        file.append(&mut data);
        file.truncate(file.len().saturating_sub(self.missing));
        file
    }

    fn header(&self, count: usize, table: usize, data_start: usize, data: usize) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend(b"#!/usr/bin/env run-singularity\n\0");
        header.extend(b"SIF_MAGIC\0");
        header.extend(b"01\0");
        header.extend(self.architecture);
        header.push(0);
        header.push(self.id);
        // The rest of the ID, and two times.
        header.resize(80, 0);
        for number in [self.unused, count, HEADER, table, data_start, data] {
            header.extend(integer(number));
        }
        header
    }

    /// Writes the file, and creates missing directories on its path.
    ///
    /// # Errors
    /// If the file or a directory cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, self.bytes())
    }
}

/// Go's name for this host's architecture.
#[must_use]
pub fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        other => other,
    }
}

/// Go's name for an architecture other than this host's.
#[must_use]
pub fn other_architecture() -> &'static str {
    if host_architecture() == "arm64" { "amd64" } else { "arm64" }
}

fn code(architecture: &str) -> &'static [u8; 2] {
    match architecture {
        "386" => b"01",
        "amd64" => b"02",
        "arm" => b"03",
        "arm64" => b"04",
        "ppc64" => b"05",
        "ppc64le" => b"06",
        "s390x" => b"11",
        "riscv64" => b"12",
        "loong64" => b"13",
        _ => NO_ARCHITECTURE,
    }
}

/// A size or offset as the format stores it: eight bytes, little-endian.
fn integer(number: usize) -> [u8; 8] {
    (number as u64).to_le_bytes()
}

#[cfg(test)]
mod tests;
