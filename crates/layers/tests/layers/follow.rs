//! Paths as the kernel follows them in an unpacked root file system.

use crate::support::entry::{dir, file, symlink};
use crate::support::{layer, merge_bytes};
use sifcache_layers::follow::{Followed, follow};
use sifcache_squashfs::tree::{InodeId, Tree};

fn tree() -> Tree {
    let mut entries = vec![
        dir("etc"),
        file("etc/hosts", "h"),
        dir("run/resolve"),
        symlink("etc/resolv.conf", "../run/resolve/stub.conf"),
        symlink("etc/h", "hosts"),
        symlink("var", "run"),
        symlink("absolute", "/etc/hosts"),
        symlink("up", "../etc"),
        symlink("loop", "loop"),
        symlink("dangling", "no/where"),
        symlink("c0", "etc"),
    ];
    entries.extend((1..41).map(|i| symlink(format!("c{i}"), format!("c{}", i - 1))));
    merge_bytes(&[layer(entries)]).expect("a tree").0.tree
}

fn id(tree: &Tree, path: &str) -> InodeId {
    tree.lookup(path.split('/').map(str::as_bytes)).expect("a file")
}

#[test]
fn files_and_directories_are_found_through_relative_links() {
    let tree = tree();
    let to = |path: &str| follow(&tree, path.as_bytes()).expect("a path in the image");
    assert_eq!(to(""), Followed::Existing(Tree::ROOT));
    assert_eq!(to("/etc/hosts"), Followed::Existing(id(&tree, "etc/hosts")));
    assert_eq!(to("etc/./h"), Followed::Existing(id(&tree, "etc/hosts")));
    assert_eq!(to("var/../etc//h"), Followed::Existing(id(&tree, "etc/hosts")));
    assert_eq!(to("var/resolve/"), Followed::Existing(id(&tree, "run/resolve")));
    assert_eq!(to("c39"), Followed::Existing(id(&tree, "etc")));
}

#[test]
fn a_missing_file_is_created_where_a_link_leads() {
    let tree = tree();
    let to = |path: &str| follow(&tree, path.as_bytes()).expect("a path in the image");
    let missing = |parent: &str, name: &str| Followed::Missing {
        parent: id(&tree, parent),
        name: name.as_bytes().into(),
    };
    assert_eq!(to("etc/resolv.conf"), missing("run/resolve", "stub.conf"));
    assert_eq!(to("var/tmp"), missing("run", "tmp"));
    assert_eq!(to("var/tmp/"), missing("run", "tmp"));
    assert_eq!(to("new"), Followed::Missing { parent: Tree::ROOT, name: (*b"new").into() });
    for nowhere in ["no/file", "dangling", "etc/hosts/x", "etc/hosts/", "etc/hosts/..", "new/."] {
        assert_eq!(to(nowhere), Followed::Nowhere, "{nowhere}");
    }
    assert_eq!(to(&"n".repeat(256)), Followed::Nowhere);
}

#[test]
fn links_that_lead_out_of_the_image_are_left_to_the_runtime() {
    let tree = tree();
    for path in ["absolute", "up/hosts", "loop", "..", "etc/../..", "c40"] {
        let reason = follow(&tree, path.as_bytes()).expect_err("a refusal").to_string();
        assert!(reason.starts_with(&format!("{path}: a symbolic link")), "{reason}");
    }
}
