//! References whose file names, or the names of the files that belong to them, are longer than the 255
//! bytes that a file name can have.

use crate::tree::Tree;
use std::process::{Command, Stdio};

const DIGEST: &str = "sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

fn run(tree: &Tree, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg(words[0]).args(["--root", &tree.text("root")]).args(&words[1..]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A component of this length.
fn component(length: usize) -> String {
    "c".repeat(length)
}

/// The records are beside each other, and each file has its own.
#[test]
fn an_image_with_the_longest_name_has_a_record() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.image("new.sif", 5);
    let file = file.to_str().unwrap();
    // The name has 255 bytes, and its record a shortened name.
    let of = |tag: &str| format!("o/{}:{tag}", component(254 - tag.len()));
    let url = format!("https://h.io/{}", component(255));
    let oras = format!("oras://h.io/{}:1", component(200));
    let pinned = format!("o/{}@{DIGEST}", component(183));
    for name in [&of(&"t".repeat(20)), &of(&"t".repeat(19)), &url, &oras, &pinned] {
        let (status, _, stderr) = run(&tree, &["import", "--force", file, name]);
        assert_eq!((status, stderr.matches("sifcache:").count()), (Some(0), 0), "{name}: {stderr}");
        let (_, stdout, _) = run(&tree, &["list", "--json"]);
        let list: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let images = list["images"].as_array().unwrap();
        assert!(images.iter().any(|image| image["source"] == file), "{list:#}");
        // The content is compared with the record.
        assert_eq!(tree.findings(&["--deep"]), []);
        let (status, _, stderr) = run(&tree, &["remove", "--yes", name]);
        assert_eq!(status, Some(0), "{stderr}");
        assert_eq!(
            tree.findings(&[]),
            [("kept".to_owned(), "root/.sifcache/kept".to_owned(), false)]
        );
        std::fs::remove_dir_all(tree.path("root/.sifcache/kept")).unwrap();
    }
}

/// The record of a long name without its file is still found.
#[test]
fn a_record_of_a_long_name_without_its_file() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.image("new.sif", 5);
    let name = format!("o/{}:1", component(251));
    let (status, _, stderr) = run(&tree, &["import", file.to_str().unwrap(), &name]);
    assert_eq!(status, Some(0), "{stderr}");
    tree.is_fine();
    std::fs::remove_file(tree.path("root").join(&name)).unwrap();
    let findings = tree.findings(&[]);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].0, "record-without-image");
    assert_eq!(tree.run(&["--fix"]).status, Some(0));
    tree.is_fine();
}

#[test]
fn a_name_that_is_too_long_is_refused_before_anything_is_written() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.image("new.sif", 5);
    let file = file.to_str().unwrap();
    let tag = "t".repeat(128);
    for (name, bytes, advice) in [
        (format!("o/{}:{tag}", component(127)), 256, "256\n"),
        (format!("{}/{}:{tag}", component(120), component(130)), 259, "259\n"),
        (format!("oras://h.io/{}:{tag}", component(127)), 256, "256\n"),
        (format!("o/{}@{DIGEST}", component(184)), 256, "256: name it by its tag\n"),
        (format!("oras://h.io/{}@{DIGEST}", component(184)), 256, "256: name it by its tag\n"),
    ] {
        for words in [&["import", file, &name][..], &["add", "--runtime", "/bin/false", &name]] {
            let (status, _, stderr) = run(&tree, words);
            assert_eq!(status, Some(64), "{name}: {stderr}");
            let message = format!("because a file name has at most 255 bytes, not {advice}");
            assert!(stderr.ends_with(&message), "{bytes}: {stderr}");
        }
    }
    assert_eq!(std::fs::read_dir(tree.path("root")).unwrap().count(), 2, "o and .sifcache");
}

/// The image is added under its tag. Jobs that name its digest pull it, as they would have done.
#[test]
fn a_tag_whose_digest_has_no_room_is_added() {
    let Some(tree) = Tree::new() else { return };
    let file = tree.image("new.sif", 5);
    let name = format!("o/{}:1", component(184));
    let (status, _, stderr) =
        run(&tree, &["import", "--digest", DIGEST, file.to_str().unwrap(), &name]);
    assert_eq!(status, Some(0), "{stderr}");
    let message = format!("{name}: jobs do not find it by its digest, because that file name");
    assert!(stderr.contains(&message), "{stderr}");
    tree.is_fine();
    let (_, stdout, _) = run(&tree, &["list", "--json"]);
    assert!(stdout.contains(DIGEST), "refresh compares it: {stdout}");
}
