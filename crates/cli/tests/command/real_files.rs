//! SIF files made by real programs: `tests/real/README.md`.

use crate::tree::Tree;
use flate2::read::GzDecoder;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

const DIGEST: &str = "sha256:f2ef5c4bcc528a701e8076e3d155cba4e6465b25f84229f5fce08cac885ec985";

fn real(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/real/{name}.sif.gz"));
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn import(tree: &Tree, words: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["import", "--root", &tree.text("root")]).args(words).stdin(Stdio::null());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn refused_files_and_their_reasons() {
    for (name, token, message) in [
        ("apptainer-1.4.5-gocryptfs", "encrypted", "encrypted: the runtime needs a key"),
        ("siftool-2.24.1-oci-objects", "oci-sif", "an OCI-SIF file, which runs only with --oci"),
        ("siftool-2.24.1-loong64", "wrong-architecture", "for loong64, "),
    ] {
        let Some(tree) = Tree::new() else { return };
        let content = real(name);
        let file = tree.file("new.sif", &content);
        let (status, stderr) = import(&tree, &[file.to_str().unwrap(), "o/i:1"]);
        assert_eq!(status, Some(65), "{name}: {stderr}");
        assert!(stderr.contains(&format!("is not a valid image: {message}")), "{name}: {stderr}");
        tree.file("root/o/i:1", &content);
        let line = tree.problem(token, "root/o/i:1");
        assert!(line.contains(message), "{line}");
    }
}

/// The image was pulled by its digest, and its labels contain the digest.
#[test]
fn a_pull_for_another_architecture() {
    let Some(tree) = Tree::new() else { return };
    std::fs::remove_file(tree.path("root/o/good:1")).unwrap();
    tree.file("root/.sifcache/architecture", b"arm64\n");
    let file = tree.file("new.sif", &real("apptainer-1.4.5-arm64"));
    let (status, stderr) = import(&tree, &[file.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(tree.path(format!("root/lab/one@{DIGEST}")).is_file());
    assert_eq!(tree.findings(&["--deep"]), []);
    // With `--deep`, every block is read, so one changed byte is reported.
    let mut bytes = real("apptainer-1.4.5-arm64");
    bytes[36864 + 100] ^= 0xff;
    tree.file("root/lab/bad:1", &bytes);
    let findings = tree.findings(&["--deep"]);
    let damaged = ("damaged-file-system".to_owned(), "root/lab/bad:1".to_owned(), true);
    assert_eq!(findings, [damaged]);
}

/// The advice is also useful for an architecture code without a known name.
#[test]
fn an_architecture_without_a_name() {
    let Some(tree) = Tree::new() else { return };
    let mut bytes = real("siftool-2.24.1-loong64");
    for at in [45, 4096 + 209] {
        assert_eq!(bytes[at..at + 2], *b"13");
        bytes[at..at + 2].copy_from_slice(b"77");
    }
    tree.file("root/o/i:1", &bytes);
    let line = tree.problem("wrong-architecture", "root/o/i:1");
    assert!(line.contains("for an unknown architecture, but this host is "), "{line}");
    assert!(line.ends_with(&format!(": pull it with --arch {}", sif_fixture::host_architecture())));
}
