//! The plugin in the program that loads plugins as Slurm does: which system calls its
//! hooks make, and that nothing is left of it when it is unloaded. Neither Slurm nor root is
//! needed, only a C compiler.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod kit;
mod memory;

use kit::{Site, json, trusted};

const HIT: [&str; 4] = ["apptainer", "exec", "docker://o/i:1", "true"];
const MISS: [&str; 4] = ["apptainer", "exec", "docker://o/none:1", "true"];
/// Opening a candidate, reading header and descriptor table at once, and closing it.
const HEADER: [&str; 4] = ["openat", "statx", "read", "close"];
/// Sending a helper process, and taking it back.
const SENDING: [&str; 5] = ["mmap", "mprotect", "clone", "wait4", "munmap"];
/// What a helper process does beside its look-up.
const SCOUT: [&str; 4] = ["prctl", "prctl", "close_range", "exit"];
/// A word from Slurm's allocator: whether memory is limited.
const REPLACEMENT: [&str; 2] = ["prlimit64"; 2];
/// A line to syslog.
const SYSLOG: [&str; 2] = ["socket", "sendto"];
/// One to Slurm's log, if it is shown there: whether memory and files are limited.
const LOG: [&str; 3] = ["prlimit64"; 3];

/// A walk of this many steps.
fn walk(steps: usize) -> Vec<&'static str> {
    vec!["statx"; steps]
}

#[test]
fn a_hit() {
    let site = Site::new();
    // From / to the root, then `o` and `i:1`.
    let looks = [&walk(site.depth() + 3), &HEADER[..]].concat();
    let replaced = [&REPLACEMENT[..], &SYSLOG].concat();
    let Some(report) = trusted(&site, "lookup_timeout=off", &HIT) else { return };
    assert_eq!(report.image, site.image());
    assert_eq!(report.task, [&looks[..], &replaced].concat());
    // The budget is that of a root like /shared/sif.
    assert!(walk(2 + 3).len() + HEADER.len() + replaced.len() <= 14);

    // With a helper process, whose calls come at any time, and who may be back before it is waited for.
    let Some(mut report) = trusted(&site, "", &HIT) else { return };
    assert_eq!(report.image, site.image());
    report.task.retain(|name| name != "futex");
    report.task.sort_unstable();
    let mut expected = [&SENDING[..], &SCOUT, &looks, &replaced].concat();
    expected.sort_unstable();
    assert_eq!(report.task, expected);
    assert!(SENDING.len() + ["futex"].len() + replaced.len() <= 12);
}

/// A descriptor table at the end of a file costs one system call more.
#[test]
fn a_hit_with_its_table_elsewhere() {
    let site = Site::new();
    let mut image = std::fs::read(site.image()).unwrap();
    let table = image[128..].to_vec();
    image.resize(1 << 16, 0);
    image[96..104].copy_from_slice(&(1_u64 << 16).to_le_bytes());
    std::fs::write(site.image(), [image, table].concat()).unwrap();
    let content = ["openat", "statx", "read", "pread64", "close"];
    let looks = [&walk(site.depth() + 3), &content[..]].concat();
    let replaced = [&REPLACEMENT[..], &SYSLOG].concat();
    let Some(report) = trusted(&site, "lookup_timeout=off", &HIT) else { return };
    assert_eq!(report.image, site.image());
    assert_eq!(report.task, [&looks[..], &replaced].concat());
    assert!(walk(2 + 3).len() + content.len() + replaced.len() <= 14);
}

/// In a step with a container the command stays as it is, and no image root is looked at.
#[test]
fn a_step_with_a_container() {
    let site = Site::new();
    let report = site.run("", &["--container"], &HIT);
    assert_eq!((report.image.as_str(), report.task), ("", vec![]));
}

/// `o/none:1` and `docker.io/o/none:1`, with and without `.sif`. The directory `o` is there,
/// `docker.io` is not, and nothing is opened.
#[test]
fn a_miss() {
    let site = Site::new();
    let candidates = walk(2 * 2 + 2);
    let expected = [&walk(site.depth() + 1), &candidates[..], &SYSLOG].concat();
    let Some(report) = trusted(&site, "lookup_timeout=off", &MISS) else { return };
    assert_eq!(report.task, expected);
    assert_eq!(report.image, "");
}

#[test]
fn what_is_no_launch_of_a_docker_image_makes_none() {
    let site = Site::new();
    let commands: [&[&str]; 4] = [
        &["true"],
        &["echo", "docker://o/i:1"],
        &["apptainer", "exec", "/srv/image.sif", "true"],
        &["apptainer", "--version"],
    ];
    for command in commands {
        assert_eq!(site.run("", &[], command).task, [""; 0], "{command:?}");
    }
    assert_eq!(site.run("", &["--option", "off"], &HIT).task, [""; 0]);
}

/// slurmstepd looks for the shim and never at an image root, and logs that it is missing;
/// srun looks for nothing.
#[test]
fn what_loads_the_plugin_looks_at_no_image_root() {
    let site = Site::new();
    for (nested, looks) in [("off", 0), ("path", 2), ("preload", 2)] {
        let logs = if looks > 0 { &LOG[..] } else { &[] };
        let settings = format!("nested={nested}");
        let report = site.run(&settings, &[], &HIT);
        assert_eq!(report.init, [&walk(looks), logs].concat(), "{nested}");
        assert_eq!(site.run(&settings, &["--context", "local"], &HIT).init, [""; 0], "{nested}");
    }
}

/// An option or a line that is no good is not looked at any further.
#[test]
fn bad_settings_look_at_nothing() {
    let site = Site::new();
    let report = site.run("on_miss=perhaps", &[], &HIT);
    assert_eq!((report.image.as_str(), report.task), ("", vec![]));
    assert_eq!(report.init, LOG);
}

#[test]
fn ten_thousand_lives_leave_nothing_behind() {
    let site = Site::new();
    let output = site.host(&site.line(""), &["--rounds", "10000"], &HIT);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(json(&said)["rounds"], 10000);
}
