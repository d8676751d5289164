//! Two `sifcache refresh` of one image at the same time: the second one waits, and then does not pull
//! what the first one has just pulled.

use super::{image, tagged};
use crate::tree::{Tree, mode, pulled};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than any step takes, even on a machine under load.
const LONG: Duration = Duration::from_secs(60);

/// Two commands, and how they ended: the status in their JSON objects, or `failed`.
struct Two {
    first: String,
    second: String,
    /// The number of pulls.
    pulls: usize,
}

/// Starts a refresh, and another one while the first one pulls. `end` are the commands of the shell
/// with which the first pull ends.
fn two(tree: &Tree, reference: &str, end: &str) -> Two {
    let own = tree.image("own.sif", 8);
    let script = format!(
        "#!/bin/sh\ncase $* in\n--version) echo test version 1; exit;;\nesac\n\
         echo pull >>{log}\nif [ $(/bin/grep -c . {log}) = 1 ]; then\n\
         while [ -e {log} ] && [ ! -e {go} ]; do /bin/sleep 0.05; done\n{end}\nfi\n/bin/cp {own} \"$2\"\n",
        log = tree.text("pulls"),
        go = tree.text("go"),
        own = own.display()
    );
    let runtime = tree.file("bin/apptainer", script.as_bytes());
    mode(&runtime, 0o755);
    let first = start(tree, &runtime, reference);
    wait_for(|| tree.path("pulls").exists());
    let mut second = start(tree, &runtime, reference);
    let mut messages = BufReader::new(second.stderr.take().unwrap()).lines();
    let waits = |line: &String| line.contains("another command is working on it; waiting");
    assert!(messages.by_ref().map_while(Result::ok).any(|line| waits(&line)), "it does not wait");
    tree.file("go", b"");
    let (first, second) = (ended(first), ended(second));
    let pulls = fs::read_to_string(tree.path("pulls")).unwrap().lines().count();
    Two { first, second, pulls }
}

fn start(tree: &Tree, runtime: &Path, reference: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["refresh", "--no-https", "--json", "--engine", "runtime", "--root"]);
    command.arg(tree.path("root")).arg("--runtime").arg(runtime).arg(reference);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn ended(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    object["status"].as_str().unwrap().to_owned()
}

#[track_caller]
fn wait_for(is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < LONG, "nothing happens");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_tag_that_has_moved_is_pulled_once() {
    let Some(tree) = Tree::new() else { return };
    let server = tagged(Arc::new(AtomicBool::new(true)));
    let reference = format!("{}/o/i:1", server.address);
    tree.file(format!("root/{reference}"), &image(&reference, "1.5.0", &reference));
    let two = two(&tree, &reference, "");
    assert_eq!([two.first.as_str(), &two.second], ["refreshed", "unchanged"]);
    assert_eq!(two.pulls, 1);
}

/// A library has no digest to compare.
#[test]
fn an_image_without_a_digest_is_pulled_once() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/_library/e/c/i:1", &pulled("e/c/i:1", &[]));
    let two = two(&tree, "library://e/c/i:1", "");
    assert_eq!([two.first.as_str(), &two.second], ["refreshed", "unchanged"]);
    assert_eq!(two.pulls, 1);
}

/// The file that has appeared meanwhile was not pulled, so it says nothing about the tag.
#[test]
fn a_file_that_was_copied_meanwhile_is_replaced() {
    let Some(tree) = Tree::new() else { return };
    tree.file("root/_library/e/c/i:1", &pulled("e/c/i:1", &[]));
    let other = tree.image("other.sif", 9);
    let copy =
        format!("/bin/cp {} {}; exit 1", other.display(), tree.text("root/_library/e/c/i:1"));
    let two = two(&tree, "library://e/c/i:1", &copy);
    assert_eq!([two.first.as_str(), &two.second], ["failed", "refreshed"]);
    assert_eq!(two.pulls, 2);
}
