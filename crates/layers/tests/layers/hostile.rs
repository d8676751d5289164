//! Hostile layers end in a clear error, in bounded memory and time.

use crate::support::entry::{dir, file, hard_link, symlink};
use crate::support::sink::{Broken, Contents};
use crate::support::{NOW, layer};
use sifcache_layers::{Error, Limits, Merger};
use std::io::{self, Read};

fn merge(limits: Limits, layers: &[Vec<u8>]) -> Result<usize, Error<Broken>> {
    let mut merger = Merger::new(limits, NOW);
    let mut contents = Contents::default();
    for layer in layers {
        merger.layer(layer.as_slice(), &mut contents)?;
    }
    Ok(merger.finish().tree.len())
}

fn assert_limit(limits: Limits, layers: &[Vec<u8>], text: &str) {
    let error = merge(limits, layers).expect_err("a limit");
    assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    assert_eq!(error.to_string(), format!("the image has more than {text}"));
}

#[test]
fn limits_of_the_image() {
    let limits = || Limits { entries: 3, names: 4, layers: 2, ..Limits::default() };
    let three = || layer([file("a", ""), file("b", ""), file("c", "")]);
    assert!(merge(limits(), &[three()]).is_ok());
    assert_limit(limits(), &[three(), layer([file("a", "")])], "3 entries");
    assert!(merge(limits(), &[layer([file("a/b/c/d", "")])]).is_ok());
    assert_limit(limits(), &[layer([file("a/b/c/d/e", "")])], "4 files");
    let links = layer([file("a/b/c", ""), hard_link("d", "a/b/c"), hard_link("e", "a/b/c")]);
    assert_limit(limits(), &[links], "4 files");
    assert_limit(limits(), &[layer([]), layer([]), layer([])], "2 layers");
    let empty = || vec![0; 1024];
    assert!(merge(limits(), &[empty(), empty()]).is_ok());
}

#[test]
fn names_that_are_gone_do_not_count() {
    let limits = Limits { names: 3, text: 6, ..Limits::default() };
    let layers: Vec<Vec<u8>> = (0..9)
        .map(|i| layer([dir("d"), file("d/.wh..wh..opq", ""), file(format!("d/{i}"), "x")]))
        .collect();
    assert!(merge(limits, &layers).is_ok());
}

#[test]
fn limits_of_bytes() {
    let bytes = |bytes| Limits { bytes, ..Limits::default() };
    let one = || layer([file("a", "x".repeat(1000))]);
    assert!(merge(bytes(512 + 1024 + 1024), &[one()]).is_ok());
    assert_limit(bytes(512 + 1024 + 1023), &[one()], "2559 bytes");
    assert_limit(bytes(3000), &[one(), one()], "440 bytes");
    // A hole of a sparse file takes no bytes in the layer, but in the image.
    let hole = |name: &str, size: u64| {
        let entry = file(name, "").record("GNU.sparse.major", "0").record("GNU.sparse.minor", "1");
        let entry = entry.record("GNU.sparse.numblocks", "0");
        entry.record("GNU.sparse.size", size.to_string())
    };
    let huge = layer([hole("a", 1 << 60)]);
    assert_limit(Limits::default(), &[huge], "1099511627776 bytes");
    assert!(merge(bytes(50_000), &[layer([hole("a", 40_000)])]).is_ok());
    let two = layer([hole("a", 40_000), hole("b", 40_000)]);
    assert_limit(bytes(50_000), &[two], "50000 bytes");
}

#[test]
fn limits_of_text() {
    let limits = || Limits { text: 1000, ..Limits::default() };
    let targets = |count| layer((0..count).map(|i| symlink(format!("{i}"), "t".repeat(99))));
    assert!(merge(limits(), &[targets(10)]).is_ok());
    assert_limit(limits(), &[targets(11)], "1000 bytes of names and links");
    let attributes =
        |count| layer((0..count).map(|i| file("a", "").xattr("user.a", vec![b'x'; 400 + i])));
    assert!(merge(limits(), &[attributes(2)]).is_ok());
    assert_limit(limits(), &[attributes(3)], "1000 bytes of extended attributes");
    // Equal attributes are in memory once.
    assert!(
        merge(limits(), &[layer((0..99).map(|_| file("a", "").xattr("user.a", vec![b'x'; 400])))])
            .is_ok()
    );
}

/// An entry that leads through 255 links, each to a long path. umoci follows about 500,000 names.
fn long_way() -> Vec<crate::support::entry::Entry> {
    let way = "t/../".repeat(800);
    let mut entries = vec![dir("t"), symlink("c0", format!("{way}t"))];
    entries.extend((1..255).map(|i| symlink(format!("c{i}"), format!("{way}c{}", i - 1))));
    entries
}

#[test]
fn the_work_of_following_links_is_bounded() {
    let long_ways = |count: usize| {
        let mut entries = long_way();
        entries.extend((0..count).map(|i| file(format!("c254/{i}"), "")));
        layer(entries)
    };
    assert!(merge(Limits::default(), &[long_ways(1)]).is_ok());
    let error = merge(Limits::default(), &[long_ways(10)]).expect_err("too much work");
    assert!(error.to_string().ends_with("leads through too many symbolic links"), "{error}");
}

#[test]
fn whiteouts_of_one_layer_walk_a_directory_once() {
    // Without that, this would take 400 million steps.
    let count = 20_000;
    let mut entries: Vec<_> = (0..count).map(|i| file(format!("d/{i}"), "")).collect();
    entries.extend((0..count).map(|_| file("d/.wh..wh..opq", "")));
    assert_eq!(merge(Limits::default(), &[layer(entries)]).expect("a tree"), count + 2);
}

#[test]
fn a_deep_tree_is_removed_without_recursion() {
    let deep = vec!["d"; 1990].join("/");
    let lower = layer([file(&deep, "x"), symlink("l", &deep)]);
    let upper = layer([file(".wh.d", ""), file("d", "y")]);
    assert!(merge(Limits::default(), &[lower, upper]).is_ok());
}

#[test]
fn memory_of_removed_files_is_used_again() {
    let layers: Vec<Vec<u8>> =
        (0..50).map(|_| layer((0..20).map(|i| file(format!("{i}"), format!("{i}"))))).collect();
    assert!(merge(Limits::default(), &layers).expect("a tree") <= 22);
}

/// A reader that fails after some bytes.
struct Fails(Vec<u8>);

impl Read for Fails {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::Error::other("the network is down"));
        }
        let count = self.0.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0.drain(..count);
        Ok(count)
    }
}

#[test]
fn errors_of_the_reader_and_the_sink_are_told_apart() {
    let bytes = file("a", "x".repeat(1000)).bytes();
    for end in [100, 512, 513, 1000, bytes.len()] {
        let mut merger = Merger::new(Limits::default(), NOW);
        let error = merger.layer(Fails(bytes[..end].to_vec()), &mut Contents::default());
        let error = error.expect_err("an error");
        assert!(matches!(error, Error::Read(_)), "after {end} bytes: {error:?}");
        assert!(error.to_string().ends_with("the network is down"), "{error}");
    }
    let mut merger = Merger::new(Limits::default(), NOW);
    let mut sink = Contents::default();
    sink.breaks_at = Some(0);
    let error = merger.layer(bytes.as_slice(), &mut sink).expect_err("an error");
    assert!(matches!(error, Error::Store(Broken)), "{error:?}");
}

#[test]
fn messages_show_a_bounded_part_of_a_path() {
    let name = format!("a\u{1b}[31m/{}", "d/".repeat(1000));
    let limits = Limits { path: 100, ..Limits::default() };
    let error = merge(limits, &[layer([file(name, "")])]).expect_err("a long path").to_string();
    assert!(error.starts_with("a\\x1b[31m/d/d/"), "{error}");
    assert!(error.len() < 250, "{error}");
}
