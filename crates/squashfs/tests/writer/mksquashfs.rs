//! Compares images of the writer with images that mksquashfs makes of the same files.

use crate::content::Content;
use crate::image::{Image, metadata, options};
use crate::readers::{everything, extract, run};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::Tree;
use std::path::{Path, PathBuf};

/// Packs a directory with mksquashfs, with its default level.
fn mksquashfs(files: &Path, compression: &str) -> PathBuf {
    let to = files.with_extension("squashfs");
    let (from, into) = (files.to_str().unwrap(), to.to_str().unwrap());
    run("mksquashfs", &[from, into, "-comp", compression, "-quiet", "-no-progress"]);
    to
}

/// The list of all files with modes, owners, sizes and times.
fn list(image: &Path) -> String {
    run("unsquashfs", &["-UTC", "-lln", image.to_str().unwrap()])
}

#[test]
fn both_images_list_the_same_files() {
    for (compression, name) in [(Compression::GZIP, "gzip"), (Compression::ZSTD, "zstd")] {
        let image = everything(options(compression));
        let (directory, _) = extract(&image.path());
        let other = mksquashfs(&directory.path().join("files"), name);
        assert_eq!(list(&image.path()), list(&other));
    }
}

#[test]
fn the_image_is_at_most_a_twentieth_larger() {
    let mut image = Image::new(options(Compression::GZIP));
    for number in 0..600 {
        let content = Content::Text(number, 100 + 37 * usize::try_from(number).unwrap());
        let name = format!("{}", number * 7919 % 600);
        image.file(Tree::ROOT, name.as_bytes(), metadata(0o644), &content.bytes());
    }
    for number in 0..8 {
        let name = format!("large {number}");
        let content = Content::Mixed(number, 500_000);
        image.file(Tree::ROOT, name.as_bytes(), metadata(0o644), &content.bytes());
    }
    let image = image.finish().unwrap();
    let (directory, _) = extract(&image.path());
    let other = mksquashfs(&directory.path().join("files"), "gzip");
    let (ours, theirs) = (image.size(), std::fs::metadata(other).unwrap().len());
    assert!(ours * 20 <= theirs * 21, "{ours} and {theirs} bytes");
}
