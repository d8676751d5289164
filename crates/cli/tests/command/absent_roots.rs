//! Commands that only read: an image root that does not exist must not look like an empty one.

use crate::tree::Tree;
use serde_json::Value;
use std::process::{Command, Output, Stdio};

const ADVICE: &str = "does not exist; check its spelling and its mount, or create it with mkdir -p";

/// Runs the command; TOP is the directory of the roots.
fn run(tree: &Tree, words: &str) -> Output {
    let words = words.replace("TOP", tree.text("").trim_end_matches('/'));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(words.split(' ')).env_clear().env("PATH", tree.path("bin"));
    command.env("SLURM_CONF", tree.path("none/slurm.conf")).stdin(Stdio::null());
    command.output().unwrap()
}

/// Runs the command, and returns the exit status and the two outputs.
fn outcome(tree: &Tree, words: &str) -> (Option<i32>, String, String) {
    let output = run(tree, words);
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), stdout, stderr)
}

/// A tree with a log, and a plugstack.conf with these roots below its top.
fn tree(roots: &[&str]) -> Option<Tree> {
    let tree = Tree::new()?;
    tree.file("log", b"2026-01-01T00:00:00Z n1 sshd[1]: started\n");
    let roots: Vec<String> = roots.iter().map(|root| tree.text(root)).collect();
    let line = format!("optional spank_sifcache.so image_root={}\n", roots.join(":"));
    tree.file("plugstack.conf", line.as_bytes());
    Some(tree)
}

/// The commands that read an image root and say nothing about one that does not exist.
const READERS: [&str; 8] = [
    "list",
    "list --json",
    "list good",
    "list --refs",
    "queue",
    "queue --json",
    "view --list",
    "view --list --json",
];

#[test]
fn the_only_root_does_not_exist() {
    let Some(tree) = tree(&["none"]) else { return };
    let more = ["view", "view --dry-run", "hits --log TOP/log", "misses --json --log TOP/log"];
    let request = "request o/good:1 --no-wait --to localhost:1";
    let expected = format!("sifcache: image root {}: {ADVICE}\n", tree.text("none"));
    for words in READERS.iter().chain(&more).chain([&request]) {
        let found = outcome(&tree, &format!("{words} --root TOP/none"));
        assert_eq!(found, (Some(78), String::new(), expected.clone()), "{words}");
    }
    for words in READERS {
        let found = outcome(&tree, &format!("{words} --plugstack TOP/plugstack.conf"));
        assert_eq!(found, (Some(78), String::new(), expected.clone()), "{words}");
    }
    // The logs of a cluster can be read on a host without its image roots.
    for words in ["hits", "misses"] {
        let words = format!("{words} --log TOP/log --plugstack TOP/plugstack.conf");
        assert_eq!(outcome(&tree, &words).0, Some(0), "{words}");
    }
}

#[test]
fn one_of_several_roots_does_not_exist() {
    let Some(tree) = tree(&["none", "root"]) else { return };
    // A node may lack a root of the site.
    for words in READERS {
        let found = outcome(&tree, &format!("{words} --plugstack TOP/plugstack.conf"));
        assert_eq!((found.0, found.2.as_str()), (Some(0), ""), "{words}");
    }
    // In --root, its name may be misspelt.
    let line = format!("sifcache: image root {}: {ADVICE}\n", tree.text("none"));
    for (words, status, stdout) in
        [("list --refs", 74, "o/good:1\n"), ("view --list", 0, "no names\n")]
    {
        let found = outcome(&tree, &format!("{words} --root TOP/none:TOP/root"));
        assert_eq!(found, (Some(status), stdout.to_owned(), line.clone()), "{words}");
    }
    let output = run(&tree, "list --json --root TOP/none:TOP/root");
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["total"]["images"], 1);
    let failed = serde_json::json!([{"root": tree.text("none"), "problem": ADVICE}]);
    assert_eq!(object["failed"], failed);
    assert_eq!(outcome(&tree, "queue --root TOP/none:TOP/root").0, Some(0));
    // All roots are named if none exists, also those of other tools.
    let found = outcome(&tree, "list --root TOP/none:galaxy=TOP/depot");
    let lines = line + &format!("sifcache: image root {}: {ADVICE}\n", tree.text("depot"));
    assert_eq!(found, (Some(78), String::new(), lines));
}

/// A new image root has no `.sifcache` yet.
#[test]
fn a_new_root_is_empty() {
    let Some(tree) = tree(&["new"]) else { return };
    tree.directory("new");
    for words in READERS.iter().filter(|words| !words.contains("good")) {
        let found = outcome(&tree, &format!("{words} --root TOP/new"));
        assert_eq!((found.0, found.2.as_str()), (Some(0), ""), "{words}");
    }
}

/// The path of an image in place of its root.
#[test]
fn a_file_is_no_root() {
    let Some(tree) = tree(&["none"]) else { return };
    let problem = "not a directory; give the directory that contains the images";
    let expected = format!("sifcache: image root {}: {problem}\n", tree.text("log"));
    for words in READERS.iter().chain(&["hits --log TOP/log", "gc --dry-run", "remove o/i:1"]) {
        let found = outcome(&tree, &format!("{words} --root TOP/log"));
        assert_eq!(found, (Some(78), String::new(), expected.clone()), "{words}");
    }
}
