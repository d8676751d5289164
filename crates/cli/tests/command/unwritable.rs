//! Files outside of the image roots that cannot be written: the message names the path at fault and a
//! remedy for it, and the exit status is that of the help.

use crate::tree::{Tree, mode};
use std::process::{Command, Stdio};

/// Any user but root.
const USER: &str = "1234";

/// Runs the command as an ordinary user. Returns the exit status and the message.
fn run(tree: &Tree, words: &str) -> (Option<i32>, String) {
    let (status, _, message) = run_all(tree, words);
    (status, message)
}

/// Runs the command as an ordinary user. Returns the exit status and both outputs.
fn run_all(tree: &Tree, words: &str) -> (Option<i32>, String, String) {
    let words = words.replace("TOP/", &tree.text(""));
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]);
    command.arg(env!("CARGO_BIN_EXE_sifcache")).args(words.split(' ')).current_dir("/");
    command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", tree.text("bin")));
    command.env("APPTAINER_TMPDIR", tree.path("none")).env("SLURM_CONF", tree.path("none"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
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

const ABSENT: [(&str, &str); 2] = [
    ("none", "does not exist; check its spelling and its mount, or create it with mkdir -p"),
    ("dangling", "a broken symbolic link; create the directory that it leads to, or mount it"),
];

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
        "remove --yes o/i:1",
    ] {
        for (root, problem) in ABSENT {
            let (status, message) = run(&tree, &format!("{words} --root TOP/{root}"));
            assert_eq!(status, Some(78), "{words}: {message}");
            let expected = format!("sifcache: image root {}: {problem}\n", tree.text(root));
            assert_eq!(message, expected, "{words}");
        }
    }
    assert!(!tree.path("none").exists());
}

/// `add` needs no permission to write if all images are there.
#[test]
fn images_that_are_already_there() {
    let Some(tree) = Tree::new() else { return };
    let add = |words: &str| run_all(&tree, &format!("add --root TOP/root {words}"));
    let present = |names: &str| {
        let line =
            |name| format!("present     o/{name}  {}\n", tree.text(&format!("root/o/{name}")));
        (Some(0), names.split(' ').map(line).collect::<String>(), String::new())
    };
    assert_eq!(add("o/good:1"), present("good:1"));
    tree.image("root/o/other:1", 2);
    assert_eq!(add("o/good:1 o/other:1"), present("good:1 other:1"));
    let json = add("--json o/good:1").1;
    assert!(
        json.contains("\"event\":\"present\"") || json.contains("\"status\":\"present\""),
        "{json}"
    );
    // Something has to be changed: an image is missing, is to be replaced, or is damaged.
    tree.file("root/o/damaged:1", &sif_fixture::Sif::image_of(96).bytes()[..800]);
    let expected = format!("sifcache: cannot write {}: ", tree.text("root/.sifcache"));
    for words in ["o/good:1 o/none:1", "--force o/good:1", "o/damaged:1"] {
        let (status, stdout, stderr) = add(words);
        assert_eq!((status, stdout.as_str()), (Some(77), ""), "{words}: {stderr}");
        assert!(stderr.starts_with(&expected), "{words}: {stderr}");
    }
    // Whether a digest was requested on its own is recorded.
    let digest = format!("d@sha256:{}", "0f".repeat(32));
    let import =
        format!("import --root {} {} o/d:1", tree.text("root"), tree.text("root/o/good:1"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    assert!(command.args(import.split(' ')).output().unwrap().status.success());
    let metadata = tree.path("root/.sifcache/metadata/o");
    std::fs::hard_link(tree.path("root/o/d:1"), tree.path("root/o").join(&digest)).unwrap();
    let record = metadata.join(format!("{digest}.json"));
    std::fs::copy(metadata.join("d:1.json"), &record).unwrap();
    assert_eq!(add("o/d:1"), present("d:1"));
    assert_eq!(add(&format!("o/{digest}")).0, Some(77));
    let text = std::fs::read_to_string(&record)
        .unwrap()
        .replace("docker.io/o/d:1\"", &format!("docker.io/o/{digest}\""));
    std::fs::write(&record, text).unwrap();
    assert_eq!(add(&format!("o/{digest}")), present(&digest));
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
