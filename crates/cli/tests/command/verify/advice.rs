//! Following the advice of a finding leads to a file that a launch finds.

use crate::tree::{Tree, mode, pulled, sif};
use serde_json::Value;
use sif_fixture::Sif;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

/// More rounds than any case needs: following one piece of advice may uncover the next finding.
const ROUNDS: usize = 40;

/// Whether `sifcache explain` finds an image for a launch of this reference.
fn is_found(tree: &Tree, reference: &str) -> bool {
    let root = tree.text("root");
    let image = format!("docker://{reference}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["explain", "--root", &root, "--", "apptainer", "exec", &image, "true"]);
    command.output().unwrap().status.code() == Some(0)
}

/// Follows the advice of each finding until there is no problem left.
#[track_caller]
fn follow_all(tree: &Tree) {
    for _ in 0..ROUNDS {
        let object = tree.object(&[]);
        let findings = object["findings"].as_array().unwrap();
        // The remaining findings may change after this.
        match findings.iter().find(|finding| finding["problem"] == true) {
            Some(problem) => follow(tree, problem),
            None => return,
        }
    }
    assert_eq!(tree.findings(&[]), []);
}

/// Advice to remove a file, and advice to create a new one.
const REMOVED: [&str; 6] = [
    "remove it",
    "remove one of them",
    "remove this name",
    "remove the link, ",
    "it looks like a duplicate of ",
    "move it out of the image root",
];
const BROUGHT: [&str; 4] = [
    "wait until the copy is complete, or copy it again",
    "put the image there again",
    "pull it with ",
    "build a SIF file from it",
];

fn follow(tree: &Tree, finding: &Value) {
    let path = Path::new(finding["path"].as_str().unwrap());
    let advice = finding["advice"].as_str().unwrap();
    if follow_name(tree, path, advice) {
        return;
    }
    let is_one_of = |all: &[&str]| all.iter().any(|start| advice.starts_with(start));
    if is_one_of(&REMOVED) {
        fs::remove_file(path).unwrap();
    } else if is_one_of(&BROUGHT) {
        let _ = fs::remove_dir_all(path);
        fs::write(path, sif(77)).unwrap();
    } else if advice == "chown it to root" {
        chown(path, Some(0), None).unwrap();
    } else {
        let mode = advice.strip_prefix("chmod ");
        assert!(mode.is_some(), "no test follows this advice: {advice}");
        let status = Command::new("/bin/chmod").args(mode).arg(path).status();
        assert!(status.unwrap().success());
    }
}

/// Follows advice that contains a new name, and returns whether `advice` was of this kind.
fn follow_name(tree: &Tree, path: &Path, advice: &str) -> bool {
    let root = tree.path("root");
    let rename = |to: &str| {
        let to = root.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(path, to).unwrap();
    };
    if let Some(name) = advice.strip_prefix("rename it to ") {
        let (name, replaces) = name.split_once(", in place of").unwrap_or((name, ""));
        let is_there = root.join(name).symlink_metadata().is_ok();
        assert_eq!(is_there, !replaces.is_empty(), "{advice}: another file would be lost");
        rename(name);
    } else if let Some((_, name)) = advice.split_once("rename the other one to ") {
        rename(name);
    } else if let Some(name) = advice.strip_prefix("free the name ") {
        let name = name.split_once(' ').unwrap().0;
        fs::rename(root.join(name), tree.path("aside")).unwrap();
        rename(name);
    } else {
        return false;
    }
    true
}

/// The only file in the root, and the reference that a launch should use for it.
const NAMES: [(&str, &str); 25] = [
    ("Foo.sif", "foo"),
    ("Foo:1", "foo:1"),
    ("o/foo:1.sif.tmp", "o/foo:1"),
    ("o/foo:1.bak", "o/foo:1"),
    ("o/.foo:1.sif.Ab12Cd", "o/foo:1"),
    ("o/a b:1", "o/a-b:1"),
    ("o/Foo:_x.-", "o/foo:_x.-"),
    ("o/foo:1+2", "o/foo:1_2"),
    ("o/foo:1.SIF.part", "o/foo:1"),
    ("registry.example.org:5000/lab/Tool:v1", "registry.example.org:5000/lab/tool:v1"),
    ("registry.example.org:5000/lab/Tool", "registry.example.org:5000/lab/tool"),
    ("registry.example.org:5000/lab/Tool.sif", "registry.example.org:5000/lab/tool"),
    ("Registry.Example.org/lab/Tool:v1", "Registry.Example.org/lab/tool:v1"),
    ("REGISTRY:5000/Tool:V1", "REGISTRY:5000/tool:V1"),
    ("localhost:5000/Tool:1", "localhost:5000/tool:1"),
    ("localhost/Tool:1", "localhost/tool:1"),
    ("127.0.0.1:5000/Tool:1.sif", "127.0.0.1:5000/tool:1"),
    ("[2001:db8::1]:5000/a/B:1", "[2001:db8::1]:5000/a/b:1"),
    ("docker.io/library/Ubuntu:22.04", "ubuntu:22.04"),
    (
        "quay.io/Biocontainers/samtools:1.19--h50_0.sif",
        "quay.io/biocontainers/samtools:1.19--h50_0",
    ),
    ("quay.io/o/foo:1.part", "quay.io/o/foo:1"),
    ("Lab/Tool:v1", "lab/tool:v1"),
    ("my_host:5000/Tool:1", "my_host-5000/tool:1"),
    ("o/a___b:1", "o/a-b:1"),
    (".tool:1.sif.new", "tool:1"),
];

#[test]
fn advice_for_a_name_that_no_reference_has() {
    let Some(tree) = Tree::new() else { return };
    for (name, reference) in NAMES {
        let path = tree.image(format!("root/{name}"), 2);
        assert!(!is_found(&tree, reference), "{name}");
        follow_all(&tree);
        assert!(is_found(&tree, reference), "{name}");
        assert!(!path.exists(), "{name}");
        fs::remove_dir_all(tree.path("root")).unwrap();
        tree.image("root/o/good:1", 1);
    }
}

#[test]
fn advice_for_a_name_with_a_digest() {
    let Some(tree) = Tree::new() else { return };
    let hex = "0f".repeat(32);
    for (which, name, reference) in [
        (2, format!("o/Foo@sha256:{hex}"), format!("o/foo@sha256:{hex}")),
        (3, format!("o/bar:1@sha256:{hex}"), format!("o/bar@sha256:{hex}")),
        (4, format!("alpine@sha256_{hex}.sif"), format!("alpine@sha256:{hex}")),
        (5, format!("host.io:5000/O/i@SHA256:{hex}"), format!("host.io:5000/o/i@sha256:{hex}")),
    ] {
        tree.image(format!("root/{name}"), which);
        follow_all(&tree);
        assert!(is_found(&tree, &reference), "{name}");
    }
}

/// The new name is already taken, or two files would get the same name.
#[test]
fn advice_if_the_name_is_taken() {
    let cases: [(&[&str], &[&str], &[&str]); 8] = [
        (&["Foo:1", "FOO:1"], &[], &["foo:1"]),
        (&["Foo:1", "foo:1"], &[], &["foo:1"]),
        (&["o/Foo:1", "o/foo:1.sif"], &[], &["o/foo:1"]),
        (&["o/Foo:1", "docker.io/o/foo:1"], &[], &["o/foo:1", "docker.io/o/foo:1"]),
        (&["Foo"], &["foo"], &["foo"]),
        (&["Foo", "foo/i:1"], &[], &["foo", "foo/i:1"]),
        (&["a/Foo:1", "Lab/Tool:1"], &["a/foo:1", "lab"], &["a/foo:1", "lab/tool:1"]),
        (&["H.io:5000/a/B:1", "H.io:5000/A/b:1"], &[], &["H.io:5000/a/b:1"]),
    ];
    for (images, broken, references) in cases {
        let Some(tree) = Tree::new() else { return };
        for (which, name) in (2..).zip(images) {
            tree.image(format!("root/{name}"), which);
        }
        for name in broken {
            tree.file(format!("root/{name}"), b"");
        }
        follow_all(&tree);
        for reference in references {
            assert!(is_found(&tree, reference), "{images:?}: {reference}");
        }
    }
}

#[test]
fn advice_for_names_that_pulls_choose() {
    let Some(tree) = Tree::new() else { return };
    for (name, from, reference) in [
        ("alpine_3.20.sif", "alpine:3.20", "alpine:3.20"),
        ("ubuntu-22.04.img", "docker.io/library/ubuntu:22.04", "ubuntu:22.04"),
        ("host-5000-o-i-1.img", "host:5000/o/i:1", "host:5000/o/i:1"),
        ("fedcba9876543210fedcba9876543210.simg", "o/j", "o/j"),
        ("-", "o/k:1", "o/k:1"),
    ] {
        tree.file(format!("root/{name}"), &pulled(from, &[]));
        assert!(!is_found(&tree, reference), "{name}");
        follow_all(&tree);
        assert!(is_found(&tree, reference), "{name}");
    }
}

#[test]
fn advice_for_two_files_for_one_reference() {
    let all = ["ubuntu", "ubuntu:latest", "library/ubuntu", "docker.io/library/ubuntu:latest"];
    for (one, other) in [
        ("ubuntu", "ubuntu:latest"),
        ("ubuntu.sif", "docker.io/library/ubuntu:latest"),
        ("ubuntu", "library/ubuntu"),
        ("library/ubuntu:latest", "index.docker.io/ubuntu:latest.sif"),
        ("ubuntu:latest.sif", "docker.io/library/ubuntu:latest.sif"),
    ] {
        let Some(tree) = Tree::new() else { return };
        tree.image(format!("root/{one}"), 2);
        tree.image(format!("root/{other}"), 3);
        follow_all(&tree);
        for reference in all {
            assert!(is_found(&tree, reference), "{one} and {other}: {reference}");
        }
    }
}

#[test]
fn advice_for_refused_files() {
    let Some(tree) = Tree::new() else { return };
    let names = ["bad/cut:1", "bad/empty:1", "bad/html:1", "bad/version:1", "bad/arch:1"];
    let mut version = sif(2);
    version[43] = b'9';
    let foreign = Sif::image().architecture("s390x").id(3).bytes();
    let cut = &sif(4)[..150];
    for (name, content) in names.iter().zip([cut, b"", b"<html>", &version, &foreign]) {
        tree.file(format!("root/{name}"), content);
    }
    tree.directory("root/bad/sandbox:1/bin");
    tree.link("nowhere", "root/bad/link:1");
    let foreign = tree.image("root/bad/theirs:1", 5);
    chown(&foreign, Some(1001), Some(1001)).unwrap();
    mode(&foreign, 0o666);
    for (name, bits) in [("private:1", 0o600), ("group:1", 0o660), ("open:1", 0o646)] {
        mode(&tree.image(format!("root/bad/{name}"), 6), bits);
    }
    mode(&tree.path("root/bad"), 0o770);
    mode(&tree.path("root"), 0o702);
    for _ in 0..3 {
        follow_all(&tree);
    }
    for name in names.iter().chain(&["bad/theirs:1", "bad/private:1", "bad/group:1", "bad/open:1"])
    {
        assert!(is_found(&tree, name), "{name}");
    }
}

/// A user who follows all advice of one run at once loses no file.
#[test]
fn no_two_files_get_the_same_name_as_advice() {
    let Some(tree) = Tree::new() else { return };
    for (which, name) in (2..).zip(["Foo:1", "FOO:1", "foo:1.sif.tmp"]) {
        tree.image(format!("root/{name}"), which);
    }
    let object = tree.object(&[]);
    let advice = object["findings"].as_array().unwrap().iter().map(|f| f["advice"].as_str());
    let renamed = advice.flatten().filter(|advice| advice.starts_with("rename it to "));
    assert_eq!(renamed.count(), 1, "{object:#}");
}
