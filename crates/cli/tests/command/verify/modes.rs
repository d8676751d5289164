//! Write and read permission.

use crate::tree::{Tree, mode};
use std::fs;
use std::os::unix::fs::{chown, symlink};

#[test]
fn writable_by_users() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.path("root/o/good:1");
    mode(&file, 0o646);
    let line = tree.problem("untrusted", "root/o/good:1");
    assert!(line.ends_with(": can be written by everybody: chmod go-w"), "{line}");
    mode(&file, 0o664);
    let line = tree.problem("untrusted", "root/o/good:1");
    assert!(line.ends_with(": can be written by the group 0 or by an ACL: chmod g-w"), "{line}");
    mode(&file, 0o644);
    chown(&file, Some(1001), None).unwrap();
    let line = tree.problem("untrusted", "root/o/good:1");
    assert!(line.ends_with(": belongs to the ordinary user 1001: chown it to root"), "{line}");
    assert_eq!(tree.run(&["--untrusted", "accept"]).status, Some(0));
}

/// A directory is reported once, with the number of files that jobs cannot use because of it.
#[test]
fn a_directory_writable_by_users() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/o/good:2", 2);
    for directory in ["root/o", "root"] {
        mode(&tree.path(directory), 0o777);
        let line = tree.problem("untrusted", directory);
        let message = ": can be written by everybody, so jobs do not get 2 files: chmod go-w";
        assert!(line.ends_with(message), "{line}");
        mode(&tree.path(directory), 0o755);
    }
    // The directory that the link leads to is not safe, so neither are its files.
    tree.image("open/i:3", 3);
    mode(&tree.path("open"), 0o757);
    symlink(tree.path("open/i:3"), tree.path("root/o/good:3")).unwrap();
    tree.problem("untrusted", "open");
}

#[test]
fn an_empty_root_that_users_can_write_or_not_read() {
    let Some(tree) = Tree::new() else { return };
    fs::remove_dir_all(tree.path("root/o")).unwrap();
    mode(&tree.path("root"), 0o1777);
    tree.problem("untrusted", "root");
    mode(&tree.path("root"), 0o700);
    tree.problem("unreadable-for-users", "root");
}

#[test]
fn unreadable_for_users() {
    let Some(tree) = Tree::new() else { return };
    let (file, directory) = (tree.path("root/o/good:1"), tree.path("root/o"));
    mode(&file, 0o600);
    let line = tree.problem("unreadable-for-users", "root/o/good:1");
    assert!(line.ends_with(": users may not read it: chmod a+r"), "{line}");
    assert!(tree.found_as("root/o/good:1").is_empty());
    mode(&file, 0o640);
    let line = tree.problem("unreadable-for-users", "root/o/good:1");
    assert!(line.contains(": users may not read it, only the group 0: "), "{line}");
    mode(&file, 0o644);
    mode(&directory, 0o700);
    let line = tree.problem("unreadable-for-users", "root/o");
    assert!(
        line.ends_with("users may not read it, so jobs do not get 1 file: chmod a+rx"),
        "{line}"
    );
    // Names can be looked up in such a directory, although it cannot be listed.
    mode(&directory, 0o711);
    tree.is_fine();
    mode(&tree.path(""), 0o700);
    tree.problem("unreadable-for-users", "");
    mode(&tree.path(""), 0o755);
}

/// Such permissions can be intended, for example for licensed software.
#[test]
fn open_to_a_group_of_users() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.path("root/o/good:1");
    mode(&file, 0o640);
    chown(&file, None, Some(1005)).unwrap();
    let line = tree.note("group-only", "root/o/good:1");
    assert!(line.ends_with(": note: accessible only to the group 1005"), "{line}");
    assert_eq!(tree.found_as("root/o/good:1"), ["o/good:1"]);
}
