//! `sifcache add` and `refresh` for nodes of another architecture. The runtime makes files for the
//! architecture that `--arch` requests.

use crate::tree::{Tree, mode};
use sif_fixture::Sif;
use std::fs;
use std::process::{Command, Stdio};

/// No server listens at this address, so only the runtime's own pull is used.
const REFERENCE: &str = "127.0.0.1:1/o/z:1";

/// A runtime that makes a file for s390x on request, and otherwise one for this host.
fn runtime(tree: &Tree) -> String {
    let foreign = Sif::image().architecture("s390x").id(9).bytes();
    let (foreign, own) = (tree.file("foreign.sif", &foreign), tree.image("own.sif", 8));
    let script = format!(
        "#!/bin/sh\ncase $* in\n--version) echo test version 1;;\n\
         'pull --arch s390x '*) /bin/cp {} \"$4\";;\n\
         'pull --arch '*) /bin/cp {own} \"$4\";;\n*) /bin/cp {own} \"$2\";;\nesac\n",
        foreign.display(),
        own = own.display()
    );
    let path = tree.file("bin/apptainer", script.as_bytes());
    mode(&path, 0o755);
    path.to_str().unwrap().to_owned()
}

fn run(tree: &Tree, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg(words[0]).args(["--root", &tree.text("root"), "--runtime", &runtime(tree)]);
    let output = command.args(&words[1..]).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn add_pulls_for_the_requested_architecture() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.path(format!("root/{REFERENCE}"));
    let (status, _, stderr) = run(&tree, &["add", "--arch", "s390x", REFERENCE]);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(fs::read(&file).unwrap()[45..47], *b"11");
    // The image is already present, but only for that architecture.
    let (status, stdout, _) = run(&tree, &["add", "--arch", "s390x", REFERENCE]);
    assert!(status == Some(0) && stdout.starts_with("present "), "{stdout}");
    let (_, stdout, _) = run(&tree, &["add", "--dry-run", REFERENCE]);
    assert!(stdout.starts_with("would pull"), "{stdout}");
    // A file that the runtime makes for a different architecture is not added to the cache.
    let (status, _, stderr) = run(&tree, &["add", "--arch", "riscv64", "127.0.0.1:1/o/r:1"]);
    assert_eq!(status, Some(65), "{stderr}");
    assert!(stderr.contains(", this image root is for riscv64"), "{stderr}");
    assert!(!tree.path("root/127.0.0.1:1/o/r:1").exists());
    let (status, _, stderr) = run(&tree, &["add", "--arch", "aarch64", REFERENCE]);
    assert!(status == Some(64) && stderr.contains("unknown architecture; known: "), "{stderr}");
}

#[test]
fn a_root_declared_for_another_architecture() {
    let Some(tree) = Tree::with_roots(&["root"]) else { return };
    fs::remove_file(tree.path("root/o/good:1")).unwrap();
    tree.file("root/.sifcache/architecture", b"s390x\n");
    let (status, _, stderr) = run(&tree, &["add", REFERENCE]);
    assert_eq!(status, Some(0), "{stderr}");
    tree.is_fine();
    assert_eq!(tree.found_as(format!("root/{REFERENCE}")), [REFERENCE]);
}

/// A refresh never replaces an image for another architecture by one for this host.
#[test]
fn refresh_leaves_other_architectures_alone() {
    let Some(tree) = Tree::new() else { return };
    fs::remove_file(tree.path("root/o/good:1")).unwrap();
    assert_eq!(run(&tree, &["add", "--arch", "s390x", REFERENCE]).0, Some(0));
    let (status, _, stderr) = run(&tree, &["refresh", REFERENCE]);
    assert_eq!(status, Some(64), "{stderr}");
    assert!(stderr.contains("is for s390x: refresh it with --arch s390x"), "{stderr}");
    assert_eq!(run(&tree, &["refresh", "--all", "--unknown"]).0, Some(0));
    let file = tree.path(format!("root/{REFERENCE}"));
    assert_eq!(fs::read(&file).unwrap()[45..47], *b"11");
    // With --arch, the command queries the registry.
    let (_, _, stderr) = run(&tree, &["refresh", "--arch", "s390x", REFERENCE]);
    assert!(stderr.contains("127.0.0.1:1 cannot be reached"), "{stderr}");
}
