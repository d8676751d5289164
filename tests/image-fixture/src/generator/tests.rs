//! What the images of a few hundred seeds have, and what none of them has.

use super::image;
use crate::archive::{Entry, Kind};
use std::fs;
use std::process::Command;

const SEEDS: std::ops::Range<u64> = 0..400;

fn entries() -> impl Iterator<Item = Entry> {
    SEEDS.flat_map(|seed| image(seed).layers).flat_map(|layer| layer.entries)
}

/// The components of a path, without empty ones and those that stay in place.
fn components(path: &[u8]) -> Vec<&[u8]> {
    let all = path.split(|byte| *byte == b'/');
    all.filter(|name| !matches!(*name, b"" | b".")).collect()
}

#[test]
fn the_images_have_all_types_and_whiteouts() {
    let mut seen = [false; 10];
    for entry in entries() {
        let name = components(&entry.path).last().copied().unwrap_or_default().to_vec();
        let index = match entry.kind {
            Kind::File(_) if name == b".wh..wh..opq" => 0,
            Kind::File(_) if name.starts_with(b".wh.") => 1,
            Kind::File(_) => 2,
            Kind::Sparse(_) => 3,
            Kind::Directory => 4,
            Kind::Symlink(_) => 5,
            Kind::Hardlink(_) => 6,
            Kind::Fifo => 7,
            Kind::CharDevice(..) | Kind::BlockDevice(..) => 8,
            Kind::Other(..) => continue,
        };
        seen[index] = true;
        seen[9] |= !entry.xattrs.is_empty();
    }
    assert_eq!(seen, [true; 10]);
}

#[test]
fn no_path_climbs_and_no_link_redirects_the_files_of_a_runtime() {
    for entry in entries() {
        let mut depth = 0;
        for name in components(&entry.path) {
            depth += if name == b".." { -1 } else { 1 };
            assert!(depth >= 0, "{entry:?}");
        }
        if matches!(entry.kind, Kind::Symlink(_)) {
            let first = components(&entry.path)[0];
            let reserved = ["etc", "dev", "proc", "sys", "tmp", "var", "root", "home"];
            assert!(!reserved.iter().any(|name| name.as_bytes() == first), "{entry:?}");
            assert!(!first.starts_with(b".") || components(&entry.path).len() > 1, "{entry:?}");
        }
    }
}

/// An independent reader of archives accepts the headers of all formats.
#[test]
fn the_archives_are_valid() {
    let directory = tempfile::tempdir().unwrap();
    for seed in SEEDS.step_by(20) {
        for (number, layer) in image(seed).layers.iter().enumerate() {
            let path = directory.path().join("layer.tar");
            fs::write(&path, layer.archive()).unwrap();
            let output = Command::new("tar").arg("-tvf").arg(&path).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "seed {seed}, layer {number}: {errors}");
        }
    }
}

#[test]
fn every_form_of_a_layer_has_the_archive_in_it() {
    let directory = tempfile::tempdir().unwrap();
    for seed in SEEDS.step_by(20) {
        for layer in image(seed).layers {
            let path = directory.path().join("layer");
            let stored = layer.compression.apply(&layer.archive()).unwrap();
            fs::write(&path, &stored).unwrap();
            let program = match stored[..2] {
                [0x1f, 0x8b] => "gzip",
                [0x28, 0xb5] => "zstd",
                _ => "cat",
            };
            let flags: &[&str] = if program == "cat" { &[] } else { &["-dcq"] };
            let output = Command::new(program).args(flags).arg(&path).output().unwrap();
            assert!(output.stdout == layer.archive(), "seed {seed}: {:?}", layer.compression);
        }
    }
}
