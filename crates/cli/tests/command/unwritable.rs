//! Files outside of the image roots that cannot be written: the message names the path at fault and a
//! remedy for it, and the exit status is that of the help.

use crate::tree::{Tree, mode};
use std::process::{Command, Stdio};

/// Any user but root.
const USER: &str = "1234";

/// Runs the command as an ordinary user. Returns the exit status and the message.
fn run(tree: &Tree, words: &str) -> (Option<i32>, String) {
    let words = words.replace("TOP/", &tree.text(""));
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
    command.arg(env!("CARGO_BIN_EXE_sifcache")).args(words.split(' ')).current_dir("/");
    command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", tree.text("bin")));
    command.env("APPTAINER_TMPDIR", tree.path("none")).env("SLURM_CONF", tree.path("none"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The image root is that of the user.
fn own_root(tree: &Tree) {
    let user = USER.parse().unwrap();
    std::os::unix::fs::chown(tree.path("root"), Some(user), Some(user)).unwrap();
}

const THERE: &str = "; run this as a user that may write there";
const STATE: &str =
    "; name another file with --state FILE, or leave out the counters with --no-counters";
const METRICS: &str = "metrics --root TOP/root --log TOP/log --state";
const GAUGES: &str = "metrics --root TOP/root --no-counters --textfile";
const VIEW: &str = "view --root TOP/root --untrusted accept --for nextflow";

#[test]
fn the_message_names_the_path_at_fault() {
    let Some(tree) = Tree::new() else { return };
    tree.file("log", b"");
    tree.directory("closed");
    own_root(&tree);
    for (words, path, status, begin, end) in [
        (
            GAUGES,
            "none",
            73,
            "cannot write none/sifcache.prom: ",
            "; create the directory none first",
        ),
        (GAUGES, "closed", 77, "cannot write closed/sifcache.prom: ", THERE),
        (METRICS, "none/a/b", 73, "--state: cannot write none/a/b: ", STATE),
        (METRICS, "closed/b", 77, "--state: cannot write closed/b: ", STATE),
        (VIEW, "closed/view", 77, "cannot write closed/view", THERE),
        (VIEW, "closed", 77, "cannot write closed/", THERE),
    ] {
        let (found, message) = run(&tree, &format!("{words} TOP/{path}"));
        let message = message.replace(&tree.text(""), "");
        assert_eq!(found, Some(status), "{words}: {message}");
        assert!(message.starts_with(&format!("sifcache: {begin}")), "{words}: {message}");
        assert!(message.ends_with(&format!("{end}\n")), "{words}: {message}");
        assert!(!message.contains("image root"), "{words}: {message}");
    }
}

/// What would be changed is shown for an image root that exists, as for the change itself: a name with
/// a spelling mistake must not look like an empty cache.
#[test]
fn an_image_root_that_does_not_exist() {
    let Some(tree) = Tree::new() else { return };
    std::os::unix::fs::symlink("nowhere", tree.path("dangling")).unwrap();
    for words in [
        "add --dry-run o/i:1",
        "add o/i:1",
        "gc --dry-run --older-than 1d",
        "gc",
        "refresh --all --check",
        "refresh --all",
        "refresh --check o/i:1",
    ] {
        for (root, problem) in [("none", "does not exist"), ("dangling", "a broken symbolic link")]
        {
            let (status, message) = run(&tree, &format!("{words} --root TOP/{root}"));
            assert_eq!(status, Some(78), "{words}: {message}");
            let expected = format!("sifcache: image root {}: {problem}\n", tree.text(root));
            assert_eq!(message, expected, "{words}");
        }
    }
    assert!(!tree.path("none").exists());
}

/// The counters of a state file that cannot be read may still be valid.
#[test]
fn a_state_file_that_cannot_be_read() {
    let Some(tree) = Tree::new() else { return };
    tree.file("log", b"");
    std::fs::create_dir(tree.path("state.json")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let words = "metrics --root TOP/root --log TOP/log --state TOP/state.json";
    let words = words.replace("TOP/", &tree.text(""));
    let output = command.args(words.split(' ')).stdin(Stdio::null()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(74), "{message}");
    let begin = format!("sifcache: --state: cannot read {}: ", tree.text("state.json"));
    assert!(message.starts_with(&begin), "{message}");
}

/// The directory for temporary files of a pull.
#[test]
fn a_missing_temporary_directory() {
    let Some(tree) = Tree::new() else { return };
    mode(&tree.file("bin/apptainer", b"#!/bin/sh\necho test 1\n"), 0o755);
    own_root(&tree);
    let (status, message) = run(&tree, "add --root TOP/root --untrusted accept 127.0.0.1:1/o/i:1");
    let [none, user] =
        ["none".to_owned(), format!("none/sifcache-{USER}")].map(|one| tree.text(&one));
    assert_eq!(status, Some(73), "{message}");
    let expected = format!(
        "cannot write {user}: No such file or directory (os error 2); create the \
                            directory {none} first"
    );
    assert!(message.contains(&expected), "{message}");
}
