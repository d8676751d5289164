//! `sifcache import` of files whose labels name their source, and for other architectures.

use crate::tree::{Tree, pulled};
use serde_json::Value;
use sif_fixture::Sif;
use std::process::{Command, Stdio};

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const NAME: &str = "org.opencontainers.image.base.name";
const BASE: &str = "org.opencontainers.image.base.digest";
const VERSION: &str = "org.label-schema.usage.apptainer.version";

fn run(tree: &Tree, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg(words[0]).args(["--root", &tree.text("root")]).args(&words[1..]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// An image for an architecture that no test host has.
fn foreign() -> Vec<u8> {
    Sif::image().architecture("s390x").id(9).bytes()
}

#[test]
fn the_reference_comes_from_the_labels() {
    let Some(tree) = Tree::new() else { return };
    let labels = [(VERSION, "1.5.3"), (NAME, "docker.io/library/alpine:3.20"), (BASE, DIGEST)];
    let file = tree.file("alpine_3.20.sif", &pulled("alpine:3.20", &labels));
    let file = file.to_str().unwrap();
    let (status, stdout, stderr) = run(&tree, &["import", "--json", file]);
    assert_eq!(status, Some(0), "{stderr}");
    let object: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(object["digests"], serde_json::json!([DIGEST]), "{object:#}");
    for name in ["alpine:3.20", &format!("alpine@{DIGEST}")] {
        assert!(tree.path(format!("root/{name}")).is_file(), "{name}");
    }
    tree.is_fine();
    // The digest in the file does not apply to a different name.
    assert_eq!(run(&tree, &["import", file, "o/mine:1"]).0, Some(0));
    assert!(!tree.path(format!("root/o/mine@{DIGEST}")).exists());
}

#[test]
fn a_file_without_a_reference_in_its_labels() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.image("nameless.sif", 2);
    let (status, _, stderr) = run(&tree, &["import", file.to_str().unwrap()]);
    assert_eq!(status, Some(64));
    let message = "nameless.sif does not record its reference: give REF as well\n";
    assert!(stderr.ends_with(message), "{stderr}");
    assert_eq!(run(&tree, &["import", "-"]).0, Some(64));
}

#[test]
fn images_for_another_architecture() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.file("s390x.sif", &foreign());
    let file = file.to_str().unwrap();
    let (status, _, stderr) = run(&tree, &["import", file, "o/z:1"]);
    assert_eq!(status, Some(65));
    assert!(stderr.contains("for s390x, this image root is for "), "{stderr}");
    assert!(stderr.ends_with("; use --arch s390x\n"), "{stderr}");
    let (status, _, stderr) = run(&tree, &["import", "--arch", "s390x", file, "o/z:1"]);
    assert_eq!(status, Some(0), "{stderr}");
    // An image for this host's architecture is not replaced.
    let (status, _, stderr) = run(&tree, &["import", "--arch", "s390x", file, "o/good:1"]);
    assert_eq!(status, Some(73), "{stderr}");
    assert!(stderr.contains("keep those for s390x in an image root of their own"), "{stderr}");
    // Nodes with this host's architecture would still refuse the image.
    let line = tree.problem("wrong-architecture", "root/o/z:1");
    assert!(
        line.ends_with("or keep it in an image root that declares s390x in .sifcache/architecture")
    );
    // The record contains the architecture.
    let (_, stdout, _) = run(&tree, &["list", "--json"]);
    assert!(stdout.contains("\"architecture\":\"s390x\""), "{stdout}");

    tree.file("root/.sifcache/architecture", b"s390x\n");
    let line = tree.problem("wrong-architecture", "root/o/good:1");
    assert!(line.contains("this image root is for s390x: pull it with --arch s390x"), "{line}");
    std::fs::remove_file(tree.path("root/o/good:1")).unwrap();
    tree.is_fine();
    assert_eq!(tree.found_as("root/o/z:1"), ["o/z:1"]);
    // The architecture that the image root declares is sufficient, and neither a file nor --arch
    // may contradict it.
    assert_eq!(run(&tree, &["import", file, "o/z:2"]).0, Some(0));
    let own = tree.image("own.sif", 3);
    let own = own.to_str().unwrap();
    assert_eq!(run(&tree, &["import", own, "o/z:3"]).0, Some(65));
    assert_eq!(run(&tree, &["import", "--arch", "riscv64", file, "o/z:3"]).0, Some(64));
    let (_, stdout, _) = run(&tree, &["add", "--dry-run", "--json", "o/z:1", "o/none:1"]);
    let statuses: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone())
        .collect();
    assert_eq!(statuses, ["present", "would-pull"]);

    tree.file("root/.sifcache/architecture", b"aarch64\n");
    let findings = tree.findings(&[]);
    assert_eq!(findings[0].0, "bad-architecture", "{findings:?}");
    assert_eq!(run(&tree, &["import", file, "o/z:4"]).0, Some(78));
}
