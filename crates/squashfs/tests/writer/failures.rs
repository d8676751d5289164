//! Errors of the disk, of the input and of the tree.

use crate::content::Content;
use crate::image::{Image, metadata, options, xattrs};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{ContentId, Device, InodeId, Kind, Metadata, Names, Tree};
use sifcache_squashfs::writer::{Error, Options, StoreError, Writer};
use std::fs::File;
use std::io;

fn full() -> File {
    File::options().read(true).write(true).open("/dev/full").unwrap()
}

#[test]
fn a_full_disk_is_an_error_of_a_later_file() {
    let mut writer = Writer::new(full(), options(Compression::ZSTD)).unwrap();
    let mut store = |seed, length| {
        let bytes = Content::Random(seed, length).bytes();
        writer.store(b"x", bytes.len() as u64, &mut &bytes[..])
    };
    let error = (0..50).find_map(|seed| store(seed, 1_000_000).err()).unwrap();
    let StoreError::Write(Error::Write(error)) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(matches!(store(99, 1_000_000), Err(StoreError::Write(Error::Thread))));
    let tree = Tree::new(metadata(0o755));
    assert!(matches!(writer.finish(&tree), Err(Error::Thread)));
}

#[test]
fn a_full_disk_is_an_error_at_the_end() {
    let mut writer = Writer::new(full(), options(Compression::GZIP)).unwrap();
    writer.store(b"x", 3, &mut &b"abc"[..]).unwrap();
    let error = writer.finish(&Tree::new(metadata(0o755))).unwrap_err();
    assert!(matches!(&error, Error::Write(error) if error.kind() == io::ErrorKind::StorageFull));
    assert!(error.to_string().starts_with("the file system image cannot be written: "), "{error}");
}

/// A reader that fails after some bytes.
struct Broken(usize);

impl io::Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let now = self.0.min(buffer.len());
        self.0 -= now;
        if now == 0 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(now) }
    }
}

#[test]
fn an_input_that_ends_or_fails_leaves_the_writer_usable() {
    let mut image = Image::new(options(Compression::GZIP));
    for size in [100, 1_000_000, 9_000_000] {
        let kind = |result: Result<_, StoreError>| match result {
            Err(StoreError::Read(error)) => error.kind(),
            other => panic!("{other:?}"),
        };
        let short = vec![1; size - 1];
        let ended = image.writer.store(b"x", size as u64, &mut &short[..]);
        assert_eq!(kind(ended), io::ErrorKind::UnexpectedEof);
        let failed = image.writer.store(b"x", size as u64, &mut Broken(size - 1));
        assert_eq!(kind(failed), io::ErrorKind::ConnectionReset);
    }
    image.file(Tree::ROOT, b"a", metadata(0o644), &Content::Text(1, 300_000).bytes());
    let written = image.finish().unwrap();
    let (_directory, files) = crate::readers::extract(&written.path());
    crate::walk::assert_same(&files, &written.files);
}

#[test]
fn a_block_size_that_squashfs_does_not_have_is_an_error() {
    for block_size in [0, 1, 2048, 5000, 2 << 20] {
        let options = Options { block_size, ..options(Compression::GZIP) };
        let result = Writer::new(tempfile::tempfile().unwrap(), options);
        assert!(matches!(result, Err(Error::BlockSize(size)) if size == block_size));
    }
}

/// The error for a tree with one more inode.
fn error_of(metadata: Metadata, name: &[u8], kind: Kind) -> Error {
    let mut image = Image::new(options(Compression::GZIP));
    image.add(Tree::ROOT, name, metadata, kind);
    image.finish().err().unwrap()
}

#[test]
fn names_targets_devices_and_attributes_have_limits() {
    for name in [&b""[..], &[b'n'; 257], b"a/b", b"a\0b", b".", b".."] {
        assert!(matches!(error_of(metadata(0), name, Kind::Fifo), Error::Name(_)), "{name:?}");
    }
    for target in [&b""[..], &[b't'; 4096], b"a\0b"] {
        let error = error_of(metadata(0), b"a", Kind::Symlink(target.into()));
        assert!(matches!(error, Error::Target(length) if length == target.len()));
    }
    for (major, minor) in [(4096, 0), (0, 1 << 20)] {
        let error = error_of(metadata(0), b"a", Kind::CharDevice(Device { major, minor }));
        assert!(matches!(error, Error::Device { .. }), "{error}");
    }
    let name = format!("user.{}", "x".repeat(251));
    for (name, length) in [("user.x", 65_537), (name.as_str(), 1)] {
        let attributes = Metadata { xattrs: xattrs(&[(name, &vec![0; length])]), ..metadata(0) };
        assert!(matches!(error_of(attributes, b"a", Kind::Fifo), Error::Xattr(_)));
    }
}

#[test]
fn a_file_without_its_content_is_an_error() {
    let content = |id, size| Kind::File { size, content: id };
    for kind in [content(Some(ContentId(7)), 3), content(None, 3)] {
        assert!(matches!(error_of(metadata(0), b"a", kind), Error::Content(_)));
    }
    let mut image = Image::new(options(Compression::GZIP));
    let id = image.writer.store(b"x", 3, &mut &b"abc"[..]).unwrap();
    image.add(Tree::ROOT, b"wrong size", metadata(0), content(id, 4));
    assert!(matches!(image.finish(), Err(Error::Content(0))));
    let mut image = Image::new(options(Compression::GZIP));
    let id = image.writer.store(b"x", 3, &mut &b"abc"[..]).unwrap();
    image.writer.forget(id.unwrap());
    image.add(Tree::ROOT, b"forgotten", metadata(0), content(id, 3));
    assert!(matches!(image.finish(), Err(Error::Content(0))));
}

#[test]
fn a_directory_with_two_names_is_an_error() {
    let directory = || Kind::Directory(Names::new());
    let mut image = Image::new(options(Compression::GZIP));
    let id = image.add(Tree::ROOT, b"a", metadata(0), directory());
    image.link(Tree::ROOT, b"b", id);
    assert!(matches!(image.finish(), Err(Error::Tree(_))));
    let cycles: [fn(InodeId) -> InodeId; 2] = [|id| id, |_| Tree::ROOT];
    for target in cycles {
        let mut image = Image::new(options(Compression::GZIP));
        let id = image.add(Tree::ROOT, b"a", metadata(0), directory());
        image.link(id, b"up", target(id));
        assert!(matches!(image.finish(), Err(Error::Tree(_))));
    }
}

#[test]
fn squashfs_has_at_most_65535_owners() {
    let mut image = Image::new(options(Compression::GZIP));
    for uid in 0..65_536 {
        let metadata = Metadata { uid, ..metadata(0o644) };
        image.add(Tree::ROOT, format!("{uid}").as_bytes(), metadata, Kind::Fifo);
    }
    assert!(matches!(image.finish(), Err(Error::TooMany("owners and groups"))));
}

#[test]
fn other_namespaces_of_attributes_are_left_out_and_counted() {
    let mut image = Image::new(options(Compression::GZIP));
    let set: [(&str, &[u8]); 3] =
        [("system.posix_acl_access", b"x"), ("user.", b"x"), ("user.a", b"x")];
    let attributes = Metadata { xattrs: xattrs(&set), ..metadata(0o644) };
    image.file(Tree::ROOT, b"a", attributes, b"content");
    let written = image.finish().unwrap();
    assert_eq!(written.finished.counts.xattrs_left_out, 2);
    let (_directory, files) = crate::readers::extract(&written.path());
    let file = &files[std::path::Path::new("a")];
    assert_eq!(file.xattrs, [(b"user.a".to_vec(), b"x".to_vec())]);
}
