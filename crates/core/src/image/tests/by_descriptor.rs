//! Which cases the short way decides by itself. The tests of the states compare it with the checks
//! by path.

use super::super::by_descriptor::{Entered, Found, SystemCalls, Tree};
use super::super::visit::Visit;
use super::{CALLS, TestRoot, mode, sif};
use crate::settings::Untrusted::{self, Accept, Refuse};
use std::cell::RefCell;
use std::ffi::{CStr, c_int};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

thread_local! {
    /// The names that were opened.
    static OPENED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn recorded(directory: &File, name: &CStr, flags: c_int) -> io::Result<File> {
    OPENED.with_borrow_mut(|opened| opened.push(name.to_str().unwrap().to_owned()));
    (CALLS.open_at)(directory, name, flags)
}

const RECORDED: SystemCalls = SystemCalls { open_at: recorded, ..CALLS };

fn entered(root: &Path, untrusted: Untrusted) -> &'static str {
    match Tree::enter(root, untrusted, CALLS) {
        Entered::Root(_) => "root",
        Entered::Missing => "missing",
        Entered::Unclear => "unclear",
    }
}

fn found(root: &Path, untrusted: Untrusted, name: &str) -> &'static str {
    let Entered::Root(mut tree) = Tree::enter(root, untrusted, RECORDED) else { return "no root" };
    match tree.find(name) {
        Found::Absent => "absent",
        Found::File(..) => "file",
        Found::Unclear => "unclear",
    }
}

#[test]
fn the_usual_case() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    root.file("i:1", &sif());
    for untrusted in [Refuse, Accept] {
        for name in ["o/i:1", "i:1"] {
            assert_eq!(found(root.path(), untrusted, name), "file", "{name}");
        }
        for name in ["o/none", "none/i:1", "none", "a/b/c/d"] {
            assert_eq!(found(root.path(), untrusted, name), "absent", "{name}");
        }
        let slash = format!("{}/", root.path().display());
        assert_eq!(entered(Path::new(&slash), untrusted), "root");
    }
}

/// Below a directory that does not exist, nothing is opened.
#[test]
fn each_directory_is_opened_once() {
    let Some(root) = TestRoot::new() else { return };
    root.file("q.io/o/i:1", &sif());
    let mut visit = Visit::new(root.path(), Refuse, Some(RECORDED));
    let names = ["q.io/o/i:2", "q.io/o/i:2.sif", "none/o/i:1", "none/o/i:1.sif", "q.io/o/i:1"];
    let states = names.map(|name| visit.check(name, None).token());
    assert_eq!(states, ["absent", "absent", "absent", "absent", "image"]);
    let opened = OPENED.take().join(" ");
    assert_eq!(opened, "q.io o i:2 i:2.sif none q.io o i:1");
}

/// Everything else is left to the checks by path.
#[test]
fn unclear_cases() {
    let Some(root) = TestRoot::new() else { return };
    let file = root.file("o/i:1", &sif());
    fs::create_dir(root.path().join("o/directory")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(root.path().join("o/fifo"))
            .status()
            .unwrap()
            .success()
    );
    symlink("i:1", root.path().join("o/link")).unwrap();
    symlink("o", root.path().join("link")).unwrap();
    let names =
        ["o/directory", "o/fifo", "o/link", "link/i:1", "o/i:1/x", "../x", "./o", "o//i:1", "o\0"];
    for untrusted in [Refuse, Accept] {
        for name in names {
            assert_eq!(found(root.path(), untrusted, name), "unclear", "{name:?} {untrusted:?}");
        }
        assert_eq!(entered(&file, untrusted), "unclear");
        assert_eq!(entered(&root.path().join("o/.."), untrusted), "unclear");
        assert_eq!(entered(Path::new("relative"), untrusted), "unclear");
    }
}

/// A problem of the root, such as an error of its file system, is then the state of all candidates.
#[test]
fn after_an_unclear_case_all_candidates_are_checked_by_path() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    symlink("none", root.path().join("o/link")).unwrap();
    let mut visit = Visit::new(root.path(), Refuse, Some(RECORDED));
    let states = ["o/link", "none", "o/i:1"].map(|name| visit.check(name, None).token());
    assert_eq!(states, ["dangling-link", "absent", "image"]);
    assert_eq!(OPENED.take(), ["o", "link"]);
}

/// A file is opened only in directories that no ordinary user can write; otherwise it could be one
/// whose opening has side effects.
#[test]
fn directories_that_users_write() {
    let Some(root) = TestRoot::new() else { return };
    let file = root.file("q.io/o/i:1", &sif());
    let of_user = |untrusted| found(root.path(), untrusted, "q.io/o/i:1");
    let [registry, directory] = ["q.io", "q.io/o"].map(|name| root.path().join(name));
    for bits in [0o777, 0o1777, 0o775] {
        for path in [root.path(), &registry, &directory] {
            mode(path, bits);
            OPENED.take();
            assert_eq!(of_user(Refuse), "unclear");
            assert!(!OPENED.take().contains(&"i:1".to_owned()));
            assert_eq!(of_user(Accept), "file");
            mode(path, 0o755);
        }
        mode(&file, bits);
        assert_eq!(of_user(Refuse), "unclear");
        mode(&file, 0o644);
    }
    for path in [&registry, &directory, &file] {
        chown(path, Some(1001), None).unwrap();
        assert_eq!(of_user(Refuse), "unclear");
        chown(path, Some(0), None).unwrap();
        assert_eq!(of_user(Refuse), "file");
    }
}

/// The path of a link is checked before the directory is opened.
#[test]
fn a_root_that_is_a_link() {
    let Some(root) = TestRoot::new() else { return };
    let file = root.file("real/o/i:1", &sif());
    let [link, dangling] = ["link", "dangling"].map(|name| root.path().join(name));
    symlink("real", &link).unwrap();
    symlink("none", &dangling).unwrap();
    assert_eq!(found(&link, Refuse, "o/i:1"), "file");
    assert_eq!(entered(&link, Accept), "unclear");
    for untrusted in [Refuse, Accept] {
        assert_eq!(entered(&dangling, untrusted), "unclear");
        assert_eq!(entered(&file, untrusted), "unclear");
    }
    std::os::unix::fs::lchown(&link, Some(1001), None).unwrap();
    // The kernel would follow a link whose path ends in a slash.
    for path in [link.clone(), link.join("")] {
        assert_eq!(entered(&path, Refuse), "unclear", "{}", path.display());
    }
}

/// A directory above the root may be writable if it is sticky, as `/tmp` is.
#[test]
fn the_path_to_the_root() {
    let Some(parent) = TestRoot::new() else { return };
    let [above, root] = ["a", "a/root"].map(|name| parent.path().join(name));
    let none = above.join("none");
    fs::create_dir_all(&root).unwrap();
    let both = |untrusted| [&root, &none].map(|path| entered(path, untrusted));
    assert_eq!(both(Refuse), ["root", "missing"]);
    mode(&above, 0o1777);
    assert_eq!(both(Refuse), ["root", "missing"]);
    mode(&above, 0o777);
    // A missing name in a writable directory is missing, as in the walk by paths.
    assert_eq!(both(Refuse), ["unclear", "missing"]);
    assert_eq!(both(Accept), ["root", "missing"]);
    mode(&above, 0o755);
    mode(parent.path(), 0o777);
    assert_eq!(both(Refuse), ["unclear", "unclear"]);
    assert_eq!(both(Accept), ["root", "missing"]);
    mode(parent.path(), 0o755);
    assert_eq!(entered(&none.join("none"), Refuse), "unclear");
    assert_eq!(entered(&none.join("none"), Accept), "missing");
    symlink(&above, parent.path().join("link")).unwrap();
    assert_eq!(entered(&parent.path().join("link/root"), Refuse), "root");
    assert_eq!(entered(&parent.path().join("link/none"), Refuse), "unclear");
}
