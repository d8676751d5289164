//! The actual output of rsyslog, syslog-ng and journalctl for one hit and one miss, in each of
//! their formats; `captured/README.md` describes the captures. Readable formats are parsed, and the
//! others are reported as unreadable.

use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Formats that the command does not read: they have several lines for a message, or no time.
pub(crate) const NOT_READ: [&str; 7] =
    ["DebugFormat", "cat", "export", "json-pretty", "short-delta", "short-monotonic", "verbose"];

fn run(words: &[&str], log: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(words).args(["--log", "-"]).env_clear().env("TZ", "UTC");
    command.env("SLURM_CONF", "/nonexistent/slurm.conf");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(log);
    child.wait_with_output().unwrap()
}

/// The formats of all daemons: the daemon, the format's name, and the log.
pub(crate) fn forms() -> Vec<(String, String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured");
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let forms = texts.flat_map(|path| {
        let daemon = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read(path).unwrap();
        // The record separators of json-seq are control characters, which are valid UTF-8.
        let text = String::from_utf8(text).unwrap();
        let forms = text.split("=== ").skip(1).map(|form| form.split_once('\n').unwrap());
        let forms = forms.map(|(name, log)| (name.to_owned(), log.as_bytes().to_vec()));
        forms.map(|(name, log)| (daemon.clone(), name, log)).collect::<Vec<_>>()
    });
    forms.collect()
}

/// Asserts that nothing is counted and that the reason is reported.
fn is_refused(what: &str, form: &str, hits: &Output) {
    let message = String::from_utf8_lossy(&hits.stderr);
    let object = serde_json::from_slice::<Value>(&hits.stdout);
    let unread = object.is_ok_and(|object| object["unread"]["lines"] == 2);
    assert!(unread || hits.status.code() == Some(65), "{what}: {hits:?}");
    assert!(
        unread || form == "cat" || message.contains("2 lines of sifcache"),
        "{what}: {message}"
    );
}

#[test]
fn every_format_is_read_or_reported() {
    let forms = forms();
    assert_eq!(forms.len(), 120);
    for (daemon, form, log) in forms {
        let what = format!("{daemon}, {form}");
        let hits = run(&["hits", "--no-save", "--json"], &log);
        let misses = run(&["misses", "--json"], &log);
        let object = |output: &Output| serde_json::from_slice::<Value>(&output.stdout);
        if NOT_READ.contains(&form.as_str()) {
            is_refused(&what, &form, &hits);
            continue;
        }
        let [hits, misses] = [hits, misses].map(|output| object(&output).expect(&what));
        let (hit, miss) = (&hits["hits"][0], &misses["misses"][0]);
        assert_eq!(hit["image"], "/shared/sif/o/i:1", "{what}");
        // rsyslog's relay received every line twice: over UDP and over TCP.
        let is_twice = daemon.starts_with("rsyslog") && form.starts_with("relayed");
        let launches = if is_twice { 4 } else { 2 };
        assert_eq!((&hit["launches"], &hit["jobs"]), (&launches.into(), &1.into()), "{what}");
        assert_eq!(miss["refused"][0]["path"], "/shared/sif/a b", "{what}");
        let [one, two] =
            [&hits["hits"], &misses["misses"]].map(|all| all.as_array().unwrap().len());
        assert_eq!((one, two), (1, 1), "{what}");
        for key in ["forged", "future"] {
            assert_eq!((&hits[key], &misses[key]), (&0.into(), &0.into()), "{what}: {key}");
        }
        assert_eq!(hits["unread"]["lines"], 0, "{what}");
        // The time has no numeric offset for Berlin, so it is interpreted in this host's time zone.
        let day = if form == "full-berlin" { "2026-01-05T19:" } else { "2026-01-05T18:" };
        assert!(hit["last"].as_str().unwrap().starts_with(day), "{what}: {hit}");
        let node = match form.as_str() {
            "no-hostname" => "",
            // Without keep-hostname, the relay writes the name of the sender, which was the relay
            // itself.
            "relayed" | "relayed-chain" if !daemon.contains("chain-") => "localhost",
            _ => "n1",
        };
        let nodes: Vec<&str> =
            hits["nodes"].as_array().unwrap().iter().map(|n| n["node"].as_str().unwrap()).collect();
        assert_eq!(nodes, [node], "{what}");
    }
}
