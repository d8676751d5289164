//! `sifcache remove`: which files it removes, and which it never does.

use crate::tree::{Tree, mode};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
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
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
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

fn three_images(tree: &Tree) {
    for name in ["a", "b", "good"] {
        tree.image(format!("root/o/{name}:1"), 2);
    }
}

/// The words of two commands that remove the images `o/a:1`, `o/b:1` and `o/good:1`.
const ALL: [&[&str]; 2] = [
    &["remove", "--yes", "--keep", "0d", "o/a:1", "o/b:1", "o/good:1"],
    &["gc", "--yes", "--keep", "0d", "--older-than", "0d"],
];

#[test]
fn all_images_are_removed_if_nobody_reads_the_output() {
    let Some(tree) = Tree::new() else { return };
    let (reader, pipe) = std::io::pipe().unwrap();
    drop(reader);
    for words in ALL {
        for json in [&[][..], &["--json"]] {
            let words = [words, json].concat();
            for (output, status) in [
                (Stdio::from(File::options().write(true).open("/dev/full").unwrap()), 74),
                (Stdio::from(pipe.try_clone().unwrap()), 0),
            ] {
                three_images(&tree);
                let mut command = sifcache(&tree, &words);
                let ended = command.stdout(output).stderr(Stdio::null()).status().unwrap();
                assert_eq!(ended.code(), Some(status), "{words:?}");
                assert!(!tree.path("root/o").exists(), "{words:?}");
            }
        }
    }
}

#[test]
fn one_image_that_cannot_be_removed_does_not_protect_the_others() {
    let Some(tree) = Tree::new() else { return };
    const OWNER: u32 = 998;
    for words in ALL {
        three_images(&tree);
        // The owner of the image root cannot write to this directory.
        tree.image("root/a/i:1", 2);
        for path in ["root", "root/o"] {
            chown(tree.path(path), Some(OWNER), Some(OWNER)).unwrap();
        }
        let words = match words[0] {
            "remove" => [&words[..4], &["a/i:1"], &words[4..]].concat(),
            _ => words.to_vec(),
        };
        let output = sifcache(&tree, &words).uid(OWNER).gid(OWNER).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(77), "{stderr}");
        assert!(stderr.contains("root/a/i:1: Permission denied"), "{stderr}");
        assert!(tree.path("root/a/i:1").exists(), "{words:?}");
        assert!(!tree.path("root/o").exists(), "{words:?}");
    }
}

/// Each image is removed by one of the commands, and the others succeed as well.
#[test]
fn commands_that_remove_the_same_images() {
    let Some(tree) = Tree::new() else { return };
    const COUNT: usize = 40;
    for number in 1..COUNT {
        tree.image(format!("root/o/i:{number}"), 2);
    }
    let words = ["gc", "--yes", "--keep", "0d", "--older-than", "0d"];
    let start = |_| sifcache(&tree, &words).stdout(Stdio::piped()).spawn().unwrap();
    let commands: Vec<_> = (0..4).map(start).collect();
    let mut removed = 0;
    for command in commands {
        let output = command.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let lines = String::from_utf8(output.stdout).unwrap();
        removed += lines.lines().filter(|line| line.starts_with("removed  ")).count();
    }
    assert_eq!(removed, COUNT);
    assert!(!tree.path("root/o").exists());
    tree.is_fine();
}

/// Otherwise, nothing but `rm` could make room again.
#[test]
fn a_file_system_without_free_inodes() {
    let Some(tree) = Tree::new() else { return };
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "sh",
        "-ec",
        "
        mount -t tmpfs -o size=8m,nr_inodes=40,mode=755 tmpfs root
        cp image.sif root/a:1; cp image.sif root/b:1
        \"$0\" gc --root root >/dev/null
        number=0
        while touch root/$number 2>/dev/null; do number=$((number + 1)); done
        \"$0\" gc --root root --older-than 0d --yes --keep 30d && exit 1
        test -e root/a:1 -a -e root/b:1
        \"$0\" gc --root root --older-than 0d --yes --keep 0d
        test ! -e root/a:1 -a ! -e root/b:1
    ",
        env!("CARGO_BIN_EXE_sifcache"),
    ]);
    tree.image("image.sif", 2);
    let output = command.current_dir(tree.path("")).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let advice = "No space left on device (os error 28); `sifcache gc` can make space, with --keep \
                  0d at once\n";
    assert!(stderr.contains(advice), "{stderr}");
}

/// The reader of a pipe may leave early, but whoever waits for the status wants to know the result.
#[test]
fn the_status_does_not_depend_on_the_reader_of_the_output() {
    let Some(tree) = Tree::new() else { return };
    let program = tree.file("bin/apptainer", b"#!/bin/sh\nexit 1\n");
    mode(&program, 0o755);
    let runtime = program.to_str().unwrap();
    let (reader, pipe) = std::io::pipe().unwrap();
    drop(reader);
    let run = |words: &[&str]| {
        let mut command = sifcache(&tree, words);
        command.args(["--runtime", runtime]).stdout(pipe.try_clone().unwrap());
        command.stderr(Stdio::null()).status().unwrap().code()
    };
    // Nothing listens on this port.
    assert_eq!(run(&["add", "localhost:1/o/none:1", "o/good:1"]), Some(1));
    // With --json, the failure itself is written to the closed pipe.
    assert_eq!(run(&["add", "--json", "localhost:1/o/none:1"]), Some(69));
    assert_eq!(run(&["add", "o/good:1"]), Some(0));
    fs::rename(tree.path("root/o/good:1"), tree.path("root/good:1")).unwrap();
    tree.image("root/localhost:1/o/i:1", 2);
    for more in [&[] as &[&str], &["--json"]] {
        assert_eq!(run(&[&["refresh", "--check", "--all"], more].concat()), Some(1), "{more:?}");
    }
}
