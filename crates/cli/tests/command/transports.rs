//! Images of `oras://`, `library://` and `https://` in the subcommands that need no network.

use crate::tree::Tree;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

const URIS: [&str; 4] =
    ["http://h.io/i.sif", "https://h.io/d/i:1--0", "library://lab/c/i:latest", "oras://h.io/o/i:1"];
const NAMES: [&str; 4] =
    ["_http/h.io/i.sif", "_https/h.io/d/i:1--0", "_library/lab/c/i:latest", "_oras/h.io/o/i:1"];

fn run_with(tree: &Tree, words: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.arg(words[0]).args(["--root", &tree.text("root")]).args(&words[1..]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn done(tree: &Tree, words: &[&str]) -> String {
    let (status, stdout, stderr) = run_with(tree, words, "");
    assert_eq!(status, Some(0), "{words:?}: {stdout}{stderr}");
    stdout
}

/// A root with `o/good:1` and an image for each URI.
fn tree() -> Option<Tree> {
    let tree = Tree::new()?;
    for (which, typed) in (2..).zip([
        "http://h.io:80/i.sif?download=1",
        "https://H.io/d/i:1--0",
        "library://lab/c/i",
        "oras://h.io/o/i:1",
    ]) {
        let file = tree.image("new.sif", which);
        done(&tree, &["import", file.to_str().unwrap(), typed]);
        fs::remove_file(file).unwrap();
    }
    Some(tree)
}

#[test]
fn import_and_list_use_the_uri() {
    let Some(tree) = tree() else { return };
    for name in NAMES {
        assert!(tree.path(format!("root/{name}")).is_file(), "{name}");
    }
    let expected: Vec<&str> = URIS[..3].iter().copied().chain(["o/good:1", URIS[3]]).collect();
    let refs = done(&tree, &["list", "--refs"]);
    assert_eq!(refs.lines().collect::<Vec<_>>(), expected);
    let object: Value = serde_json::from_str(&done(&tree, &["list", "--json"])).unwrap();
    let references: Vec<&str> = object["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reference"].as_str().unwrap())
        .collect();
    assert_eq!(references, expected);
    let one = done(&tree, &["list", "--refs", "--repo", "oras://h.io/o"]);
    assert_eq!(one, "oras://h.io/o/i:1\n");
    // Their names are right, whatever the images were made from.
    tree.is_fine();
}

#[test]
fn images_in_the_cache_are_not_pulled() {
    let Some(tree) = tree() else { return };
    let (status, stdout, stderr) = run_with(&tree, &["add", "--from", "-"], &URIS.join("\n"));
    assert_eq!(status, Some(0), "{stderr}");
    for (uri, name) in URIS.iter().zip(NAMES) {
        let line = format!("present     {uri}  {}\n", tree.text(&format!("root/{name}")));
        assert!(stdout.contains(&line), "{line}: {stdout}");
    }
    let dry = done(&tree, &["add", "--dry-run", "oras://h.io/o/i:2", "docker://h.io/o/i:1"]);
    assert_eq!(dry.matches("would pull").count(), 2, "{dry}");
}

#[test]
fn remove_and_verify_take_the_uri() {
    let Some(tree) = tree() else { return };
    for (uri, name) in URIS.iter().zip(NAMES) {
        let shown = tree.run(&[uri]);
        assert_eq!(shown.status, Some(0), "{}", shown.stderr);
        done(&tree, &["remove", "--yes", uri]);
        assert!(!tree.path(format!("root/{name}")).exists(), "{name}");
        assert_eq!(tree.run(&[uri]).status, Some(1));
    }
    assert!(tree.path("root/o/good:1").is_file());
}

#[test]
fn files_that_no_uri_leads_to_are_reported() {
    let Some(tree) = tree() else { return };
    tree.image("root/_https/H.io/d/i", 7);
    tree.problem("no-reference", "root/_https/H.io/d/i");
}

#[test]
fn passwords_are_not_shown() {
    let Some(tree) = tree() else { return };
    for uri in ["https://u:s3cret@h.io/i", "http://h.io/i?token=s3cret", "https://h.io/a#s3cret"] {
        for words in [["add", uri], ["remove", uri], ["refresh", uri]] {
            let (status, stdout, stderr) = run_with(&tree, &words, "");
            assert!(matches!(status, Some(64 | 65)), "{status:?} {stderr}");
            assert!(!stdout.contains("s3cret") && !stderr.contains("s3cret"), "{stderr}");
        }
    }
}

#[test]
fn digests_of_transports_without_any() {
    let Some(tree) = tree() else { return };
    let file = tree.image("new.sif", 9);
    let digest = format!("sha256:{}", "0f".repeat(32));
    let import =
        |uri| run_with(&tree, &["import", "--digest", &digest, file.to_str().unwrap(), uri], "");
    let (status, _, stderr) = import("https://h.io/other");
    assert_eq!(status, Some(64), "{stderr}");
    assert!(stderr.contains("https://h.io/other: images of this transport have no digest"));
    assert_eq!(import("oras://h.io/o/pinned:1").0, Some(0));
    assert!(tree.path(format!("root/_oras/h.io/o/pinned@{digest}")).is_file());
}

#[test]
fn log_lines_with_and_without_a_transport() {
    let Some(tree) = tree() else { return };
    let log: String =
        ["oras://h.io/o/i:2", "https://h.io/x", "docker.io/o/none:1", "library://a/b,c"]
            .iter()
            .map(|reference| {
                format!(
                    "2026-11-24T03:03:15Z n1 sifcache: event=miss job=8 step=0 node=0 uid=1 \
                 reference={reference}\n"
                )
            })
            .collect();
    let file = tree.file("log", log.as_bytes());
    let misses = done(&tree, &["misses", "--refs", "--log", file.to_str().unwrap()]);
    let mut lines: Vec<&str> = misses.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["https://h.io/x", "o/none:1", "oras://h.io/o/i:2"]);
}
