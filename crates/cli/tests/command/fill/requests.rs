//! `sifcache request` with the listener of a real `sifcache fill`. No queue file can be read, so what
//! the command prints was sent as news.

use super::news::{Filler, WAITS};
use super::{FAILS, REGISTRY, Running, end, signal};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// A runtime that writes a note, and then pulls once the test allows it.
const NOTES: &str = r#"echo >> "$NOTES/calls"; await"#;

/// Replaces the directory of the queue files by a file. The filler reports this, and goes on.
fn hide_queue(filler: &Filler) {
    let queue = filler.site.path("root/.sifcache/queue");
    filler.site.wait("the queue", || queue.join("beat").exists());
    // The filler may create the directory again.
    filler.site.wait("a file", || {
        let _ = fs::rename(&queue, filler.site.directory.path().join("hidden"));
        let _ = fs::remove_dir_all(filler.site.directory.path().join("hidden"));
        fs::write(&queue, "").is_ok()
    });
}

fn request(filler: &Filler, words: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["request", "--json", "--root"]).arg(filler.site.path("root"));
    command.args(["--untrusted=accept", "--to", &filler.address]);
    command.args(words.iter().map(|name| format!("{REGISTRY}/{name}")));
    command.env("LD_LIBRARY_PATH", filler.site.path("")).stdin(Stdio::null());
    Running(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
}

/// The result of one image: the exit status, the word and the reason.
#[track_caller]
fn result(child: Running) -> (Option<i32>, String, String) {
    let output = end(child);
    let object: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    assert!(!text("status").is_empty(), "{output:?}");
    (output.status, text("status"), text("reason"))
}

#[test]
fn an_image_that_is_added_after_some_time() {
    let filler = Filler::start(WAITS);
    hide_queue(&filler);
    let child = request(&filler, &["o/i:1"]);
    // Longer than a filler has for its first answer.
    sleep(Duration::from_secs(3));
    fs::write(filler.site.path("notes/go"), "").unwrap();
    assert_eq!(result(child), (Some(0), "added".to_owned(), String::new()));
    signal(&filler.child, "-TERM");
    assert!(end(filler.child).stderr.contains("queue"));
}

#[test]
fn the_reasons_of_images_that_are_not_added() {
    let filler = Filler::start(FAILS);
    hide_queue(&filler);
    let (status, word, reason) = result(request(&filler, &["o/i:1"]));
    assert_eq!((status, word.as_str()), (Some(1), "failed"), "{reason}");
    assert!(reason.contains("no such image"), "{reason}");
    let (status, word, reason) = result(request(&filler, &["forbidden/i:1"]));
    assert_eq!((status, word.as_str()), (Some(1), "refused"), "{reason}");
}

/// The command reads the queue files of the images for which it gets no news.
#[test]
fn many_images_at_once() {
    let filler = Filler::start(WAITS);
    let names: Vec<String> = (0..20).map(|number| format!("o/i:{number}")).collect();
    let child = request(&filler, &names.iter().map(String::as_str).collect::<Vec<_>>());
    filler.site.wait("all entries", || filler.site.queue().len() == names.len());
    fs::write(filler.site.path("notes/go"), "").unwrap();
    let output = end(child);
    assert_eq!(output.status, Some(0), "{output:?}");
    assert_eq!(output.stdout.matches(r#""status":"added""#).count(), names.len(), "{output:?}");
}

/// The filler ends while the command waits, and there is no queue file to go on with.
#[test]
fn a_filler_that_ends() {
    let filler = Filler::start(NOTES);
    hide_queue(&filler);
    let child = request(&filler, &["o/i:1"]);
    filler.site.wait("a pull", || filler.site.calls() > 0);
    signal(&filler.child, "-KILL");
    let (status, word, reason) = result(child);
    assert_eq!((status, word.as_str()), (Some(69), "no-filler"), "{reason}");
}
