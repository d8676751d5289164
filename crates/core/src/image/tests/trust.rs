//! Links, and entries that ordinary users could replace.

use super::super::{Root, State};
use super::{TestRoot, check, mode, sif};
use crate::settings::Untrusted;
use crate::trust::Writer;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};

#[test]
fn links() {
    let Some(root) = TestRoot::new() else { return };
    let elsewhere = TestRoot::new().unwrap();
    let image = elsewhere.file("a/real.sif", &sif());
    root.file("o/i:1", &sif());
    let link = |target: &Path, name: &str| symlink(target, root.path().join(name)).unwrap();
    link(Path::new("i:1"), "o/i:relative");
    link(Path::new("../o/i:1"), "o/i:up");
    link(&image, "absolute");
    link(Path::new("absolute"), "twice");
    link(&elsewhere.path().join("a"), "directory");
    link(Path::new("nowhere"), "dangling");
    link(Path::new("loop"), "loop");
    for untrusted in [Untrusted::Refuse, Untrusted::Accept] {
        let check = |name: &str| check(root.path(), untrusted, name);
        for name in ["o/i:relative", "o/i:up", "absolute", "twice", "directory/real.sif"] {
            assert_eq!(check(name), State::Image, "{name} {untrusted:?}");
        }
        assert_eq!(check("dangling"), State::DanglingLink);
        assert_eq!(check("loop"), State::DanglingLink);
    }
}

/// A root that is itself a link is treated like the target of the link.
#[test]
fn a_root_behind_a_link() {
    let Some(root) = TestRoot::new() else { return };
    let elsewhere = TestRoot::new().unwrap();
    elsewhere.file("x", &sif());
    let link = root.path().join("link");
    symlink(elsewhere.path(), &link).unwrap();
    assert_eq!(check(&link, Untrusted::Refuse, "x"), State::Image);
    mode(elsewhere.path(), 0o1777);
    let state = check(&link, Untrusted::Refuse, "x");
    assert!(matches!(state, State::Untrusted(_)), "{state:?}");
}

fn writer(state: &State) -> Option<(PathBuf, Writer)> {
    match state {
        State::Untrusted(reason) => Some((reason.path.clone(), reason.by)),
        _ => None,
    }
}

#[test]
fn entries_writable_by_ordinary_users_are_untrusted() {
    let Some(root) = TestRoot::new() else { return };
    let file = root.file("o/i:1", &sif());
    let directory = root.path().join("o");
    for path in [root.path(), &directory, &file] {
        let normal = fs::metadata(path).unwrap().permissions();
        for (bits, by) in [(0o777, Writer::Others), (0o1757, Writer::Others)] {
            mode(path, bits);
            assert_eq!(writer(&root.check("o/i:1")), Some((path.to_owned(), by)));
        }
        // An ACL shows only in these bits, so they count for root's own group, too.
        for gid in [0, 4, 1234] {
            mode(path, 0o775);
            chown(path, None, Some(gid)).unwrap();
            assert_eq!(writer(&root.check("o/i:1")), Some((path.to_owned(), Writer::Group(gid))));
        }
        fs::set_permissions(path, normal).unwrap();
        assert_eq!(root.check("o/i:1"), State::Image, "another group may read");
        chown(path, Some(1000), Some(0)).unwrap();
        assert_eq!(writer(&root.check("o/i:1")), Some((path.to_owned(), Writer::Owner(1000))));
        chown(path, Some(999), None).unwrap();
        assert_eq!(root.check("o/i:1"), State::Image, "a system account may own it");
        chown(path, Some(0), None).unwrap();
    }
    mode(root.path(), 0o777);
    assert_eq!(check(root.path(), Untrusted::Accept, "o/i:1"), State::Image);
}

#[test]
fn problems_of_the_root_itself() {
    let Some(root) = TestRoot::new() else { return };
    let problem = |path: &Path, untrusted| Root::enter(path, untrusted).problem();
    assert_eq!(problem(root.path(), Untrusted::Refuse), None);
    mode(root.path(), 0o777);
    let state = problem(root.path(), Untrusted::Refuse).unwrap();
    assert_eq!(writer(&state), Some((root.path().to_owned(), Writer::Others)));
    assert_eq!(root.check("absent"), State::Absent, "an absent file is not refused");
    assert_eq!(problem(root.path(), Untrusted::Accept), None);
    let nowhere = root.path().join("nowhere");
    for untrusted in [Untrusted::Accept, Untrusted::Refuse] {
        assert_eq!(problem(&nowhere, untrusted), Some(State::Absent));
    }
}

/// A link in a trusted root does not make its target trusted.
#[test]
fn links_into_what_users_write() {
    let Some(root) = TestRoot::new() else { return };
    let home = TestRoot::new().unwrap();
    let image = home.file("evil.sif", &sif());
    symlink(&image, root.path().join("x")).unwrap();
    assert_eq!(root.check("x"), State::Image);
    chown(home.path(), Some(1001), None).unwrap();
    assert_eq!(writer(&root.check("x")), Some((home.path().to_owned(), Writer::Owner(1001))));
    chown(home.path(), Some(0), None).unwrap();
    mode(home.path(), 0o777);
    assert_eq!(writer(&root.check("x")), Some((home.path().to_owned(), Writer::Others)));
    mode(home.path(), 0o1777);
    assert_eq!(root.check("x"), State::Image, "sticky: existing files cannot be replaced");
    chown(&image, Some(1001), None).unwrap();
    assert_eq!(writer(&root.check("x")), Some((image, Writer::Owner(1001))));
}

/// In a sticky directory, the owner of a link can replace it.
#[test]
fn links_that_users_own() {
    let Some(root) = TestRoot::new() else { return };
    let scratch = TestRoot::new().unwrap();
    let image = scratch.file("real.sif", &sif());
    let link = scratch.path().join("link");
    symlink(&image, &link).unwrap();
    symlink(&link, root.path().join("x")).unwrap();
    mode(scratch.path(), 0o1777);
    assert_eq!(root.check("x"), State::Image);
    std::os::unix::fs::lchown(&link, Some(1001), None).unwrap();
    assert_eq!(writer(&root.check("x")), Some((link, Writer::Owner(1001))));
}

/// A missing file in a linked directory is reported as absent, not as a dangling link.
#[test]
fn absent_behind_a_link() {
    let Some(root) = TestRoot::new() else { return };
    fs::create_dir(root.path().join("real")).unwrap();
    symlink("real", root.path().join("o")).unwrap();
    for untrusted in [Untrusted::Refuse, Untrusted::Accept] {
        assert_eq!(check(root.path(), untrusted, "o/i:1"), State::Absent);
    }
}
