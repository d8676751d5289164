//! `sifcache remove`: which files it removes, and which it never does.

use crate::tree::Tree;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

fn sifcache(tree: &Tree, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg(words[0]).args(["--root", &tree.text("root")]).args(&words[1..]);
    command.stdin(Stdio::null());
    command
}

fn run(tree: &Tree, words: &[&str]) -> (Option<i32>, String, String) {
    let output = sifcache(tree, words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Adds an image with the number `which`, and with a digest.
fn import(tree: &Tree, name: &str, which: u8) {
    let file = tree.image(format!("{which}.sif"), which);
    let file = file.to_str().unwrap();
    let (status, _, stderr) = run(tree, &["import", "--force", "--digest", DIGEST, file, name]);
    assert_eq!(status, Some(0), "{stderr}");
}

/// Everything below a directory.
fn all(path: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.append(&mut all(&entry.path()));
        }
        found.insert(entry.path());
    }
    found
}

#[test]
fn a_path_that_is_not_an_image_removes_nothing() {
    let Some(tree) = Tree::new() else { return };
    import(&tree, "o/i:1", 2);
    tree.file("outside/precious", b"1");
    let before = all(&tree.path(""));
    for (path, message) in [
        ("root/../outside/precious", "outside/precious is not in an image root\n"),
        ("root/o/../../outside/precious", "outside/precious is not in an image root\n"),
        ("root/none/../../outside/precious", "outside/precious is not in an image root\n"),
        ("root", "root is a directory: name each image by its reference or its path\n"),
        ("root/o", "root/o is a directory: name each image by its reference or its path\n"),
        ("root/o/..", "root is a directory: name each image by its reference or its path\n"),
        ("root/.sifcache", ".sifcache is part of the state of sifcache: name each image"),
        ("root/.sifcache/lock", "lock is part of the state of sifcache: name each image"),
        ("root/o/../.sifcache/metadata/o/i:1.json", "i:1.json is part of the state of sifcache: "),
    ] {
        for words in [&["remove", "--yes", "--keep", "0d"][..], &["remove", "--yes"]] {
            let (status, stdout, stderr) = run(&tree, &[words, &[&tree.text(path)]].concat());
            assert_eq!((status, stdout.as_str()), (Some(64), ""), "{path}: {stderr}");
            assert!(stderr.contains(message), "{stderr}");
        }
        assert_eq!(run(&tree, &["refresh", "--check", &tree.text(path)]).0, Some(64), "{path}");
    }
    assert_eq!(all(&tree.path("")), before);
}

#[test]
fn an_image_has_one_name_however_its_path_is_written() {
    let Some(tree) = Tree::new() else { return };
    tree.directory("root/p");
    for path in ["root/o//i:1", "root/./o/i:1", "root/p/../o/i:1", "root/o/i:1/"] {
        import(&tree, "o/i:1", 2);
        let path = format!("{}/{path}", tree.text(""));
        let (status, _, stderr) = run(&tree, &["remove", "--yes", "--keep", "0d", &path]);
        assert_eq!(status, Some(0), "{stderr}");
        assert!(!tree.path("root/o/i:1").exists(), "{path}");
        // The names that were created with the image are removed with it.
        assert!(!tree.path(format!("root/o/i@{DIGEST}")).exists(), "{path}");
        assert!(!tree.path("root/.sifcache/metadata/o").exists(), "{path}");
    }
    tree.is_fine();
}
