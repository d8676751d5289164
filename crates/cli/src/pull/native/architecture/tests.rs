use super::{Code, Error, find};
use sifcache_squashfs::tree::{ContentId, Inode, Kind, Metadata, Names, Tree};
use std::collections::BTreeMap;

const AMD64: &Code = b"02";
const ARM64: &Code = b"04";

/// The first bytes of a program for a 64-bit little-endian machine.
fn elf(machine: u16) -> Vec<u8> {
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(64, 0);
    head[18..20].copy_from_slice(&machine.to_le_bytes());
    head[20] = 1;
    head
}

/// An image with files `(path, mode, content)`. A content that begins with `>` is the target of a
/// symbolic link.
fn find_in(files: &[(&str, u16, &[u8])], privileged: bool) -> Result<Option<Code>, Error> {
    let mut tree = Tree::new(Metadata { mode: 0o755, ..Metadata::default() });
    let mut contents = BTreeMap::new();
    for (number, (path, mode, content)) in (0..).zip(files) {
        let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut directory = Tree::ROOT;
        for name in directories.split('/').filter(|name| !name.is_empty()) {
            let known = tree.names(directory).unwrap().get(name.as_bytes()).copied();
            directory = known.unwrap_or_else(|| {
                add(&mut tree, directory, name, 0o755, Kind::Directory(Names::new()))
            });
        }
        let kind = match content.strip_prefix(b">") {
            Some(target) => Kind::Symlink(target.into()),
            None if *mode == 0 => Kind::Directory(Names::new()),
            None => {
                contents.insert(ContentId(number), content.to_vec());
                Kind::File { size: content.len() as u64, content: Some(ContentId(number)) }
            }
        };
        add(&mut tree, directory, name, *mode, kind);
    }
    let head = |id| contents.get(&id).map(|c: &Vec<u8>| &**c).filter(|c| c.starts_with(b"\x7fELF"));
    find(&tree, privileged, &head)
}

fn add(
    tree: &mut Tree,
    directory: sifcache_squashfs::tree::InodeId,
    name: &str,
    mode: u16,
    kind: Kind,
) -> sifcache_squashfs::tree::InodeId {
    let id = tree.add(Inode { metadata: Metadata { mode, ..Metadata::default() }, kind }).unwrap();
    tree.names_mut(directory).unwrap().insert(name.as_bytes().into(), id);
    id
}

#[test]
fn the_shell_decides() {
    let (amd64, arm64) = (&*elf(62), &*elf(183));
    let files = [("a", 0o755, arm64), ("bin/sh", 0o644, amd64)];
    assert_eq!(find_in(&files, true), Ok(Some(*AMD64)));
    let links: [(&str, u16, &[u8]); 4] = [
        ("a", 0o755, arm64),
        ("bin", 0o777, b">../../usr/./bin/"),
        ("usr/bin/sh", 0o777, b">/bin/../bin/busybox"),
        ("usr/bin/busybox", 0o755, amd64),
    ];
    assert_eq!(find_in(&links, true), Ok(Some(*AMD64)));
    assert_eq!(find_in(&[("bin/sh", 0o777, b">sh")], true), Err(Error::TooManyLinks));
}

#[test]
fn without_a_shell_the_first_program_decides() {
    let (amd64, arm64, sparc) = (&*elf(62), &*elf(183), &*elf(43));
    let files = [
        ("bin/sh", 0o755, b"#!/bin/false".as_slice()),
        ("a/library", 0o644, amd64),
        ("a/short", 0o755, b"\x7fELF"),
        ("b.x", 0o755, arm64),
        ("b/x", 0o755, amd64),
    ];
    // The walk sorts the names in each directory, so b comes before b.x.
    assert_eq!(find_in(&files, true), Ok(Some(*AMD64)));
    assert_eq!(find_in(&files[..4], true), Ok(Some(*ARM64)));
    assert_eq!(find_in(&files[..3], true), Ok(None));
    assert_eq!(find_in(&[("a", 0o755, sparc), ("b", 0o755, amd64)], true), Ok(None));
    assert_eq!(find_in(&[("bin/sh", 0o755, sparc), ("bin/x", 0o755, amd64)], true), Ok(None));
    assert_eq!(find_in(&[("bin/sh", 0o755, sparc), ("a", 0o755, amd64)], true), Ok(Some(*AMD64)));
    assert_eq!(find_in(&[("bin/sh", 0o755, &*elf(258))], true), Err(Error::NewArchitecture));
}

#[test]
fn a_user_skips_what_only_root_can_read() {
    let (amd64, arm64) = (&*elf(62), &*elf(183));
    let files = [("a", 0o111, arm64), ("b", 0o755, amd64)];
    assert_eq!(find_in(&files, true), Ok(Some(*ARM64)));
    assert_eq!(find_in(&files, false), Ok(Some(*AMD64)));
}

#[test]
fn invalid_headers_are_skipped() {
    let valid = elf(62);
    assert_eq!(find_in(&[("bin/sh", 0o755, &valid)], true), Ok(Some(*AMD64)));
    // The byte that changes, and its new value: class, byte order, two versions, a table without
    // sections, and tables of sections and programs that the file does not contain.
    for (at, value) in [(4, 3), (5, 0), (6, 2), (20, 2), (40, 1), (60, 1), (56, 1)] {
        let mut invalid = valid.clone();
        invalid[at] = value;
        assert_eq!(find_in(&[("bin/sh", 0o755, &invalid)], true), Ok(None), "{at}");
    }
    assert_eq!(find_in(&[("bin/sh", 0o755, &valid[..63])], true), Ok(None));
}
