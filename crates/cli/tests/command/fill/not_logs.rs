//! Files that are not logs, alone and beside a log.

use super::{PULLS, Running, Site, end, signal};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// Files with content that are no logs, each with the message.
fn files() -> [(&'static str, Vec<u8>, &'static str); 5] {
    let why = "no line starts like a log line";
    // More than a filler reads before it saves its position.
    let long = b"\x7fELF\x02\x01\n".repeat(2 << 20);
    [
        ("text", b"this is no log\n".to_vec(), why),
        ("one incomplete line", b"this is no log".to_vec(), why),
        ("binary", long, why),
        ("compressed", gzip(b"this is no log\n"), why),
        ("lz4", [&[0x04, 0x22, 0x4d, 0x18], [0; 20].as_slice()].concat(), "compressed with lz4"),
    ]
}

/// The same status and reason as `sifcache misses`, in each run.
#[test]
fn a_file_that_is_no_log_is_wrong_input() {
    let site = Site::new(PULLS);
    for (what, bytes, message) in files() {
        fs::write(site.path("log"), bytes).unwrap();
        for words in [&["--once"][..], &["--once"], &["--once", "--dry-run"]] {
            let output = site.fill(words);
            assert_eq!(output.status, Some(65), "{what} {words:?}: {output:?}");
            let log = site.path("log").display().to_string();
            assert!(output.stderr.contains(&format!("{log}: ")), "{what}: {output:?}");
            assert!(output.stderr.contains(message), "{what}: {output:?}");
            assert!(output.stdout.is_empty(), "{what}: {output:?}");
        }
    }
    fs::remove_file(site.path("log")).unwrap();
    fs::create_dir(site.path("log")).unwrap();
    let output = site.fill(&["--once"]);
    assert_eq!(output.status, Some(65), "{output:?}");
    assert!(output.stderr.contains("log: the directory has no journal files"), "{output:?}");
    // Once the file is a log, it is read.
    fs::remove_dir(site.path("log")).unwrap();
    site.miss(1001, "o/i:1");
    let output = site.fill(&["--once"]);
    assert_eq!((output.status, site.has("o/i:1")), (Some(0), true), "{output:?}");
}

#[test]
fn a_file_that_is_no_log_does_not_hide_a_log() {
    let site = Site::new(PULLS);
    site.miss(1001, "o/i:1");
    fs::write(site.path("text"), "this is no log\n").unwrap();
    fs::write(site.path("empty"), "").unwrap();
    let [text, empty] = ["text", "empty"].map(|name| site.path(name).display().to_string());
    let output = site.fill(&["--once", "--log", &text, "--log", &empty]);
    assert_eq!((output.status, site.has("o/i:1")), (Some(0), true), "{output:?}");
    let reasons = [(&text, "no line starts like a log line"), (&empty, "it is empty")];
    for (path, why) in reasons {
        assert!(output.stderr.contains(&format!("skipped {path}: {why}")), "{output:?}");
    }
}

/// A timer must not fail because nothing was logged yet, or because a log was rotated.
#[test]
fn a_log_without_new_lines_is_no_error() {
    let site = Site::new(PULLS);
    fs::write(site.path("log"), "").unwrap();
    let output = site.fill(&["--once"]);
    assert_eq!(output.status, Some(0), "{output:?}");
    assert!(output.stderr.contains("log: it is empty"), "{output:?}");
    site.miss(1001, "o/i:1");
    assert_eq!(site.fill(&["--once"]).status, Some(0));
    fs::rename(site.path("log"), site.path("log.1")).unwrap();
    fs::write(site.path("log"), "").unwrap();
    for _ in 0..2 {
        let output = site.fill(&["--once"]);
        assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    }
    // The end of the line that was cut is the start of the new file.
    fs::write(site.path("log"), "ference=docker.io/o/i:2\n").unwrap();
    let output = site.fill(&["--once"]);
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    // The rotated file is gone, and nothing was logged since.
    fs::write(site.path("log"), "").unwrap();
    fs::remove_file(site.path("log.1")).unwrap();
    let output = site.fill(&["--once"]);
    assert_eq!((output.status, output.stderr.contains("empty")), (Some(0), false), "{output:?}");
}

#[test]
fn standard_input_that_is_no_log() {
    let site = Site::new(PULLS);
    for (input, status, message) in [
        ("this is no log\n", 65, "standard input: no line starts like a log line"),
        ("this is no log", 65, "standard input: no line starts like a log line"),
        ("", 0, "skipped standard input: it is empty"),
    ] {
        let mut command = site.command_without_log(&["--once", "--log", "-"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = end(Running(Some(child)));
        assert_eq!(output.status, Some(status), "{input} {output:?}");
        assert!(output.stderr.contains(message), "{output:?}");
    }
}

/// A service goes on, says so once, and reads the lines of the log that comes later.
#[test]
fn a_service_follows_a_file_that_is_no_log_yet() {
    let site = Site::new(PULLS);
    fs::write(site.path("log"), "this is no log\n").unwrap();
    let mut child = site.start(&["--follow"]);
    let mut stderr = BufReader::new(child.0.as_mut().unwrap().stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    let message = "log: no line starts like a log line";
    assert!(first.contains(message), "{first}");
    let mut log = OpenOptions::new().append(true).open(site.path("log")).unwrap();
    writeln!(log, "nor is this").unwrap();
    site.miss(1001, "o/i:1");
    site.wait("o/i:1", || site.has("o/i:1"));
    signal(&child, "-TERM");
    let output = end(child);
    assert_eq!(output.status, Some(143), "{output:?}");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains(message), "{rest}");
}
