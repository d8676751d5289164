//! The content of `.sifcache`: records, leftovers, kept files.

use crate::tree::{Tree, mode, sif};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

/// The SHA-256 of the image that [`Tree::new`] makes.
fn sum() -> String {
    Sha256::digest(sif(1)).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the record of `o/good:1`, as `add` does.
fn record(tree: &Tree, name: &str, digests: &[&str], sha256: &str) -> PathBuf {
    let metadata = fs::metadata(tree.path("root/o/good:1")).unwrap();
    let modified = jiff::Timestamp::try_from(metadata.modified().unwrap()).unwrap();
    let record = json!({
        "reference": "docker.io/o/good:1", "source": "docker://o/good:1", "digests": digests,
        "added": modified, "runtime": null, "sha256": sha256, "size": metadata.size(),
        "modified": modified,
    });
    let path = format!("root/.sifcache/metadata/{name}.json");
    tree.file(path, record.to_string().as_bytes())
}

#[test]
fn a_name_whose_digest_differs_from_its_record() {
    let Some(tree) = Tree::new() else { return };
    let other = DIGEST.replace("0f", "a1");
    let name = format!("root/o/good@{DIGEST}");
    fs::hard_link(tree.path("root/o/good:1"), tree.path(&name)).unwrap();
    record(&tree, "o/good:1", &[&other, DIGEST], &sum());
    tree.is_fine();
    record(&tree, "o/good:1", &[&other], &sum());
    let line = tree.problem("digest-mismatch", &name);
    assert!(line.contains(&format!(": according to its record, it is {other}: ")), "{line}");
    // A record about an earlier file is ignored.
    fs::remove_file(tree.path("root/o/good:1")).unwrap();
    tree.image("root/o/good:1", 2);
    tree.is_fine();
}

/// The manifest of one platform was added by its digest, and then the tag of the index. They share
/// the file, but each name has the record of its own request.
#[test]
fn records_of_one_file_can_differ() {
    let Some(tree) = Tree::new() else { return };
    let (index, manifest) = (DIGEST, DIGEST.replace("0f", "f0"));
    for digest in [index, &manifest] {
        let pinned = tree.path(format!("root/o/good@{digest}"));
        fs::hard_link(tree.path("root/o/good:1"), pinned).unwrap();
    }
    record(&tree, "o/good:1", &[index, &manifest], &sum());
    record(&tree, &format!("o/good@{manifest}"), &[&manifest], &sum());
    tree.is_fine();
    // Neither the first nor the last record has this digest.
    let wrong = format!("root/o/good@{}", DIGEST.replace("0f", "77"));
    fs::hard_link(tree.path("root/o/good:1"), tree.path(&wrong)).unwrap();
    tree.problem("digest-mismatch", &wrong);
}

/// Pulled twice, into two roots: the runtime gave each file its own identifier.
#[test]
fn two_files_of_one_digest_are_one_image() {
    let Some(tree) = Tree::with_roots(&["local", "root"]) else { return };
    let copy = tree.image("local/o/good:1", 2);
    let record = record(&tree, "o/good:1", &[DIGEST], &sum());
    tree.problem("shadowed", "root/o/good:1");
    let original = File::open(tree.path("root/o/good:1")).unwrap();
    let time = original.metadata().unwrap().modified().unwrap();
    File::options().write(true).open(copy).unwrap().set_modified(time).unwrap();
    tree.file("local/.sifcache/metadata/o/good:1.json", &fs::read(record).unwrap());
    tree.is_fine();
}

#[test]
fn content_that_was_changed_in_place() {
    let Some(tree) = Tree::new() else { return };
    record(&tree, "o/good:1", &[DIGEST], &sum());
    assert_eq!(tree.findings(&["--deep"]), []);
    // The size and the modification time match the record, so only `--deep` detects the difference.
    record(&tree, "o/good:1", &[DIGEST], &"0".repeat(64));
    tree.is_fine();
    let expected = ("digest-mismatch".to_owned(), "root/o/good:1".to_owned(), true);
    assert_eq!(tree.findings(&["--deep"]), [expected]);
}

#[test]
fn a_record_without_an_image() {
    let Some(tree) = Tree::new() else { return };
    record(&tree, "o/good:1", &[DIGEST], &sum());
    let path = record(&tree, "gone/i:1", &[DIGEST], &sum());
    tree.problem("record-without-image", "root/.sifcache/metadata/gone/i:1.json");
    let fixed = tree.object(&["--fix"])["fixed"].clone();
    assert_eq!(fixed, json!([{"path": path.to_str(), "change": "removed", "error": null}]));
    assert!(
        !path.parent().unwrap().exists()
            && tree.path("root/.sifcache/metadata/o/good:1.json").exists()
    );
    tree.is_fine();
}

#[test]
fn leftovers_and_work_in_progress() {
    let Some(tree) = Tree::new() else { return };
    let lock = tree.file("root/.sifcache/tmp/host.1.0.lock", b"");
    let image = tree.image("root/.sifcache/tmp/host.1.0/image.sif", 2);
    let line = tree.problem("interrupted", "root/.sifcache/tmp/host.1.0");
    assert!(line.contains("left by a command that was killed, 800 B"), "{line}");
    let held = File::open(&lock).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    tree.note("in-progress", "root/.sifcache/tmp/host.1.0");
    tree.object(&["--fix"]);
    assert!(image.exists(), "what somebody works on");
    drop(held);
    tree.object(&["--fix"]);
    assert!(!image.exists() && !lock.exists());
    tree.is_fine();
}

#[test]
fn kept_files_are_counted() {
    let Some(tree) = Tree::new() else { return };
    tree.image("root/.sifcache/kept/20990102T000000Z.h.1.0/o/i:1", 2);
    tree.image("root/.sifcache/kept/20990201T000000Z.h.1.1/o/i:1", 3);
    let line = tree.note("kept", "root/.sifcache/kept");
    assert!(line.contains("2 replaced or removed files, 1.56 KiB, kept until 2099-0"), "{line}");
    mode(&tree.path("root/.sifcache/kept"), 0o700);
    tree.note("kept", "root/.sifcache/kept");
}
