//! Logs that cannot be read to their end, as those that logrotate is compressing, or that a full
//! disk has cut.

use crate::tree::Tree;
use bzip2::write::BzEncoder;
use flate2::Compression;
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// The number of lines in a log that is cut.
const LINES: u64 = 20_000;

fn run(tree: &Tree, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let words = words.split(' ').map(|word| word.replace("TOP/", &tree.text("")));
    command.args(words).env_clear().env("TZ", "UTC").env("SLURM_CONF", tree.path("none"));
    command.current_dir(tree.path("")).stdin(Stdio::null()).output().unwrap()
}

fn packed(format: &str, text: &[u8]) -> Vec<u8> {
    match format {
        "gz" => {
            let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        "xz" => {
            let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).unwrap();
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        "bz2" => {
            let mut writer = BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        _ => zstd::encode_all(text, 1).unwrap(),
    }
}

/// A hit and a miss in turn. The numbers make the text hard to compress, so that half a file has
/// many lines.
fn lines(tree: &Tree) -> String {
    let image = tree.text("root/o/good:1");
    let mut text = String::new();
    for number in 0..LINES {
        let job = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let fields = match number % 2 {
            0 => format!(
                "event=hit job={job} step=0 node=0 tasks=1 uid=1001 reference=docker.io/o/good:1 image={image}"
            ),
            _ => format!(
                "event=miss job={job} step=0 node=0 tasks=1 uid=1001 reference=docker.io/o/none:1"
            ),
        };
        writeln!(text, "2026-01-02T00:00:00Z n1 sifcache: {fields}").unwrap();
    }
    text
}

/// The whole log, and one of each format without its second half.
fn logs(tree: &Tree) -> Vec<String> {
    let text = lines(tree);
    tree.file("whole", b"2026-01-01T00:00:00Z n1 sifcache: event=hit job=1 step=0 node=0 tasks=1 uid=1 reference=docker.io/o/none:1 image=/none\n");
    let half = |format: &&str| {
        let bytes = packed(format, text.as_bytes());
        let name = format!("cut.{format}");
        tree.file(&name, &bytes[..bytes.len() / 2]);
        tree.text(&name)
    };
    ["gz", "xz", "bz2", "zst"].iter().map(half).collect()
}

fn object(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn launches(rows: &Value) -> u64 {
    rows.as_array().unwrap().iter().map(|row| row["launches"].as_u64().unwrap()).sum()
}

#[test]
fn what_could_be_read_is_counted() {
    let Some(tree) = Tree::new() else { return };
    for cut in logs(&tree) {
        let words =
            |subcommand: &str| format!("{subcommand} --root TOP/root --log TOP/whole {cut}");
        for subcommand in ["hits", "misses --all", "report", "misses --refs"] {
            let output = run(&tree, &words(subcommand));
            assert_eq!(output.status.code(), Some(74), "{subcommand} {cut}: {output:?}");
            assert!(!output.stdout.is_empty(), "{output:?}");
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            let expected = format!("sifcache: cannot read {cut} to its end: ");
            assert_eq!(message.matches(&expected).count(), 1, "{message}");
        }
        let [hits, misses] = ["hits", "misses"].map(|subcommand| {
            let object = object(&run(&tree, &words(&format!("{subcommand} --json"))));
            assert_eq!(object["failed"][0]["path"], cut.as_str(), "{object}");
            assert_eq!(object["skipped"], serde_json::json!([]), "{object}");
            // No line is cut in two.
            assert_eq!((&object["unread"]["lines"], &object["forged"]), (&0.into(), &0.into()));
            (launches(&object[subcommand]), object)
        });
        // A part of the cut log, and the line of the whole one.
        assert!(hits.0 > 1 && hits.0 < LINES / 2 + 1, "{cut}: {}", hits.0);
        assert!(misses.0 > 0 && misses.0 < LINES / 2, "{cut}: {}", misses.0);
        assert_eq!(hits.1["saved"], false);

        let report = object(&run(&tree, &words("report --json")));
        let sums = &report["totals"]["data"];
        let counted = ["hits", "misses"].map(|key| sums[key]["launches"].as_u64().unwrap());
        assert_eq!(counted, [hits.0, misses.0]);
        let problems = report["problems"]["data"].as_array().unwrap();
        let problem = problems.iter().find(|one| one["kind"] == "log-not-read").unwrap();
        assert_eq!((&problem["subject"], &problem["severity"]), (&cut.into(), &"problem".into()));
        assert!(report["sources"][0]["notes"].to_string().contains("to its end"), "{report}");
    }
}

/// The lines that are lost could be hits, so no time counts as covered.
#[test]
fn nothing_is_proven_by_a_part() {
    let Some(tree) = Tree::new() else { return };
    let all = logs(&tree);
    let saved = || -> Value {
        let text = fs::read(tree.path("root/.sifcache/last_used.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let words = format!("hits --root TOP/root --log TOP/whole {}", all[0]);
    assert_eq!(run(&tree, &words).status.code(), Some(74));
    assert!(saved()["nodes"]["n1"]["spans"].as_array().is_none_or(Vec::is_empty), "{}", saved());
    assert_eq!(saved()["last"]["o/good:1"], "2026-01-02T00:00:00Z");
    assert_eq!(run(&tree, "hits --root TOP/root --log TOP/whole").status.code(), Some(0));
    let before = saved();
    assert!(!before["nodes"]["n1"]["spans"].as_array().unwrap().is_empty(), "{before}");
    assert_eq!(run(&tree, &words).status.code(), Some(74));
    assert_eq!(saved()["nodes"], before["nodes"]);
    // Commands that decide what is unused, or show it, do not go on with a part.
    for subcommand in ["gc --unused-for 1d --dry-run", "list"] {
        let output = run(&tree, &format!("{subcommand} --root TOP/root --log {}", all[0]));
        assert_eq!(output.status.code(), Some(74), "{subcommand}: {output:?}");
        assert!(output.stdout.is_empty(), "{subcommand}: {output:?}");
    }
}

/// A file that does not exist, beside one that does, and alone.
#[test]
fn a_log_that_cannot_be_opened() {
    let Some(tree) = Tree::new() else { return };
    logs(&tree);
    for subcommand in ["hits", "misses", "report"] {
        for (logs, is_read) in [("TOP/none TOP/whole", true), ("TOP/none", false)] {
            let output = run(&tree, &format!("{subcommand} --root TOP/root --log {logs}"));
            assert_eq!(output.status.code(), Some(74), "{subcommand} {logs}: {output:?}");
            assert_eq!(!output.stdout.is_empty(), is_read, "{subcommand} {logs}: {output:?}");
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(message.contains(&format!("cannot read {}", tree.text("none"))), "{message}");
            assert_eq!(message.matches("No such file").count(), 1, "{message}");
        }
    }
}
