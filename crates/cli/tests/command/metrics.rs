//! `sifcache metrics`: counters across rotations, killed and parallel runs, and what happens without
//! privileges or with damaged files.

mod roots;

use crate::tree::{Output, Tree, mode};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn command(tree: &Tree, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let words: Vec<String> =
        words.split(' ').map(|word| word.replace("TOP", &tree.text(""))).collect();
    command.args(words).env_clear().env("TZ", "UTC").env("SLURM_CONF", tree.path("none"));
    command.env("PATH", format!("{}:/usr/bin:/bin", tree.text("bin"))).env("HOME", tree.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finish(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    Output {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(tree: &Tree, words: &str) -> Output {
    finish(command(tree, words).spawn().unwrap())
}

const METRICS: &str = "metrics --root TOP/root --state TOP/state/metrics.json --log TOP/log";

/// Runs `metrics` with these further words, which succeeds, and returns the text.
#[track_caller]
fn metrics(tree: &Tree, words: &str) -> String {
    let output = run(tree, &format!("{METRICS}{words}"));
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""));
    assert!(output.stdout.ends_with("\n# EOF\n"), "{}", output.stdout);
    output.stdout
}

/// The value of a sample; `None` without one.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

/// Appends lines to the log.
fn append(tree: &Tree, messages: &[String]) {
    let mut file = OpenOptions::new().create(true).append(true).open(tree.path("log")).unwrap();
    let now = jiff::Timestamp::now();
    let lines: String =
        messages.iter().map(|message| format!("{now} n1 sifcache: {message}\n")).collect();
    file.write_all(lines.as_bytes()).unwrap();
}

fn misses(count: usize) -> Vec<String> {
    let miss = "event=miss job=4711 step=0 node=0 tasks=1 uid=4712 reference=docker.io/o/i:1";
    vec![miss.to_owned(); count]
}

const MISSES: &str = "sifcache_launches_total{path=\"task\",outcome=\"miss\"}";

#[test]
fn openmetrics() {
    let Some(tree) = Tree::new() else { return };
    append(&tree, &[]);
    metrics(&tree, "");
    append(&tree, &misses(1));
    let text = metrics(&tree, " --openmetrics");
    for line in [
        "# TYPE sifcache_lookups counter\n",
        "# TYPE sifcache_build info\n",
        "# UNIT sifcache_image_bytes bytes\n",
        "\nsifcache_launches_total{path=\"task\",outcome=\"miss\"} 1\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let both = run(&tree, &format!("{METRICS} --openmetrics --textfile TOP"));
    assert_eq!(both.status, Some(64), "{}", both.stderr);
}

#[test]
fn counters_go_on_after_a_rotation() {
    let Some(tree) = Tree::new() else { return };
    append(&tree, &misses(5));
    assert_eq!(value(&metrics(&tree, ""), MISSES), Some(0.0), "the first run begins now");
    append(&tree, &misses(3));
    fs::rename(tree.path("log"), tree.path("log.1")).unwrap();
    append(&tree, &misses(4));
    let image = tree.path("root/o/good:1");
    let hit = format!("reference=docker.io/o/good:1 image={}", image.display());
    append(&tree, &[format!("event=hit job=8 step=0 node=0 tasks=2 uid=7 {hit}")]);
    append(&tree, &[format!("event=hit uid=7 via=shim {hit}")]);
    append(&tree, &["event=hit uid=7 reference=docker.io/o/i:1 image=/etc/passwd".to_owned()]);
    let text = metrics(&tree, "");
    let size = fs::metadata(&image).unwrap().len();
    let hits = "sifcache_lookups_total{node=\"n1\",outcome=\"hit\",reason=\"found\"}";
    for (sample, expected) in [
        (MISSES, 7),
        (hits, 4),
        ("sifcache_lookups_total{node=\"n1\",outcome=\"miss\",reason=\"absent\"}", 7),
        ("sifcache_launches_total{path=\"shim\",outcome=\"hit\"}", 1),
        ("sifcache_image_lookups_total{reference=\"docker.io/o/good:1\",outcome=\"hit\"}", 3),
        // Tasks that share a command count one each, as in `report`.
        ("sifcache_not_downloaded_bytes_total", 3 * size),
        // Files outside of the image roots are not looked at.
        ("sifcache_hits_without_size_total", 1),
        ("sifcache_log_problems_total{problem=\"gap\"}", 0),
    ] {
        assert_eq!(value(&text, sample), Some(expected as f64), "{sample}\n{text}");
    }
    assert!(!text.contains("4711") && !text.contains("4712"), "{text}");
    assert_eq!(value(&metrics(&tree, ""), MISSES), Some(7.0), "each line is counted once");
}

/// A run that takes long, between its count and its text, is not overtaken by another one: its
/// smaller counters would be the last ones.
#[test]
fn the_textfile_never_goes_back() {
    let Some(tree) = Tree::new() else { return };
    metrics_of_an_empty_log(&tree);
    let line = format!("optional spank_sifcache.so image_root={}\n", tree.text("root"));
    tree.file("etc/plugstack.conf", line.as_bytes());
    // The directory of plugins is read from there, after the count.
    let fifo = tree.path("etc/slurm.conf");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    append(&tree, &misses(5));
    let options = "--state TOP/state/metrics.json --textfile TOP/state";
    let slow = format!("metrics --plugstack TOP/etc/plugstack.conf {options}");
    let slow = command(&tree, &slow).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
    let mut to_fifo = OpenOptions::new();
    let writer = loop {
        // There is no reader yet.
        match to_fifo.write(true).custom_flags(flags).open(&fifo) {
            Ok(writer) => break writer,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
    };
    append(&tree, &misses(5));
    let mut quick = command(&tree, &format!("{METRICS} --textfile TOP/state")).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    let is_waiting = quick.try_wait().unwrap().is_none();
    drop(writer);
    for child in [slow, quick] {
        let output = finish(child);
        assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""));
    }
    let text = fs::read_to_string(tree.path("state/sifcache.prom")).unwrap();
    assert_eq!((value(&text, MISSES), is_waiting), (Some(10.0), true));
}

#[test]
fn json_has_the_same_data() {
    let Some(tree) = Tree::new() else { return };
    metrics_of_an_empty_log(&tree);
    append(&tree, &misses(7));
    let text = metrics(&tree, "");
    let object = run(&tree, &format!("{METRICS} --json")).stdout;
    let object: Value = serde_json::from_str(&object).unwrap();
    let all = object["metrics"].as_array().unwrap();
    assert_eq!(all.len(), text.matches("# TYPE").count());
    let launches = all.iter().find(|one| one["name"] == "sifcache_launches_total").unwrap();
    assert_eq!(
        (&launches["type"], &launches["samples"][1]["value"]),
        (&"counter".into(), &7.into())
    );
}

/// SIGKILL at any moment of a run.
#[test]
fn a_killed_run_repeats_and_loses_nothing() {
    let Some(tree) = Tree::new() else { return };
    metrics_of_an_empty_log(&tree);
    let mut ended = 0;
    for round in 0..24 {
        append(&tree, &misses(4000));
        if round % 5 == 0 {
            fs::rename(tree.path("log"), tree.path(format!("log.{}", 9 - round / 5))).unwrap();
            append(&tree, &misses(1000));
        }
        let mut child = command(&tree, &format!("{METRICS} --textfile TOP/state")).spawn().unwrap();
        thread::sleep(Duration::from_millis(4 * round));
        child.kill().unwrap();
        ended += usize::from(child.wait().unwrap().success());
        assert!(fs::read_to_string(tree.path("state/sifcache.prom")).unwrap().ends_with("# EOF\n"));
    }
    assert!(ended < 24, "no run was killed");
    let text = metrics(&tree, "");
    assert_eq!(value(&text, MISSES), Some(24.0 * 4000.0 + 5.0 * 1000.0));
    assert_eq!(value(&text, "sifcache_log_problems_total{problem=\"gap\"}"), Some(0.0));
}

/// The first run, which writes both files.
fn metrics_of_an_empty_log(tree: &Tree) {
    tree.file("log", b"");
    tree.directory("state");
    let output = run(tree, &format!("{METRICS} --textfile TOP/state"));
    assert_eq!((output.status, output.stdout.as_str()), (Some(0), ""), "{}", output.stderr);
}

#[test]
fn parallel_runs_wait_for_each_other() {
    let Some(tree) = Tree::new() else { return };
    metrics_of_an_empty_log(&tree);
    append(&tree, &misses(3000));
    let start = |_| command(&tree, &format!("{METRICS} --textfile TOP/state")).spawn().unwrap();
    let children: Vec<Child> = (0..6).map(start).collect();
    append(&tree, &misses(500));
    for child in children {
        let output = finish(child);
        assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""));
    }
    assert_eq!(value(&metrics(&tree, ""), MISSES), Some(3500.0));
    let names = fs::read_dir(tree.path("state")).unwrap().map(|one| one.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["metrics.json", "sifcache.prom"]);
}

/// node_exporter runs as another user, and a service may have a strict umask.
#[test]
fn the_textfile_can_be_read_by_all() {
    let Some(tree) = Tree::new() else { return };
    metrics_of_an_empty_log(&tree);
    let script = format!("umask 077; exec {} $@", env!("CARGO_BIN_EXE_sifcache"));
    let words = format!("{METRICS} --textfile TOP/state").replace("TOP", &tree.text(""));
    let words: Vec<&str> = words.split(' ').collect();
    let status = Command::new("sh").args(["-c", &script, "sh"]).args(words).status().unwrap();
    assert!(status.success());
    let mode = |name: &str| fs::metadata(tree.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state/sifcache.prom"), mode("state/metrics.json")), (0o644, 0o600));
}

#[test]
fn a_damaged_state_file_is_set_aside() {
    let Some(tree) = Tree::new() else { return };
    metrics_of_an_empty_log(&tree);
    append(&tree, &misses(2));
    assert_eq!(value(&metrics(&tree, ""), MISSES), Some(2.0));
    tree.file("state/metrics.json", b"{\"version\":1");
    append(&tree, &misses(2));
    let output = run(&tree, METRICS);
    assert_eq!(output.status, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("metrics.json is damaged"), "{}", output.stderr);
    assert_eq!(value(&output.stdout, MISSES), Some(0.0));
    assert_eq!(fs::read(tree.path("state/metrics.damaged")).unwrap(), b"{\"version\":1");
    append(&tree, &misses(1));
    assert_eq!(value(&metrics(&tree, ""), MISSES), Some(1.0));
}

/// The gauges come out without the log, and say that it is missing.
#[test]
fn a_missing_log() {
    let Some(tree) = Tree::new() else { return };
    let output = run(&tree, METRICS);
    assert_eq!(output.status, Some(1), "{}", output.stderr);
    let log = tree.text("log");
    assert!(output.stderr.contains(&log), "{}", output.stderr);
    assert_eq!(
        value(&output.stdout, &format!("sifcache_log_readable{{log=\"{log}\"}}")),
        Some(0.0)
    );
    let images = format!("sifcache_images{{root=\"{}\"}}", tree.text("root"));
    assert_eq!(value(&output.stdout, &images), Some(1.0));
    append(&tree, &misses(3));
    assert_eq!(value(&metrics(&tree, ""), MISSES), Some(3.0));
}

/// journalctl ends with an error after some entries. Nothing of them is counted until it succeeds. An
/// entry from before the first run does not count.
#[test]
fn a_log_that_cannot_be_read_to_its_end() {
    let Some(tree) = Tree::new() else { return };
    tree.file("journal/system.journal", b"");
    let script = format!("#!/bin/sh\ncat {0}/entries\nexit $(cat {0}/exit)\n", tree.text(""));
    mode(&tree.file("bin/journalctl", script.as_bytes()), 0o755);
    tree.directory("journal");
    let now = jiff::Timestamp::now().as_microsecond();
    let (old, new) = (now - 3_600_000_000, now + 1_000_000);
    let entry = |number: u64, time: i64| {
        let message = "event=miss tasks=1 uid=1001 reference=docker.io/o/i:1";
        format!(
            "{{\"MESSAGE\":\"{message}\",\"SYSLOG_IDENTIFIER\":\"sifcache\",\"_UID\":\"1001\",\
             \"_HOSTNAME\":\"n1\",\"__CURSOR\":\"s={number}\",\"__REALTIME_TIMESTAMP\":\"{time}\"}}\n"
        )
    };
    tree.file("entries", format!("{}{}{}", entry(0, old), entry(1, new), entry(2, new)).as_bytes());
    let words = "metrics --root TOP/root --state TOP/metrics.json --log TOP/journal";
    for (exit, status, count) in [("1", 1, 0.0), ("0", 0, 2.0), ("1", 1, 2.0)] {
        tree.file("exit", exit.as_bytes());
        let output = run(&tree, words);
        assert_eq!(output.status, Some(status), "{}", output.stderr);
        assert_eq!(value(&output.stdout, MISSES), Some(count), "{}", output.stdout);
        let gap = "sifcache_log_problems_total{problem=\"gap\"}";
        assert_eq!(value(&output.stdout, gap), Some(0.0), "{}", output.stdout);
    }
}

#[test]
fn without_privileges() {
    let Some(tree) = Tree::new() else { return };
    let as_nobody =
        |words: &str| finish(command(&tree, words).uid(65_534).gid(65_534).spawn().unwrap());
    let output = as_nobody("metrics --root TOP/root --no-counters");
    assert_eq!((output.status, output.stderr.as_str()), (Some(0), ""));
    assert!(output.stdout.contains("sifcache_images{"), "{}", output.stdout);
    assert!(!output.stdout.contains("_total"), "{}", output.stdout);
    let output = as_nobody(METRICS);
    assert_eq!((output.status, output.stdout.as_str()), (Some(77), ""));
    assert!(output.stderr.contains("--no-counters"), "{}", output.stderr);
    let output = as_nobody("metrics --root TOP/root --no-counters --textfile TOP/root");
    assert_eq!(output.status, Some(77), "{}", output.stderr);
}

#[test]
fn standard_input_has_no_place_to_go_on_from() {
    let Some(tree) = Tree::new() else { return };
    // It would be remembered for later runs.
    let output = run(&tree, "metrics --root TOP/root --state TOP/state.json --log ");
    assert_eq!(output.status, Some(64), "{}", output.stderr);
    assert!(!tree.path("state.json").exists());
    let output = run(&tree, "metrics --root TOP/root --log -");
    assert_eq!(output.status, Some(64), "{}", output.stderr);
    assert!(output.stderr.contains("no position to continue from"), "{}", output.stderr);
}
