//! Problems, and the commands that fix them, which a shell runs as they are printed.

use super::{ago, hit, line, report, rows, script, text};
use crate::tree::{Tree, mode, pulled};
use jiff::Timestamp;
use serde_json::Value;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output};

const LOG: &str = "--root TOP/root --log TOP/log";

/// The problem of this kind about this subject.
pub(super) fn problem(report: &Value, kind: &str, subject: &str) -> Value {
    let all = rows(&report["problems"]["data"]);
    let is_it = |one: &&Value| one["kind"] == kind && one["subject"] == subject;
    let found = all.iter().find(is_it);
    assert!(found.is_some(), "no {kind} of {subject}: {all:#?}");
    found.unwrap().clone()
}

/// Runs a command of a report in a shell.
pub(super) fn follow(tree: &Tree, command: &str) -> Output {
    assert!(!command.is_empty());
    let own = Path::new(env!("CARGO_BIN_EXE_sifcache")).parent().unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", own.display(), tree.text("bin"));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).current_dir(tree.path("")).env_clear().env("PATH", path);
    shell.env("HOME", tree.path("")).env("TZ", "UTC").output().unwrap()
}

/// Follows the command of a problem with a file, and checks that the problem is gone.
#[track_caller]
fn is_fixed_by_its_command(tree: &Tree, kind: &str, subject: &str) {
    let found = problem(&report(tree, LOG), kind, subject);
    let command = text(&found["command"]);
    let output = follow(tree, command);
    let after = report(tree, LOG);
    let is_it = |one: &Value| one["kind"] == kind && one["subject"] == subject;
    assert!(!rows(&after["problems"]["data"]).iter().any(is_it), "{command}: {output:?}");
}

fn with_log() -> Option<Tree> {
    let tree = Tree::new()?;
    let hit = hit(&tree, 1, 1001, "tasks=1", "o/good:1");
    tree.file("log", line(ago(0, 1), "n1", &hit).as_bytes());
    Some(tree)
}

#[test]
fn modes_and_names_are_fixed_by_verify() {
    let Some(tree) = with_log() else { return };
    mode(&tree.image("root/o/closed:1", 2), 0o600);
    is_fixed_by_its_command(&tree, "unreadable-for-users", &tree.text("root/o/closed:1"));
    mode(&tree.image("root/o/open:1", 2), 0o666);
    is_fixed_by_its_command(&tree, "untrusted", &tree.text("root/o/open:1"));
    let labels = [("org.label-schema.usage.apptainer.version", "1.4.5")];
    tree.file("root/alpine_3.20.sif", &pulled("docker.io/library/alpine:3.20", &labels));
    is_fixed_by_its_command(&tree, "misnamed", &tree.text("root/alpine_3.20.sif"));
    assert!(tree.path("root/alpine:3.20").exists());
    // The path needs quotes.
    tree.image("root/it's/i_1.sif", 3);
    is_fixed_by_its_command(&tree, "no-reference", &tree.text("root/it's/i_1.sif"));
}

/// `chmod` and `chown` of what `verify --fix` does not change.
#[test]
fn owners_are_fixed_by_chown() {
    let Some(tree) = with_log() else { return };
    let path = tree.image("root/o/hers:1", 2);
    std::os::unix::fs::chown(&path, Some(1001), None).unwrap();
    let subject = path.to_str().unwrap();
    let found = problem(&report(&tree, LOG), "untrusted", subject);
    assert_eq!(found["command"], format!("chown root {subject}"));
    is_fixed_by_its_command(&tree, "untrusted", subject);
}

/// A name that is no text cannot be part of a command.
#[test]
fn a_name_that_is_no_text_is_not_in_a_command() {
    let Some(tree) = with_log() else { return };
    let name = std::ffi::OsStr::from_bytes(b"root/o/bad\xff:1");
    tree.file(name, b"text");
    let found = report(&tree, LOG);
    let problem = rows(&found["problems"]["data"])
        .iter()
        .find(|one| text(&one["subject"]).contains('\u{fffd}'));
    let root = tree.text("root");
    assert_eq!(problem.unwrap()["command"], format!("sifcache verify --root {root}"));
}

/// A new copy replaces a truncated image, and the path is that of a registry.
#[test]
fn a_truncated_image_is_added_again() {
    let Some(tree) = with_log() else { return };
    let whole = tree.image("pulled", 2);
    let pull =
        format!("case $1 in --version) echo test 1 ;; *) exec cp {} $2 ;; esac", whole.display());
    script(&tree, "apptainer", &pull);
    let half = fs::read(&whole).unwrap()[..300].to_vec();
    tree.file("root/127.0.0.1:1/o/cut:1", &half);
    is_fixed_by_its_command(&tree, "truncated", &tree.text("root/127.0.0.1:1/o/cut:1"));
    assert_eq!(fs::read(tree.path("root/127.0.0.1:1/o/cut:1")).unwrap(), fs::read(whole).unwrap());
}

/// Every kind of bad line, and files that are no logs.
#[test]
fn bad_lines_are_problems() {
    let Some(tree) = with_log() else { return };
    let future: Timestamp = "2150-01-01T00:00:00Z".parse().unwrap();
    let hit = hit(&tree, 1, 1001, "tasks=1", "o/good:1");
    let log = [
        line(ago(0, 2), "n1", &hit),
        line(future, "n2", &hit),
        line(ago(0, 1), "n1", "hit job=9 ste"),
        line(ago(0, 1), "n1", "miss job=9 ste"),
        line(ago(0, 1), "n1", "miss job=9 ste"),
    ];
    tree.file("log", log.concat().as_bytes());
    tree.file("log.1.lz4", b"\x04\x22\x4d\x18 and so on");
    let found = report(&tree, &format!("{LOG} TOP/log.1.lz4"));
    let log = tree.text("log");
    let [unread, future, forged, skipped] = [
        ("unread-lines", log.as_str()),
        ("clock-ahead", "n2"),
        ("forged-lines", &log),
        ("skipped-log", &tree.text("log.1.lz4")),
    ]
    .map(|(kind, subject)| problem(&found, kind, subject));
    assert_eq!((&unread["severity"], &unread["count"]), (&"problem".into(), &1.into()));
    assert_eq!((&future["severity"], &future["count"]), (&"problem".into(), &1.into()));
    assert_eq!((&forged["severity"], &forged["count"]), (&"note".into(), &2.into()));
    assert!(text(&skipped["what"]).contains("lz4"), "{skipped}");
    // `hits` shows the first unreadable line.
    let shown = follow(&tree, text(&unread["command"]));
    assert!(String::from_utf8(shown.stdout).unwrap().contains("event=hit job=9 ste"));
    // Problems come before notes.
    let severities: Vec<&str> =
        rows(&found["problems"]["data"]).iter().map(|one| text(&one["severity"])).collect();
    assert!(
        severities.is_sorted_by(|one, other| one == other || *one == "problem"),
        "{severities:?}"
    );
    // The log of nodes that run no jobs.
    tree.file("log", b"2026-01-01T00:00:00Z n1 cron: x\n");
    problem(&report(&tree, LOG), "no-lines", &log);
}

/// A node whose clock is ahead. Lines of more than a day in the future do not count, and others do;
/// no time in the report is later than the report.
#[test]
fn no_time_is_in_the_future() {
    let Some(tree) = with_log() else { return };
    let hit = hit(&tree, 1, 1001, "tasks=1", "o/good:1");
    let miss = "miss job=1 tasks=1 uid=1001 reference=docker.io/o/none:1";
    for (hours, launches, what) in [
        (2, 1, "its last line is 2 h in the future"),
        (20, 1, "its last line is 20 h in the future"),
        (48, 0, "2 lines have a time in the future: check the clock of n2"),
    ] {
        let time = Timestamp::now() + jiff::SignedDuration::from_mins(60 * hours + 1);
        let log = [line(ago(0, 1), "n1", &hit), line(time, "n2", &hit), line(time, "n2", miss)];
        tree.file("log", log.concat().as_bytes());
        let found = report(&tree, LOG);
        let created: Timestamp = text(&found["created"]).parse().unwrap();
        let node = rows(&found["nodes"]["data"]).iter().find(|one| one["node"] == "n2").unwrap();
        assert_eq!(node["hits"]["launches"], launches, "{hours}: {node}");
        assert_eq!(node["last"], found["created"], "{hours}");
        let problem = problem(&found, "clock-ahead", "n2");
        assert_eq!((text(&problem["what"]), &problem["severity"]), (what, &"problem".into()));
        let of_list = |list: &str, key: &str| found[list]["data"]["rows"][0][key].clone();
        let missing = found["misses"]["data"]["list"]["rows"][0]["last"].clone();
        let times = [
            of_list("images", "last_served"),
            if launches == 0 { Value::Null } else { missing },
            node["covered_to"].clone(),
            found["sources"][0]["to"].clone(),
        ];
        for time in times.iter().filter(|time| !time.is_null()) {
            assert!(text(time).parse::<Timestamp>().unwrap() <= created, "{hours}: {time}");
        }
    }
}

/// A refused file and a missing root count the commands whose lines name them, and no others that
/// asked for the same reference.
#[test]
fn refusals_count_the_commands_that_met_them() {
    let Some(tree) = with_log() else { return };
    let log: String = [
        (5, ""),
        (1, " refused=/local/o/i:1 why=empty"),
        (2, " refused=/local/o/i:1 why=empty"),
        (1, " refused=/no/root why=no-root"),
    ]
    .iter()
    .map(|(tasks, more)| {
        let fields = format!("miss job=1 tasks={tasks} uid=1001 reference=docker.io/o/i:1{more}");
        line(ago(0, 1), "n1", &fields)
    })
    .collect();
    tree.file("log", log.as_bytes());
    let found = report(&tree, LOG);
    let what = |kind, subject| text(&problem(&found, kind, subject)["what"]).to_owned();
    assert_eq!(what("refused", "/local/o/i:1"), "3 commands refused this file: empty");
    assert_eq!(what("no-root", "/no/root"), "1 command did not find this image root");
}

/// What the filler could not add, and why.
#[test]
fn failures_of_the_filler_have_reasons() {
    let Some(tree) = with_log() else { return };
    script(&tree, "apptainer", "echo test 1; exit 1");
    let miss =
        |name: &str| line(Timestamp::now(), "n1", &format!("miss job=9 uid=1001 reference={name}"));
    let log = [miss("127.0.0.1:1/o/bad:1"), miss("127.0.0.1:1/no/i:1")].concat();
    tree.file("log", log.as_bytes());
    let policy = "allow = [\"**\"]\ndeny = [\"127.0.0.1:1/no/**\"]\nunidentified = \"count\"\n";
    tree.file("fill.toml", policy.as_bytes());
    let fill =
        super::run(&tree, "fill --root TOP/root --policy TOP/fill.toml --log TOP/log --once");
    let found = report(&tree, LOG);
    let failed = problem(&found, "fill-failed", "127.0.0.1:1/o/bad:1");
    assert!(
        text(&failed["what"]).starts_with("the filler could not add it: "),
        "{fill:?} {failed}"
    );
    let refused = problem(&found, "fill-refused", "127.0.0.1:1/no/i:1");
    assert_eq!(refused["severity"], "note");
    assert_eq!(
        refused["command"],
        format!("sifcache add --root {} 127.0.0.1:1/no/i:1", tree.text("root"))
    );
    let reasons: Vec<&str> = rows(&found["misses"]["data"]["list"]["rows"])
        .iter()
        .map(|row| text(&row["reasons"][0]["kind"]))
        .collect();
    assert_eq!(reasons, ["refused-by-policy", "failed"]);
    // A filler that ran as a service an hour ago.
    let beat = tree.file("root/.sifcache/queue/beat", b"1\n");
    let file = fs::File::options().write(true).open(beat).unwrap();
    file.set_modified(ago(0, 1).into()).unwrap();
    problem(&report(&tree, LOG), "filler-silent", &tree.text("root"));
}
