use super::{Damage, check, read};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use sif_fixture::{Object, Sif, file_system};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use tempfile::TempDir;

const BLOCK: usize = 4096;

/// A squashfs with one file of two blocks and a fragment, as mksquashfs lays it out.
struct Small {
    bytes: Vec<u8>,
    /// The start of each part: first block, second block, fragment, inodes, directories, IDs.
    at: [usize; 6],
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn metadata(bytes: &[u8]) -> Vec<u8> {
    let block = zlib(bytes);
    [&(block.len() as u16).to_le_bytes(), block.as_slice()].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Writes the superblock: the offset of the root inode, the used bytes and the tables.
fn superblock(bytes: &mut [u8], root: usize, tables: [usize; 7]) {
    bytes[..8].copy_from_slice(b"hsqs\x02\0\0\0");
    bytes[12..20].copy_from_slice(&words(&[BLOCK as u32, 1]));
    for (place, value) in [(20, 1_u16), (22, 12), (26, 1), (28, 4)] {
        bytes[place..place + 2].copy_from_slice(&value.to_le_bytes());
    }
    bytes[32] = root as u8;
    for (index, value) in tables.into_iter().enumerate() {
        let place = 40 + 8 * index;
        bytes[place..place + 8].copy_from_slice(&(value as u64).to_le_bytes());
    }
}

impl Small {
    fn new() -> Self {
        let (first, second, tail) = (zlib(&[b'a'; BLOCK]), [b'b'; BLOCK], zlib(&[b'c'; 100]));
        let mut bytes = vec![0; 96];
        let mut at = [0; 6];
        let mut put = |part: usize, content: &[u8]| {
            at[part] = bytes.len();
            bytes.extend_from_slice(content);
            at[part]
        };
        let start = put(0, &first);
        put(1, &second);
        let fragment = put(2, &tail);
        let sizes = words(&[first.len() as u32, (1 << 24) | BLOCK as u32]);
        let file = words(&[2, 0, 0, 1, start as u32, 0, 0, 2 * BLOCK as u32 + 100]);
        let names = [words(&[0, 0, 1, 0, 2]).as_slice(), b"f"].concat();
        let directory = words(&[1, 0, 0, 2, 0, 2, names.len() as u32 + 3, 3]);
        let root = file.len() + sizes.len();
        let inodes = put(3, &metadata(&[file, sizes, directory].concat()));
        let directories = put(4, &metadata(&names));
        let fragments = bytes.len();
        let entry = words(&[fragment as u32, 0, tail.len() as u32, 0]);
        bytes.extend(metadata(&entry));
        let fragment_index = bytes.len();
        bytes.extend((fragments as u64).to_le_bytes());
        let ids = bytes.len();
        at[5] = ids;
        bytes.extend(metadata(&[0; 4]));
        let id_index = bytes.len();
        bytes.extend((ids as u64).to_le_bytes());
        let (used, nowhere) = (bytes.len(), usize::MAX);
        let tables = [used, id_index, nowhere, inodes, directories, fragment_index, nowhere];
        superblock(&mut bytes, root, tables);
        Self { bytes, at }
    }

    /// Writes the file system as the partition of an image.
    fn write(&self) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image.sif");
        let partition = Object::root_file_system(file_system::SQUASHFS, self.bytes.clone());
        Sif::empty().with(partition).write(&path).unwrap();
        (directory, path)
    }

    fn check(&self) -> Result<(), Damage> {
        check(&self.write().1)
    }

    fn read(&self) -> Result<(), Damage> {
        let (_directory, path) = self.write();
        read(&path, &|| ())
    }
}

/// A host may fill an image root for nodes of another architecture, so it must be able to check
/// their images.
#[test]
fn images_for_another_architecture_are_checked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.sif");
    let of = |bytes: Vec<u8>| {
        let partition = Object::root_file_system(file_system::SQUASHFS, bytes);
        Sif::empty().architecture("s390x").with(partition).write(&path).unwrap();
        message(check(&path))
    };
    assert_eq!(of(Small::new().bytes), "nothing");
    assert_eq!(of(vec![0; 96]), "its root file system is not squashfs 4.0");
}

fn message(result: Result<(), Damage>) -> String {
    result.map_or_else(|damage| damage.to_string(), |()| "nothing".to_owned())
}

#[test]
fn an_intact_squashfs_passes() {
    let (directory, path) = Small::new().write();
    assert_eq!(message(check(&path)), "nothing");
    assert_eq!(message(read(&path, &|| ())), "nothing");
    drop(directory);
    assert!(matches!(read(&path, &|| ()), Err(Damage::Io(_))));
    let (_directory, path) = Small::new().write();
    fs::write(&path, "no image").unwrap();
    assert_eq!(message(read(&path, &|| ())), "nothing", "it has no root file system to read");
}

#[test]
fn invalid_superblocks_are_found() {
    let mut padded = Small::new();
    padded.bytes.resize(8192, 0);
    assert_eq!(message(padded.read()), "nothing");
    let mut short = Small::new();
    let used = short.bytes.len();
    short.bytes.pop();
    let cut = format!("its root file system is cut short: {} of {used} bytes", used - 1);
    assert_eq!((message(short.check()), message(short.read())), (cut.clone(), cut));
    // A killed mksquashfs has not yet written these fields.
    for (from, to) in [(0, 96), (0, 1), (12, 16), (28, 30)] {
        let mut none = Small::new();
        none.bytes[from..to].fill(0);
        assert!(matches!(none.check(), Err(Damage::NotSquashfs)), "{from}");
    }
    let mut tiny = Small::new();
    tiny.bytes.truncate(95);
    assert!(matches!(tiny.check(), Err(Damage::NotSquashfs)));
}

/// Reading finds damage that the superblock does not show.
#[test]
fn damage_in_each_part_is_found() {
    let whole = Small::new();
    for (part, at) in whole.at.into_iter().enumerate().filter(|(part, _)| *part != 1) {
        let mut damaged = Small::new();
        // A metadata block begins with its length, so the byte after the length is damaged. A data
        // block begins with a zlib header, whose first byte is damaged.
        let place = if part < 3 { at } else { at + 2 };
        damaged.bytes[place] ^= 0xff;
        assert_eq!(message(damaged.check()), "nothing");
        let message = message(damaged.read());
        let expected = format!("its root file system is damaged at byte {at}: ");
        assert!(message.starts_with(&expected), "{part}: {message}");
    }
}

/// All blocks can be decompressed, but the root directory is the inode of the file.
#[test]
fn names_are_followed() {
    let mut image = Small::new();
    image.bytes[32] = 0;
    assert_eq!(message(image.check()), "nothing");
    let message = message(image.read());
    assert!(message.ends_with(": its root is not a directory"), "{message}");
}

#[test]
fn the_zlib_checksum_is_compared() {
    let mut damaged = Small::new();
    let end = damaged.at[1] - 1;
    damaged.bytes[end] ^= 1;
    assert!(message(damaged.read()).contains("damaged at byte 96: "));
}

/// Impossible numbers cause an error, and do not make the reader allocate much memory.
#[test]
fn impossible_numbers_are_harmless() {
    for place in (0..96).step_by(2) {
        for value in [0_u16, 1, 0x7fff, 0xffff] {
            let mut small = Small::new();
            small.bytes[place..place + 2].copy_from_slice(&value.to_le_bytes());
            let _ = small.read();
        }
    }
    let mut many = Small::new();
    many.bytes[4..8].fill(0xff);
    assert!(message(many.read()).contains("ends too early"));
}

#[test]
fn an_unsupported_compression_is_reported() {
    let mut small = Small::new();
    small.bytes[20] = 3;
    assert_eq!(
        message(small.read()),
        "its root file system is compressed with lzo, which is not checked"
    );
    assert_eq!(message(small.check()), "nothing");
}
