//! Tests the plugin in a program that loads plugins as Slurm does: which system calls its hooks
//! make, and that nothing is left after it is unloaded. The tests need neither Slurm nor root, only
//! a C compiler.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stderr)]

mod file_server;
mod kit;
mod memory;
mod order;
mod returns;

use kit::{Site, json, plugin, trusted};
use sifcache_core::nested::{self, SHIMS};

const HIT: [&str; 4] = ["apptainer", "exec", "docker://o/i:1", "true"];
const MISS: [&str; 4] = ["apptainer", "exec", "docker://o/none:1", "true"];
/// Opening `o` and the image, each after a check of the directory before it, reading header and
/// descriptor table in one call, and closing both and the root.
const IMAGE: [&str; 9] =
    ["openat", "statx", "statx", "openat", "statx", "read", "close", "close", "close"];
/// The same for a cached root, of which the attributes are known.
const CACHED_IMAGE: [&str; 8] =
    ["openat2", "statx", "openat2", "statx", "preadv2", "close", "close", "close"];
/// Starting a helper process, and waiting for its end.
const STARTING: [&str; 4] = ["mprotect", "clone", "wait4", "mprotect"];
/// The system calls of a helper process besides its lookup.
const HELPER: [&str; 4] = ["prctl", "prctl", "close_range", "exit"];
/// A string from Slurm's allocator: two checks of the memory limits.
const REPLACEMENT: [&str; 2] = ["prlimit64"; 2];
/// A line to syslog.
const SYSLOG: [&str; 2] = ["socket", "sendto"];
/// A line to Slurm's log, if it is shown: checks of the memory limits and of the file size limit.
const LOG: [&str; 3] = ["prlimit64"; 3];

/// The system calls for reading the kernel's overflow id.
const OVERFLOW_ID: [&str; 3] = ["openat", "read", "close"];

/// The system calls for checking this many components of a path.
fn walk(steps: usize) -> Vec<&'static str> {
    vec!["statx"; steps]
}

/// The system calls for opening a root, and for checking the directories above it, of which there
/// are as many as components.
fn enter(components: usize) -> Vec<&'static str> {
    [&["openat"][..], &walk(components)].concat()
}

/// The system calls for opening a cached root, and for checking its file system and each directory
/// above it.
fn cached(components: usize) -> Vec<&'static str> {
    let above = vec![["openat2", "statx", "close"]; components].concat();
    [vec!["openat2", "statx", "fstatfs"], above].concat()
}

#[test]
fn a_hit() {
    let site = Site::new();
    let calls = [&enter(site.depth()), &IMAGE[..]].concat();
    let replaced = [&REPLACEMENT[..], &SYSLOG].concat();
    let Some(report) = trusted(&site, "lookup_timeout=off", &HIT) else { return };
    assert_eq!(report.image, site.image());
    assert_eq!(report.task, [&calls[..], &replaced].concat());
    // The budget is for a root like /shared/sif.
    assert!(enter(2).len() + IMAGE.len() + replaced.len() <= 16);
}

/// A hit in a cached root on a local disk needs no helper process.
#[test]
fn a_hit_from_the_kernels_caches() {
    let site = Site::new();
    if !site.is_on_local_disk() {
        eprintln!("skipped: the build directory is not on ext4 or XFS");
        return;
    }
    let calls = [&cached(site.depth())[..], &CACHED_IMAGE, &REPLACEMENT, &SYSLOG].concat();
    let Some(report) = trusted(&site, "", &HIT) else { return };
    assert_eq!(report.image, site.image());
    assert_eq!(report.task, calls);
    // The budget is for a root like /shared/sif.
    assert!(cached(2).len() + CACHED_IMAGE.len() + REPLACEMENT.len() + SYSLOG.len() <= 21);
}

/// The calls of the helper process can occur at any time, and it may have ended before its parent
/// waits for it.
#[test]
fn a_hit_with_a_helper_process() {
    let site = Site::in_memory();
    let Some(mut report) = trusted(&site, "", &HIT) else { return };
    assert_eq!(report.image, site.image());
    report.task.retain(|name| name != "futex");
    let tried = ["openat2", "statx", "close"];
    assert_eq!(report.task[..tried.len()], tried);
    let mut rest = report.task.split_off(tried.len());
    rest.sort_unstable();
    let calls = [&enter(site.depth()), &IMAGE[..]].concat();
    let replaced = [&REPLACEMENT[..], &SYSLOG].concat();
    let mut expected = [&STARTING[..], &HELPER, &calls, &replaced].concat();
    expected.sort_unstable();
    assert_eq!(rest, expected);
    assert!(tried.len() + STARTING.len() + ["futex"].len() + replaced.len() <= 15);
}

/// A descriptor table at the end of a file costs one more system call.
#[test]
fn a_hit_with_the_descriptor_table_at_the_end() {
    let site = Site::new();
    let mut image = std::fs::read(site.image()).unwrap();
    let table = image[128..].to_vec();
    image.resize(1 << 16, 0);
    image[96..104].copy_from_slice(&(1_u64 << 16).to_le_bytes());
    std::fs::write(site.image(), [image, table].concat()).unwrap();
    let content = [&IMAGE[..6], &["pread64"], &IMAGE[6..]].concat();
    let calls = [&enter(site.depth()), &content[..]].concat();
    let replaced = [&REPLACEMENT[..], &SYSLOG].concat();
    let Some(report) = trusted(&site, "lookup_timeout=off", &HIT) else { return };
    assert_eq!(report.image, site.image());
    assert_eq!(report.task, [&calls[..], &replaced].concat());
    assert!(enter(2).len() + content.len() + replaced.len() <= 17);
}

/// In a step with a container, the command is unchanged and no image root is read.
#[test]
fn a_step_with_a_container() {
    let site = Site::new();
    let report = site.run("", &["--container"], &HIT);
    assert_eq!((report.image.as_str(), report.task), ("", vec![]));
}

/// The candidates are `o/none:1` and `docker.io/o/none:1`, with and without `.sif`. The directory
/// `o` exists and is opened once, and `docker.io` does not exist.
#[test]
fn a_miss() {
    let site = Site::new();
    let [open, close] = ["openat", "close"];
    let candidates = [open, "statx", "statx", open, open, close, open, close];
    let expected = [&enter(site.depth()), &candidates[..], &SYSLOG].concat();
    let Some(report) = trusted(&site, "lookup_timeout=off", &MISS) else { return };
    assert_eq!(report.task, expected);
    assert_eq!(report.image, "");
}

#[test]
fn other_commands_make_no_system_call() {
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

/// Slurm clears a large buffer for each variable that it sets, so a variable of the task is replaced in
/// Slurm's own array. Slurm must be able to free the new string.
#[test]
fn a_variable_is_replaced_without_spank_setenv() {
    let site = Site::new();
    let shims = nested::installed(SHIMS);
    let inherited = format!("{shims}-linked:/usr/bin:/bin");
    let run = |path: &str, settings: &str, command: &[&str]| {
        let variables = [("PATH", path), ("SIF_CACHE", "auto")];
        let report = site.run_with(&variables, settings, &["--option", "require"], command);
        (report.path, report.set_variables)
    };
    let removed = ("/usr/bin:/bin".to_owned(), 0);
    assert_eq!(run(&inherited, "nested=off", &["true"]), removed);
    assert_eq!(run(&format!("/usr/bin:/bin:{shims}"), "nested=off", &["true"]), removed);
    assert_eq!(run("/usr/bin:/bin", "nested=off", &["true"]), removed);
    let long = format!("/{}:/bin", "x".repeat(4_000));
    assert_eq!(run(&format!("{shims}:{long}"), "nested=off", &["true"]), (long, 0));
}

/// A variable that the task does not have is set by Slurm.
#[test]
fn a_new_variable_is_set_by_slurm() {
    let site = Site::new();
    let set = |flags: &[&str]| site.run("nested=off", flags, &["true"]).set_variables;
    assert_eq!((set(&[]), set(&["--option", "require"])), (0, 1));
}

/// slurmstepd looks for the shim, logs that it is missing, and reads the overflow id if the step is
/// a launch and owners matter. It never reads an image root. srun reads nothing.
#[test]
fn loading_the_plugin_accesses_no_image_root() {
    let site = Site::new();
    for (nested, calls) in [("off", 0), ("path", 2), ("preload", 2)] {
        let logs = if calls > 0 { &LOG[..] } else { &[] };
        let settings = format!("nested={nested}");
        let report = site.run(&settings, &[], &HIT);
        assert_eq!(report.init, [&OVERFLOW_ID[..], &walk(calls), logs].concat(), "{nested}");
        let report = site.run(&format!("{settings} untrusted=accept"), &[], &HIT);
        assert_eq!(report.init, [&walk(calls), logs].concat(), "{nested}");
        let report = site.run(&settings, &[], &["true"]);
        assert_eq!(report.init, [&walk(calls), logs].concat(), "{nested}");
        let report = site.run(&settings, &["--in", "local"], &HIT);
        assert_eq!(report.init, [""; 0], "{nested}");
    }
}

/// The plugin takes each word of srun's command line that begins like one of these options for that
/// option, and these tests run the plugin in a process with the command line of `host`.
#[test]
fn options_of_the_host_are_not_those_of_srun() {
    let output = Site::new().host("none", &["--help"], &HIT);
    let help = String::from_utf8(output.stdout).unwrap();
    let words = help.split_whitespace().filter(|word| word.starts_with("--"));
    let of_srun = words.filter(|word| word.starts_with("--cont") || word.starts_with("--bc"));
    assert_eq!(of_srun.collect::<Vec<_>>(), ["--container"], "{help}");
}

/// With an invalid line, nothing else is read.
#[test]
fn with_invalid_settings_nothing_is_read() {
    let site = Site::new();
    let report = site.run("on_miss=perhaps", &[], &HIT);
    assert_eq!((report.image.as_str(), report.task), ("", vec![]));
    assert_eq!(report.init, LOG);
}

/// `make test-all` runs ten thousand loads, which take 15 seconds.
#[test]
fn loads_leave_nothing_behind() {
    let site = Site::new();
    let rounds = if std::env::var_os("SIFCACHE_THOROUGH").is_some() { 10_000 } else { 1_000 };
    let output = site.host(&site.line(""), &["--rounds", &rounds.to_string()], &HIT);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(json(&stdout)["rounds"], rounds);
}

/// With `--features fault-injection` the conditions include panics. `tests/e2e/firewall.rs` always
/// includes them.
#[test]
fn every_entry_point_returns_0() {
    returns::every_hook_is_listed(&plugin());
    returns::every_entry_point(&plugin(), cfg!(feature = "fault-injection"));
}
