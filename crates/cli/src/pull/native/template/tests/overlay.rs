//! What the runtime adds to images of different shapes, with a recorded template.

use super::super::overlay::Error;
use super::{ROOT, USER, recorded};
use crate::pull::native::template::deduce::Discard;
use sifcache_squashfs::tree::{Inode, InodeId, Kind, Metadata, Names, Tree};

const NOW: u32 = 1_700_000_000;

/// An image with a root directory only.
fn empty() -> Tree {
    Tree::new(Metadata { mode: 0o755, mtime: 1, ..Metadata::default() })
}

fn add(tree: &mut Tree, directory: &str, name: &str, mode: u16, kind: Kind) -> InodeId {
    let directory = find(tree, directory).unwrap();
    let metadata = Metadata { mode, uid: 3, gid: 4, mtime: 1, ..Metadata::default() };
    let id = tree.add(Inode { metadata, kind }).unwrap();
    tree.names_mut(directory).unwrap().insert(name.as_bytes().into(), id);
    id
}

fn directory() -> Kind {
    Kind::Directory(Names::new())
}

fn link(target: &str) -> Kind {
    Kind::Symlink(target.as_bytes().into())
}

fn plain() -> Kind {
    Kind::File { size: 0, content: None }
}

fn find(tree: &Tree, path: &str) -> Option<InodeId> {
    tree.lookup(path.split('/').filter(|name| !name.is_empty()).map(str::as_bytes))
}

fn metadata<'a>(tree: &'a Tree, path: &str) -> &'a Metadata {
    &tree.get(find(tree, path).unwrap_or_else(|| panic!("{path}"))).unwrap().metadata
}

/// The path that cannot be added for a user, if any.
fn laid_over(recorded_template: &[u8], tree: &mut Tree) -> Option<String> {
    match recorded(recorded_template).lay_over(tree, NOW, &mut Discard) {
        Ok(()) => None,
        Err(Error::Unsupported { path, .. }) => Some(String::from_utf8(path).unwrap()),
        Err(Error::Store(never)) => match never {},
    }
}

#[test]
fn an_empty_image_gets_everything() {
    let mut tree = empty();
    tree.get_mut(Tree::ROOT).unwrap().metadata.mode = 0o555;
    assert_eq!(laid_over(USER, &mut tree), None);
    assert_eq!((metadata(&tree, "").mode, metadata(&tree, "").mtime), (0o755, NOW));
    for (path, mode) in [("etc", 0o755), ("var/tmp", 0o755), ("etc/hosts", 0o644)] {
        let metadata = metadata(&tree, path);
        assert_eq!((metadata.mode, metadata.uid, metadata.mtime), (mode, 0, NOW), "{path}");
    }
    let target = &tree.get(find(&tree, "singularity").unwrap()).unwrap().kind;
    assert_eq!(target, &link(".singularity.d/runscript"));
}

#[test]
fn what_the_image_has_is_kept() {
    let mut tree = empty();
    add(&mut tree, "", "tmp", 0o1777, directory());
    add(&mut tree, "", "real", 0o2710, directory());
    add(&mut tree, "", "var", 0o777, link("real"));
    add(&mut tree, "", "etc", 0o700, directory());
    add(&mut tree, "etc", "resolv.conf", 0o777, link("../made"));
    add(&mut tree, "etc", "hosts", 0o600, plain());
    assert_eq!(laid_over(ROOT, &mut tree), None);
    assert_eq!((metadata(&tree, "tmp").mode, metadata(&tree, "tmp").mtime), (0o1777, 1));
    // A directory in a setgid directory has its group and this bit.
    let inner = metadata(&tree, "real/tmp");
    assert_eq!((inner.mode, inner.uid, inner.gid), (0o2755, 0, 4));
    assert_eq!((metadata(&tree, "real").mtime, metadata(&tree, "etc").mtime), (NOW, 1));
    // The link is followed, and its target is made.
    assert_eq!((metadata(&tree, "made").mode, metadata(&tree, "made").uid), (0o644, 0));
    let hosts = metadata(&tree, "etc/hosts");
    assert_eq!((hosts.mode, hosts.uid, hosts.mtime), (0o644, 3, NOW));
}

#[test]
fn unusual_images_are_left_to_the_runtime() {
    let cases: [(&str, &str, &str, Kind); 9] = [
        (".singularity.d", "", ".singularity.d", directory()),
        ("scif", "", "scif", directory()),
        ("environment", "", "environment", plain()),
        (".run", "", ".run", link(".singularity.d/actions/run")),
        ("proc", "", "proc", plain()),
        ("home", "", "home", link("/data/home")),
        ("home", "", "home", link("missing")),
        ("etc/hosts", "etc", "hosts", Kind::Fifo),
        ("etc/resolv.conf", "etc", "resolv.conf", link("/run/resolv.conf")),
    ];
    for (refused, parent, name, kind) in cases {
        let mut tree = empty();
        add(&mut tree, "", "etc", 0o755, directory());
        add(&mut tree, parent, name, 0o755, kind.clone());
        assert_eq!(laid_over(ROOT, &mut tree).as_deref(), Some(refused), "{kind:?}");
    }
}

#[test]
fn a_user_cannot_write_everywhere() {
    let image = || {
        let mut tree = empty();
        add(&mut tree, "", "etc", 0o555, directory());
        tree
    };
    assert_eq!(laid_over(ROOT, &mut image()), None);
    assert_eq!(laid_over(USER, &mut image()).as_deref(), Some("etc/hosts"));
    let image = |mode, hosts| {
        let mut tree = empty();
        add(&mut tree, "", "etc", mode, directory());
        add(&mut tree, "etc", "hosts", hosts, plain());
        add(&mut tree, "etc", "resolv.conf", 0o644, plain());
        tree
    };
    // Files become writable, and no name is added to this directory.
    assert_eq!(laid_over(USER, &mut image(0o555, 0o444)), None);
    assert_eq!(laid_over(ROOT, &mut image(0o600, 0o644)), None);
    assert_eq!(laid_over(USER, &mut image(0o600, 0o644)).as_deref(), Some("etc"));
}
