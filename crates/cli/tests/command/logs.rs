//! `sifcache misses` and `hits` as commands, with logs in every format.

use bzip2::write::BzEncoder;
use flate2::Compression;
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Runs the command in a directory where it finds no settings.
fn run(directory: &Path, words: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(words).current_dir(directory).env_clear();
    command.env("SLURM_CONF", directory.join("none/slurm.conf")).env("TZ", "UTC");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn miss(job: u32, uid: u32, reference: &str) -> String {
    format!("event=miss job={job} step=0 node=0 tasks=2 uid={uid} reference={reference}")
}

/// Logs with misses of several jobs, one in each format.
fn logs() -> TempDir {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    let message = miss(1, 1001, "docker.io/library/ubuntu:22.04");
    fs::write(at("rfc3164"), format!("Jan  2 03:04:05 n1 sifcache: {message}\n")).unwrap();
    let message = miss(2, 1002, "docker.io/library/ubuntu:22.04");
    let nonsense = b"\0\xff\xfe sifcache \n\nsifcache: event=miss\n{sifcache\n";
    let mut iso = nonsense.to_vec();
    iso.extend(format!("<30>2026-01-03T03:04:05.5+01:00 n2 sifcache[7]: {message}\n").bytes());
    iso.extend(vec![b'x'; 3 << 20]);
    fs::write(at("iso"), iso).unwrap();
    let message = miss(3, 1001, "quay.io/o/i:1");
    let entry = format!(
        r#"{{"__REALTIME_TIMESTAMP":"1767500000000000","SYSLOG_IDENTIFIER":"sifcache","MESSAGE":"{message}"}}"#
    );
    fs::write(at("journal"), entry).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let message = miss(4, 1003, "docker.io/library/ubuntu:22.04");
    packed.write_all(format!("2026-01-05T00:00:00Z n1 sifcache: {message}\n").as_bytes()).unwrap();
    fs::write(at("old.gz"), packed.finish().unwrap()).unwrap();
    directory
}

#[test]
fn every_log_format_is_counted() {
    let directory = logs();
    let words = ["misses", "--json", "--log", "rfc3164", "iso", "journal", "old.gz"];
    let output = run(directory.path(), &words, b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &object["misses"][0];
    assert_eq!(first["reference"], "ubuntu:22.04");
    let numbers = ["launches", "jobs", "users"].map(|key| first[key].as_u64().unwrap());
    assert_eq!(numbers, [6, 3, 3]);
    assert_eq!(object["misses"][1]["reference"], "quay.io/o/i:1");
    assert_eq!(object["misses"].as_array().unwrap().len(), 2);
    assert!(output.stderr.is_empty(), "{output:?}");
}

/// The same file twice, also under another name.
#[test]
fn no_line_is_counted_twice() {
    let directory = logs();
    std::os::unix::fs::symlink("iso", directory.path().join("link")).unwrap();
    for (log, skipped) in
        [(&["iso"][..], &[][..]), (&["iso", "iso", "link", "./iso"], &["link", "./iso"])]
    {
        let words = [&["misses", "--json", "--log"], log].concat();
        let output = run(directory.path(), &words, b"");
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(object["misses"][0]["launches"], 2, "{object}");
        let found = object["skipped"].as_array().unwrap().iter().map(|one| one["path"].clone());
        assert_eq!(found.collect::<Vec<_>>(), skipped, "{object}");
    }
}

#[test]
fn misses_can_be_filtered() {
    let directory = logs();
    let all = ["--log", "rfc3164", "iso", "journal", "old.gz"];
    let refs = |more: &[&str]| {
        let words = [&["misses", "--refs"], more, &all].concat();
        let output = run(directory.path(), &words, b"");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(refs(&[]), "ubuntu:22.04\nquay.io/o/i:1\n");
    assert_eq!(refs(&["--min-users", "2"]), "ubuntu:22.04\n");
    assert_eq!(refs(&["--limit", "1"]), "ubuntu:22.04\n");
    assert_eq!(refs(&["--limit", "0"]), "");
    // What is left out is not missing.
    for (limit, expected) in [("0", "2 more are left out (--limit)\n"), ("2", "REFERENCE")] {
        let words = [&["misses", "--limit", limit], &all[..]].concat();
        let page = String::from_utf8(run(directory.path(), &words, b"").stdout).unwrap();
        assert!(page.starts_with(expected), "{page}");
        assert_eq!(page.contains("left out"), limit == "0", "{page}");
    }
    assert_eq!(refs(&["--limit", "1"]), "ubuntu:22.04\n");
    assert_eq!(refs(&["--since", "2026-01-04", "--until", "2026-01-05"]), "quay.io/o/i:1\n");
    assert_eq!(refs(&["--since", "2026-01-06"]), "");
}

#[test]
fn from_a_pipe() {
    let directory = logs();
    let log = fs::read(directory.path().join("iso")).unwrap();
    let output = run(directory.path(), &["misses", "--refs", "--log", "-"], &log);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ubuntu:22.04\n");
}

#[test]
fn a_file_that_is_not_a_log_is_reported() {
    let directory = logs();
    fs::write(directory.path().join("text"), "this is no log\n").unwrap();
    for (file, status, message) in [
        ("none", 74, "cannot read none: No such file"),
        ("text", 65, "text: no line starts like a log line"),
    ] {
        let output = run(directory.path(), &["misses", "--log", file], b"");
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(message), "{output:?}");
    }
    for wrong in [["--since", "yesterday"], ["--min-users", "few"]] {
        let output = run(directory.path(), &["misses", wrong[0], wrong[1]], b"");
        assert_eq!(output.status.code(), Some(64), "{output:?}");
    }
}

/// A log in every supported compression, and files that cannot be read.
const COMPRESSED: [&str; 8] =
    ["log", "log.1", "log.2.bz2", "log.3.zst", "log.4.lz4", "log.5", "log.md5", "log.d"];

fn compressed() -> TempDir {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
    let line = |number: u32| {
        let message = miss(number, 1001, &format!("docker.io/o/i:{number}"));
        format!("2026-01-05T00:00:0{number}Z n1 sifcache: {message}\n").into_bytes()
    };
    write("log", &line(1));
    let mut xz = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    xz.write_all(&line(2)).unwrap();
    // The name has no extension for the compression.
    write("log.1", &xz.finish().unwrap());
    let mut bzip2 = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&line(3)).unwrap();
    write("log.2.bz2", &bzip2.finish().unwrap());
    write("log.3.zst", &zstd::encode_all(line(4).as_slice(), 1).unwrap());
    write("log.4.lz4", &[&[0x04, 0x22, 0x4d, 0x18], [0; 20].as_slice()].concat());
    write("log.5", b"");
    write("log.md5", b"d41d8cd98f00b204e9800998ecf8427e  log\n");
    fs::create_dir(directory.path().join("log.d")).unwrap();
    directory
}

/// Logs that logrotate has compressed, with each of the programs that a site may choose.
#[test]
fn compressed_logs_and_files_that_are_skipped() {
    let directory = compressed();
    let misses = |more: &[&str]| {
        let output =
            run(directory.path(), &[&["misses"], more, &["--log"], &COMPRESSED].concat(), b"");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
        (stdout, stderr)
    };
    let (refs, notes) = misses(&["--refs"]);
    assert_eq!(refs, "o/i:1\no/i:2\no/i:3\no/i:4\n");
    let skipped = [
        "skipped log.4.lz4: it is compressed with lz4: use `lz4 -dc log.4.lz4 | sifcache … --log -`",
        "skipped log.5: it is empty",
        "skipped log.md5: no line starts like a log line",
        "skipped log.d: it is a directory",
    ];
    let (text, _) = misses(&[]);
    for line in skipped {
        assert!(notes.contains(line) && text.contains(line), "{line} in {notes} {text}");
    }
    let object: Value = serde_json::from_str(&misses(&["--json"]).0).unwrap();
    let paths: Vec<&str> = object["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["log.4.lz4", "log.5", "log.md5", "log.d"]);
    // If this is the only file, the command fails.
    let output = run(directory.path(), &["misses", "--log", "log.4.lz4"], b"");
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("compressed with lz4"), "{output:?}");
}

/// `misses` also reports the number of unreadable lines, and shows one of them.
#[test]
fn unreadable_lines_are_reported() {
    let directory = TempDir::new().unwrap();
    let message = miss(1, 1001, "docker.io/o/i:1");
    let log = format!("2026-01-05T00:00:00Z n1 up: up\nn1: 2026-01-05 n1 sifcache: {message}\n")
        .repeat(3);
    let output = run(directory.path(), &["misses", "--log", "-"], log.as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("3 lines of sifcache could not be read. For example, in standard input"));
    assert!(text.contains(&message) && text.contains("--output=json"), "{text}");
    let output = run(directory.path(), &["misses", "--json", "--log", "-"], log.as_bytes());
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&object["unread"]["lines"], &object["forged"]), (&3.into(), &0.into()));
    assert!(object["unread"]["example"].as_str().unwrap().contains(&message), "{object}");
}

/// A line with control characters, as a user could write it.
#[test]
fn a_hostile_line_cannot_steer_the_terminal() {
    let directory = logs();
    let line = "2026-01-05T00:00:00Z n1 sifcache: event=miss uid=1 reference=docker.io/o/i:1 \
                refused=\"\\x1b[2J\\n/a\" why=\"\\x1b[31m\"\n";
    let output = run(directory.path(), &["misses", "--log", "-"], line.as_bytes());
    assert!(!output.stdout.contains(&0x1b), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\\u{1b}[2J"), "{output:?}");
}

/// Engines pull more often than they launch, so these commands have counts of their own.
#[test]
fn launches_pulls_and_builds_are_counted_apart() {
    let directory = TempDir::new().unwrap();
    let commands = ["tasks=2 uid=1", "uid=1 via=shim", "uid=2 via=pull", "tasks=4 uid=3 via=build"];
    let line = |event: &str, image: &str| -> String {
        let line = |fields: &str| {
            format!(
                "2026-01-05T00:00:00Z n1 sifcache: event={event} job=1 step=0 node=0 {fields} \
                 reference=docker.io/o/i:1{image}\n"
            )
        };
        commands.map(line).concat()
    };
    let log = line("hit", " image=/sif/o/i:1") + &line("miss", "");
    for (command, key) in [("hits", "image"), ("misses", "reference")] {
        let words = [command, "--log", "-"];
        let text = run(directory.path(), &words, log.as_bytes());
        let text = String::from_utf8(text.stdout).unwrap();
        let rows: Vec<Vec<&str>> =
            text.lines().take(2).map(|line| line.split_whitespace().collect()).collect();
        let key = key.to_uppercase();
        assert_eq!(rows[0][..6], [&key, "LAUNCHES", "PULLS", "BUILDS", "JOBS", "USERS"], "{text}");
        assert_eq!(rows[1][1..6], ["3", "1", "4", "1", "3"], "{text}");
        let json = run(directory.path(), &[&words[..], &["--json"]].concat(), log.as_bytes());
        let object: Value = serde_json::from_slice(&json.stdout).unwrap();
        let row = &object[command][0];
        let numbers = ["launches", "pulls", "builds"].map(|key| row[key].as_u64());
        assert_eq!(numbers, [Some(3), Some(1), Some(4)], "{row}");
    }
}

/// The order is that of all commands of a reference.
#[test]
fn references_with_more_commands_are_first() {
    let directory = TempDir::new().unwrap();
    let line = |number: u32, fields: &str| {
        format!(
            "2026-01-05T00:00:00Z n1 sifcache: event=miss {fields} reference=docker.io/o/i:{number}\n"
        )
    };
    let log = line(1, "tasks=2 uid=1") + &line(2, "tasks=3 uid=1 via=build");
    let output = run(directory.path(), &["misses", "--refs", "--log", "-"], log.as_bytes());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "o/i:2\no/i:1\n");
}
