//! Files that an upper layer hides leave no bytes behind.

use crate::content::Content;
use crate::image::{Image, Written, metadata, options};
use crate::readers::extract;
use crate::walk::assert_same;
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::Tree;
use sifcache_squashfs::writer::Options;

/// Files with names `from`, `from + 1` and so on. Small blocks make many fragments.
fn add(image: &mut Image, from: u64, to: u64, length: usize) {
    for number in from..to {
        let content = Content::Mixed(number, length).bytes();
        image.file(Tree::ROOT, format!("{number:05}").as_bytes(), metadata(0o644), &content);
    }
}

fn image(compression: Compression) -> Image {
    Image::new(Options { block_size: 4096, ..options(compression) })
}

/// At most 2 percent larger than the image of the remaining files alone, and complete.
fn check(hidden: &Written, alone: &Written) {
    let (size, least) = (hidden.size(), alone.size());
    assert!(size * 50 <= least * 51, "{size} instead of {least} bytes");
    let (_directory, files) = extract(&hidden.path());
    assert_same(&files, &hidden.files);
    assert_same(&hidden.files, &alone.files);
}

/// Stores `files` files of this length and hides those that `hides` selects, after all of them or,
/// with `at_once`, each before the next one.
fn compare(files: u64, length: usize, at_once: bool, hides: impl Fn(u64) -> bool) -> Written {
    let compression = if at_once { Compression::GZIP } else { Compression::ZSTD };
    let (mut some, mut alone) = (image(compression), image(compression));
    let hide = |image: &mut Image, number: u64| {
        image.hide(Tree::ROOT, format!("{number:05}").as_bytes());
    };
    for number in 0..files {
        add(&mut some, number, number + 1, length);
        match hides(number) {
            true if at_once => hide(&mut some, number),
            true => {}
            false => add(&mut alone, number, number + 1, length),
        }
    }
    for number in (0..files).filter(|number| !at_once && hides(*number)) {
        hide(&mut some, number);
    }
    let (some, alone) = (some.finish().unwrap(), alone.finish().unwrap());
    check(&some, &alone);
    some
}

#[test]
fn large_files_move_down() {
    let written = compare(60, 50_000, false, |number| number % 3 == 0);
    assert!(written.finished.counts.bytes_removed > 0);
}

#[test]
fn a_hole_is_filled_with_the_last_files() {
    let mut image = image(Compression::ZSTD);
    for number in [0, 100, 200] {
        add(&mut image, number, number + 1, 300_000);
        add(&mut image, number + 1, number + 100, 10_000);
    }
    image.hide(Tree::ROOT, b"00000");
    image.hide(Tree::ROOT, b"00100");
    let written = image.finish().unwrap();
    let counts = written.finished.counts;
    assert!(counts.bytes_removed > 0 && counts.bytes_moved < 2 * counts.bytes_removed);
    assert!(counts.bytes_dead * 100 < written.size(), "{counts:?}");
    let (_directory, files) = extract(&written.path());
    assert_same(&files, &written.files);
}

#[test]
fn all_files_move_down_if_the_last_one_is_larger_than_all_holes() {
    let mut image = image(Compression::ZSTD);
    add(&mut image, 0, 20, 30_000);
    add(&mut image, 20, 21, 3_000_000);
    for number in [3, 8, 12] {
        image.hide(Tree::ROOT, format!("{number:05}").as_bytes());
    }
    let written = image.finish().unwrap();
    let counts = written.finished.counts;
    assert!(counts.bytes_dead == 0 && counts.bytes_moved > 5 * counts.bytes_removed, "{counts:?}");
    let (_directory, files) = extract(&written.path());
    assert_same(&files, &written.files);
}

#[test]
fn small_files_are_packed_again() {
    let written = compare(4000, 1000, false, |number| number % 3 != 0 && number < 3000);
    assert!(written.finished.counts.bytes_removed > 0);
}

#[test]
fn small_files_that_wait_are_never_written() {
    let written = compare(1000, 1000, true, |number| number % 3 != 0);
    assert_eq!(written.finished.counts.bytes_removed, 0);
}

#[test]
fn a_few_dead_bytes_stay() {
    let written = compare(300, 20_000, false, |number| number == 5);
    let counts = written.finished.counts;
    assert_eq!(counts.bytes_removed, 0);
    assert!(counts.bytes_dead > 0 && counts.bytes_dead * 100 < written.size(), "{counts:?}");
}

#[test]
fn nothing_is_left_if_everything_is_hidden() {
    let written = compare(3000, 1000, false, |_| true);
    assert_eq!(written.size(), 4096);
    let written = compare(3, 500_000, false, |_| true);
    assert_eq!(written.size(), 4096);
}

#[test]
fn a_hidden_content_comes_back_with_an_equal_file() {
    for length in [100, 50_000] {
        let mut image = image(Compression::ZSTD);
        let bytes = Content::Random(1, length).bytes();
        for _ in 0..3 {
            image.file(Tree::ROOT, b"a", metadata(0o644), &bytes);
            image.file(Tree::ROOT, b"b", metadata(0o644), &bytes);
            image.hide(Tree::ROOT, b"a");
            image.hide(Tree::ROOT, b"b");
        }
        image.file(Tree::ROOT, b"last", metadata(0o644), &bytes);
        let written = image.finish().unwrap();
        assert!(written.size() < 8192 + bytes.len() as u64);
        let (_directory, files) = extract(&written.path());
        assert_same(&files, &written.files);
    }
}
