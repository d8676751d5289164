//! Large directories, and names at the limit.

use crate::image::{Image, metadata, options};
use crate::readers::{mounts, run};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{Kind, Names, Tree};

/// An image with a directory of this many names, each with an inode of its own.
fn many(names: u32, length: usize) -> crate::image::Written {
    let mut image = Image::new(options(Compression::ZSTD));
    let directory = image.directory(Tree::ROOT, b"many", metadata(0o755));
    for number in 0..names {
        let name = format!("{number:0length$}");
        image.add(directory, name.as_bytes(), metadata(0o644), Kind::Fifo);
    }
    image.finish().unwrap()
}

#[test]
fn a_directory_has_100_000_names() {
    let image = many(100_001, 20);
    let text = run("unsquashfs", &["-l", image.path().to_str().unwrap()]);
    // The root and the directory, too.
    assert_eq!(text.lines().count(), 100_003);
    assert_eq!(text.lines().last(), Some("squashfs-root/many/00000000000000100000"));
}

#[test]
fn a_lookup_finds_each_name_through_the_index() {
    for length in [3, 250] {
        let image = many(5000, length);
        for mount in mounts(&image.path(), 0, "zstd") {
            let path = |number: u32| mount.path().join(format!("many/{number:0length$}"));
            for number in 0..5000 {
                assert!(path(number).symlink_metadata().is_ok(), "{number}");
            }
            assert!(path(5000).symlink_metadata().is_err());
            assert!(mount.path().join("many/0").symlink_metadata().is_err());
            assert_eq!(mount.path().join("many").read_dir().unwrap().count(), 5000);
        }
    }
}

#[test]
fn a_name_has_up_to_256_bytes() {
    let mut image = Image::new(options(Compression::GZIP));
    let name = "n".repeat(256);
    image.add(Tree::ROOT, name.as_bytes(), metadata(0o644), Kind::Fifo);
    image.add(Tree::ROOT, b"z", metadata(0o755), Kind::Directory(Names::new()));
    let image = image.finish().unwrap();
    let text = run("unsquashfs", &["-l", image.path().to_str().unwrap()]);
    assert_eq!(text, format!("squashfs-root\nsquashfs-root/{name}\nsquashfs-root/z\n"));
}
