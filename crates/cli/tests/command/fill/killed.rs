//! The filler is killed or ended at each step: only complete images stay, and no request is lost.

use super::leftovers::{strace, traced};
use super::{PULLS, Site, end, signal};
use std::fs;

/// A runtime that stops at this step until the file `go` exists. `$2` is the new file.
fn stops_at(step: &str) -> String {
    let mut script = String::new();
    for (name, command) in [
        ("begun", ""),
        ("half", r#"head -c 400 "$NOTES/../image" > "$2""#),
        ("whole", r#"cp "$NOTES/../image" "$2""#),
    ] {
        script.push_str(command);
        if name == step {
            script.push_str("\necho $$ > \"$NOTES/stopped\"\nawait\n");
        }
        script.push('\n');
    }
    script
}

#[test]
fn kill_at_each_step() {
    for step in ["begun", "half", "whole"] {
        let site = Site::new(&stops_at(step));
        site.miss(1001, "o/i:1");
        site.miss(1002, "o/i:2");
        let child = site.start(&["--once", "--jobs=1"]);
        site.wait(step, || site.path("notes/stopped").exists());
        signal(&child, "-KILL");
        assert_eq!(end(child).status, None);
        fs::write(site.path("notes/go"), "").unwrap();
        assert!(!site.path("root/127.0.0.1:1").exists(), "{step}");
        site.runtime(PULLS);
        let output = site.fill(&["--once"]);
        assert_eq!(output.status, Some(0), "{step}: {output:?}");
        assert!(site.has("o/i:1") && site.has("o/i:2") && site.calls() == 2, "{step}: {output:?}");
    }
}

#[test]
fn a_filler_that_is_killed_between_the_pull_and_the_save_does_not_pull_again() {
    let site = Site::new(PULLS);
    site.miss(1001, "o/i:1");
    assert_eq!(site.fill(&["--once"]).status, Some(0));
    // The state as it was before.
    fs::remove_file(site.path("root/.sifcache/fill/state.json")).unwrap();
    let output = site.fill(&["--once"]);
    assert_eq!((output.status, output.stdout.as_str(), site.calls()), (Some(0), "", 1));
}

#[test]
fn signals_end_it_cleanly() {
    for (name, status) in [("-TERM", 143), ("-INT", 130)] {
        let site = Site::new(&stops_at("half"));
        site.miss(1001, "o/i:1");
        let child = site.start(&["--once"]);
        site.wait(name, || site.path("notes/stopped").exists());
        signal(&child, name);
        let output = end(child);
        assert_eq!((output.status, output.stdout.as_str()), (Some(status), ""), "{output:?}");
        assert!(site.is_clean() && !site.path("root/127.0.0.1:1").exists());
        // The request is in the saved state.
        fs::remove_file(site.path("log")).unwrap();
        fs::write(site.path("log"), "").unwrap();
        site.runtime(PULLS);
        assert_eq!(site.fill(&["--once"]).status, Some(0));
        assert!(site.has("o/i:1"), "{name}");
    }
}

#[test]
fn a_second_filler_says_so_or_waits() {
    let site = Site::new(&stops_at("begun"));
    site.miss(1001, "o/i:1");
    let first = site.start(&["--once"]);
    site.wait("begun", || site.path("notes/stopped").exists());
    let output = site.fill(&["--once"]);
    assert_eq!(output.status, Some(69), "{output:?}");
    let holder = format!("process {} on ", first.id());
    assert!(output.stderr.contains(&holder), "{output:?}");
    site.runtime(PULLS);
    let second = site.start(&["--follow"]);
    fs::write(site.path("notes/go"), "").unwrap();
    assert_eq!(end(first).status, Some(0));
    site.miss(1001, "o/i:2");
    site.wait("o/i:2", || site.has("o/i:2"));
    signal(&second, "-TERM");
    let output = end(second);
    assert_eq!(output.status, Some(143), "{output:?}");
    assert!(output.stderr.contains("interrupted"), "{output:?}");
}

/// The calls that change names, directories and what is on the disk.
const CHANGES: &str = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,fsync,\
    fdatasync,ftruncate";

/// The filler is killed at the first, second, … change of its files that one of its threads makes,
/// until it ends by itself. Without SIFCACHE_THOROUGH, only some of them are tried.
#[test]
fn kill_at_each_change_of_a_file() {
    let step = if std::env::var_os("SIFCACHE_THOROUGH").is_some() { 1 } else { 3 };
    for number in (1..).step_by(step) {
        let inject = format!("inject={CHANGES}:signal=KILL:when={number}");
        let Some(strace) = strace(&["-e", &format!("trace={CHANGES}"), "-e", &inject]) else {
            return;
        };
        let site = Site::new(PULLS);
        for name in ["o/i:1", "o/i:2", "forbidden/i:1"] {
            site.miss(1001, name);
        }
        let child = traced(&site, &strace, &["--once", "--jobs=1"]);
        let output = end(child);
        if output.status == Some(0) {
            assert!(number > 3, "strace kills nothing: {output:?}");
            return;
        }
        // What jobs and the next filler read is complete.
        for name in ["o/i:1", "o/i:2"] {
            let path = site.path("root/127.0.0.1:1").join(name);
            assert!(site.has(name) || !path.exists(), "{number}: {name}");
        }
        let state = fs::read(site.path("root/.sifcache/fill/state.json"));
        let is_complete =
            |bytes: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&bytes).is_ok();
        assert!(state.map_or(true, is_complete), "{number}");
        let before = site.calls();
        if site.path("root/.sifcache/queue").exists() {
            let is_entry =
                |text: &String| sifcache_core::queue::Entry::parse(text.as_bytes()).is_some();
            assert!(site.queue().iter().all(is_entry), "{number}: {:?}", site.queue());
        }
        let output = site.fill(&["--once"]);
        assert_eq!(output.status, Some(0), "{number}: {output:?}");
        assert!(!output.stderr.contains("damaged"), "{number}: {output:?}");
        assert!(site.has("o/i:1") && site.has("o/i:2") && site.is_clean(), "{number}: {output:?}");
        // At most the image that was being added is pulled again.
        assert!((2..=3).contains(&site.calls()), "{number}: {before}, then {}", site.calls());
        assert_eq!(site.queue().iter().filter(|text| text.contains("state=refused")).count(), 1);
    }
}
