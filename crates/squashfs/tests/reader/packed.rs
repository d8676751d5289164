//! Trees that the real mksquashfs packed, read and compared with the source tree.

use crate::support::{Source, open, pack};
use sifcache_squashfs::listing::{Line, listing};
use sifcache_squashfs::reader::{Damage, Reader};

fn check(reader: &Reader) -> Result<u64, Damage> {
    let mut bytes = 0;
    reader.check_all(&mut |more| {
        bytes += more;
        Ok(())
    })?;
    Ok(bytes)
}

/// Packs the source and compares the result.
#[track_caller]
fn same(source: &Source, options: &[&str]) {
    let packed = pack(source, options);
    let reader = open(&packed.path);
    let found: Vec<String> = listing(&reader).unwrap().iter().map(Line::to_string).collect();
    let expected: Vec<String> = source.listing().iter().map(Line::to_string).collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "{options:?}");
    }
    assert_eq!(found.len(), expected.len(), "{options:?}");
    let bytes = check(&reader).unwrap();
    assert!(bytes > 0 && bytes < reader.used(), "{options:?}: {bytes}");
}

#[test]
fn every_compression() {
    let source = Source::everything();
    for compression in ["gzip", "xz", "lz4", "zstd"] {
        same(&source, &["-comp", compression]);
    }
}

#[test]
fn every_layout() {
    let source = Source::everything();
    for options in [
        &["-b", "4096"] as &[&str],
        &["-b", "1048576"],
        &["-no-fragments"],
        &["-always-use-fragments", "-b", "65536"],
        &["-noI", "-noX"],
        &["-noD", "-noF"],
        &["-no-exports", "-no-duplicates"],
        &["-nopad"],
    ] {
        same(&source, &[&["-comp", "gzip"], options].concat());
    }
}

/// Directories whose names need an index, and more inodes than a metadata block has.
#[test]
fn many_names() {
    same(&Source::many(), &["-comp", "zstd"]);
}

/// sqfstar makes up the root directory, so only the paths below are compared.
#[test]
fn of_sqfstar() {
    let source = Source::many();
    let packed = source.sqfstar(&["-comp", "zstd", "-b", "16384"]);
    let reader = open(&packed.path);
    let found: Vec<String> = listing(&reader).unwrap().iter().map(Line::to_string).collect();
    let expected: Vec<String> = source.listing().iter().map(Line::to_string).collect();
    assert_eq!(found[1..], expected[1..]);
    check(&reader).unwrap();
}

#[test]
fn a_compression_without_support() {
    let packed = pack(&Source::small(), &["-comp", "lzo"]);
    let reader = open(&packed.path);
    assert!(matches!(check(&reader), Err(Damage::Unsupported("lzo"))));
    assert!(matches!(reader.tree(), Err(Damage::Unsupported("lzo"))));
}
