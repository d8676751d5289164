//! Logs that are rotated, truncated or flooded while the filler runs, and while it does not.
#![allow(clippy::print_stderr)]

use super::{POLICY, PULLS, Running, Site, end, signal};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

fn start(site: &Site) -> Running {
    if !site.path("log").exists() {
        fs::write(site.path("log"), "").unwrap();
    }
    let child = site.start(&["--follow"]);
    site.wait("beat", || site.path("root/.sifcache/queue/beat").exists());
    child
}

fn stop(child: Running) -> String {
    signal(&child, "-TERM");
    let output = end(child);
    assert_eq!(output.status, Some(143), "{output:?}");
    output.stdout + &output.stderr
}

/// As logrotate renames a log; `create` makes the new one.
fn rotate(site: &Site, create: bool) {
    for number in (1..4).rev() {
        let _ = fs::rename(
            site.path(&format!("log.{number}")),
            site.path(&format!("log.{}", number + 1)),
        );
    }
    fs::rename(site.path("log"), site.path("log.1")).unwrap();
    if create {
        fs::write(site.path("log"), "").unwrap();
    }
}

#[track_caller]
fn added(site: &Site, name: &str) {
    site.wait(name, || site.has(name));
}

#[test]
fn no_request_is_lost_when_a_log_is_rotated() {
    let site = Site::new(PULLS);
    let child = start(&site);
    site.miss(1001, "o/i:1");
    added(&site, "o/i:1");
    // The daemon writes to the renamed file until it gets a signal.
    rotate(&site, true);
    let mut old = OpenOptions::new().append(true).open(site.path("log.1")).unwrap();
    let before = fs::read_to_string(site.path("log.1")).unwrap();
    write!(old, "{}", before.replace("o/i:1", "o/i:2")).unwrap();
    site.miss(1001, "o/i:3");
    added(&site, "o/i:2");
    added(&site, "o/i:3");
    // The next log appears later.
    rotate(&site, false);
    site.miss(1001, "o/i:4");
    added(&site, "o/i:4");
    stop(child);
    // Two rotations while no filler runs, one of them compressed.
    site.miss(1001, "o/i:5");
    rotate(&site, true);
    site.miss(1001, "o/i:6");
    rotate(&site, true);
    let packed = Command::new("gzip").arg(site.path("log.2")).status().unwrap();
    assert!(packed.success());
    site.miss(1001, "o/i:7");
    let child = start(&site);
    for name in ["o/i:5", "o/i:6", "o/i:7"] {
        added(&site, name);
    }
    stop(child);
    assert_eq!(site.calls(), 7);
}

/// As `copytruncate` of logrotate, or `>log`, leaves it.
#[test]
fn a_truncated_log_is_read_from_its_start() {
    let site = Site::new(PULLS);
    let child = start(&site);
    for number in 1..4 {
        let name = format!("o/i:{number}");
        site.miss(1001, &name);
        added(&site, &name);
        fs::copy(site.path("log"), site.path("log.1")).unwrap();
        OpenOptions::new().write(true).truncate(true).open(site.path("log")).unwrap();
    }
    stop(child);
    site.miss(1001, "o/i:4");
    let child = start(&site);
    added(&site, "o/i:4");
    stop(child);
    assert_eq!(site.calls(), 4);
}

/// Somebody writes a line for each of many images, and other users ask after that. The work for each
/// line is bounded, and so are the memory, the saved state and the queue: with a million lines,
/// SIFCACHE_THOROUGH shows the time.
#[test]
fn a_flood_of_forged_lines_delays_others_by_the_time_to_read_it() {
    let lines = if std::env::var_os("SIFCACHE_THOROUGH").is_some() { 1_000_000 } else { 20_000 };
    let site = Site::new(PULLS);
    fs::write(site.path("fill.toml"), POLICY).unwrap();
    let child = start(&site);
    let begun = Instant::now();
    site.miss(0, "forbidden/first:1");
    let line = fs::read_to_string(site.path("log")).unwrap();
    let flood: String =
        (0..lines).map(|n| line.replace("first:1", &format!("flood{n}:1"))).collect();
    let mut log = OpenOptions::new().append(true).open(site.path("log")).unwrap();
    log.write_all(flood.as_bytes()).unwrap();
    site.miss(1001, "o/i:1");
    added(&site, "o/i:1");
    let took = begun.elapsed();
    site.miss(1002, "o/i:2");
    added(&site, "o/i:2");
    let of_process = |file: &str, key: &str| -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let size = fs::metadata(site.path("log")).unwrap().len();
    let [read, reads, written] = ["rchar:", "syscr:", "wchar:"].map(|key| of_process("io", key));
    let memory = of_process("status", "VmHWM:");
    let state = fs::metadata(site.path("root/.sifcache/fill/state.json")).unwrap().len();
    let queue = fs::read_dir(site.path("root/.sifcache/queue")).unwrap().count();
    let figures = format!(
        "{lines} lines in {took:?}: {read} of {size} bytes in {reads} reads, {written} written, \
         {memory} KiB of memory, {state} bytes of state, {queue} entries"
    );
    stop(child);
    if lines == 1_000_000 {
        eprintln!("{figures}");
    }
    assert!(read < 2 * size + (4 << 20) && reads < lines / 4, "{figures}");
    assert!(written < 50 << 20 && memory < 200 << 10, "{figures}");
    assert!(state < 1 << 20 && queue < 510, "{figures}");
}
