//! Random trees survive being written and extracted.

use crate::content::Content;
use crate::image::{Image, options, xattrs};
use crate::readers::extract;
use crate::walk::assert_same;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::tree::{Device, Kind, Metadata, Tree};
use sifcache_squashfs::writer::Options;

/// A step in the making of a tree.
#[derive(Debug, Clone)]
enum Step {
    Directory,
    File(Content),
    Other(Kind),
    /// One more name for an earlier inode.
    Link(Index),
    /// An earlier file loses its name.
    Hide(Index),
}

fn content() -> impl Strategy<Value = Content> {
    let length = prop_oneof![0..200_usize, 4090..4100_usize, 0..30_000_usize];
    (0..4_u8, 0..4_u64, length).prop_map(|(kind, seed, length)| match kind {
        0 => Content::Text(seed, length),
        1 => Content::Random(seed, length),
        2 => Content::Zeros(length),
        _ => Content::Mixed(seed, length),
    })
}

fn other() -> impl Strategy<Value = Kind> {
    let device = (0..4096_u32, 0..1_u32 << 20).prop_map(|(major, minor)| Device { major, minor });
    prop_oneof![
        "[a-z/.]{1,300}".prop_map(|target| Kind::Symlink(target.into_bytes().into())),
        device.clone().prop_map(Kind::BlockDevice),
        device.prop_map(Kind::CharDevice),
        Just(Kind::Fifo),
        Just(Kind::Socket),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Directory),
        6 => content().prop_map(Step::File),
        2 => other().prop_map(Step::Other),
        1 => any::<Index>().prop_map(Step::Link),
        2 => any::<Index>().prop_map(Step::Hide),
    ]
}

fn any_metadata() -> impl Strategy<Value = Metadata> {
    let id = select(vec![0, 1, 1000, 65_534, 100_000, u32::MAX - 1]);
    let set = select(vec![0, 0, 0, 1, 2, 3_usize]);
    (0..0o10000_u16, id.clone(), id, 0..i32::MAX, set).prop_map(|(mode, uid, gid, mtime, set)| {
        let all: [(&str, &[u8]); 3] =
            [("trusted.one", b""), ("trusted.two", b"2"), ("security.three", &[3; 300])];
        Metadata { mode, uid, gid, mtime: mtime.unsigned_abs(), xattrs: xattrs(&all[..set]) }
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let short = prop::collection::vec(select(b"abc.-\xc3\xff\n".to_vec()), 1..4);
    let long = prop::collection::vec(select(b"xy\xfe".to_vec()), 1..256);
    prop_oneof![8 => short, 1 => long].prop_filter("reserved", |name| name != b"." && name != b"..")
}

fn build(
    compression: Compression,
    steps: Vec<(Step, Index, Vec<u8>, Metadata)>,
) -> crate::image::Written {
    let mut image = Image::new(Options { block_size: 4096, ..options(compression) });
    let mut directories = vec![Tree::ROOT];
    let mut others = Vec::new();
    for (step, parent, name, metadata) in steps {
        let parent = *parent.get(&directories);
        if image.tree.names(parent).is_some_and(|names| names.contains_key(&name[..])) {
            continue;
        }
        match step {
            Step::Directory => directories.push(image.directory(parent, &name, metadata)),
            Step::File(content) => {
                let id = image.file(parent, &name, metadata, &content.bytes());
                others.push((parent, name, id));
            }
            Step::Other(kind) => {
                let id = image.add(parent, &name, metadata, kind);
                others.push((parent, name, id));
            }
            Step::Link(_) | Step::Hide(_) if others.is_empty() => {}
            Step::Link(index) => {
                let id = index.get(&others).2;
                image.link(parent, &name, id);
            }
            Step::Hide(index) => {
                let (parent, name, id) = others.swap_remove(index.index(others.len()));
                // Only the last name takes the content with it.
                let has_links =
                    directories.iter().filter_map(|directory| image.tree.names(*directory));
                match has_links
                    .flat_map(|names| names.values())
                    .filter(|other| **other == id)
                    .count()
                {
                    1 => image.hide(parent, &name),
                    _ => drop(image.tree.names_mut(parent).unwrap().remove(&name[..])),
                }
            }
        }
    }
    image.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_tree_survives(
        compression in select(vec![Compression::GZIP, Compression::ZSTD]),
        steps in prop::collection::vec((step(), any::<Index>(), name(), any_metadata()), 0..60),
    ) {
        let image = build(compression, steps);
        let (_directory, files) = extract(&image.path());
        assert_same(&files, &image.files);
    }
}

#[test]
fn an_empty_tree_is_valid() {
    let image = Image::new(options(Compression::GZIP)).finish().unwrap();
    let (_directory, files) = extract(&image.path());
    assert_same(&files, &image.files);
    assert_eq!((files.len(), image.size()), (1, 4096));
}
