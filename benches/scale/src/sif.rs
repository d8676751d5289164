//! The content of an image: a small squashfs in a SIF file with the layout of the runtimes.

use sif_fixture::{Object, Sif, file_system};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{Inode, Kind, Metadata, Tree};
use sifcache_squashfs::writer::{BLOCK_SIZE, Options, Writer};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;

/// The number of descriptors in a file of the runtimes.
const DESCRIPTORS: usize = 48;
/// The size of a page. Pages of zeros are not written.
const PAGE: usize = 4096;

/// A template for images.
#[derive(Debug)]
pub(crate) struct Template {
    squashfs: Vec<u8>,
}

impl Template {
    /// # Errors
    /// The squashfs cannot be written.
    pub(crate) fn new() -> io::Result<Self> {
        let root = Metadata { mode: 0o755, ..Metadata::default() };
        let mut tree = Tree::new(root.clone());
        for name in ["bin", "etc", "usr"] {
            let directory =
                Inode { metadata: root.clone(), kind: Kind::Directory(Default::default()) };
            let id = tree.add(directory).ok_or(io::ErrorKind::OutOfMemory)?;
            if let Some(names) = tree.names_mut(Tree::ROOT) {
                names.insert(name.as_bytes().into(), id);
            }
        }
        let file = tempfile::tempfile()?;
        let compression = Compression::GZIP;
        let options =
            Options { offset: 0, compression, workers: 1, block_size: BLOCK_SIZE, time: 0 };
        let writer = Writer::new(file.try_clone()?, options).map_err(io::Error::other)?;
        writer.finish(&tree).map_err(io::Error::other)?;
        Ok(Self { squashfs: all(&file)? })
    }

    /// The bytes of the image that was made from this URI.
    pub(crate) fn image(&self, source: &str) -> Vec<u8> {
        let from = source.strip_prefix("docker://").unwrap_or("alpine:3.20");
        let definition = format!("bootstrap: docker\nfrom: {from}\n\n");
        let labels = r#"{"data":{"attributes":{"labels":{}}}}"#;
        let objects = [
            Object::definition(definition),
            Object::metadata(labels.to_owned()),
            Object::root_file_system(file_system::SQUASHFS, self.squashfs.clone()),
        ];
        let unused = DESCRIPTORS - objects.len();
        objects.into_iter().fold(Sif::empty(), Sif::with).unused(unused).bytes()
    }
}

fn all(mut file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Seek::rewind(&mut file)?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file with holes in place of pages of zeros.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_sparse(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.set_len(bytes.len() as u64)?;
    for (index, page) in bytes.chunks(PAGE).enumerate() {
        if page.iter().any(|byte| *byte != 0) {
            file.write_all_at(page, (index * PAGE) as u64)?;
        }
    }
    Ok(())
}
