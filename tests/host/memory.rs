//! Runs every path through the plugin several times in one process. `make asan` runs these tests
//! under the address sanitizer and under valgrind, which report errors on stderr.

use crate::kit::{Site, UNDER, json};
use crate::{HIT, MISS};

/// The number of rounds. A round takes a second under valgrind.
fn rounds() -> &'static str {
    if std::env::var_os(UNDER).is_some() { "2" } else { "20" }
}

/// Runs the hooks on `command`. Returns the image that was put into it, `IMAGE` for the image of
/// the site.
#[track_caller]
fn run<A: AsRef<std::ffi::OsStr>>(settings: &str, flags: &[&str], command: &[A]) -> String {
    run_in(&Site::new(), settings, flags, command)
}

#[track_caller]
fn run_in<A: AsRef<std::ffi::OsStr>>(
    site: &Site,
    settings: &str,
    flags: &[&str],
    command: &[A],
) -> String {
    // Valgrind does not support a process that shares its parent's memory.
    let alone = std::env::var(UNDER).is_ok_and(|checker| checker.starts_with("valgrind"));
    let timeout = if alone { "lookup_timeout=off" } else { "" };
    let line = site.line(&format!("untrusted=accept {timeout} {settings}"));
    let output = site.host(&line, &[&["--rounds", rounds()], flags].concat(), command);
    // Ignores the messages for users. Whether the process grows is not checked here, because a
    // checker keeps memory that was freed.
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<_> = errors.lines().filter(|line| !line.starts_with("sifcache: ")).collect();
    assert_eq!(errors, [""; 0], "{settings} {flags:?}");
    let report = json(&String::from_utf8_lossy(&output.stdout));
    report["image"].as_str().unwrap().replace(&site.image(), "IMAGE")
}

#[test]
fn hit_miss_and_pass() {
    assert_eq!(run("", &[], &HIT), "IMAGE");
    // With a helper process.
    assert_eq!(run_in(&Site::in_memory(), "", &[], &HIT), "IMAGE");
    assert_eq!(run("image_root=/none", &[], &HIT), "", "a key twice");
    for command in [&MISS[..], &["true"], &["apptainer"], &["apptainer", "run", "/x.sif"], &[""]] {
        assert_eq!(run("", &[], command), "", "{command:?}");
    }
    assert_eq!(run("", &[], &["apptainer", "run", "docker://o/i:\u{fc}\n"]), "");
}

#[test]
fn settings_that_are_wrong() {
    for wrong in ["on_miss=perhaps", "nonsense", "x=y", "runtimes=", "syslog=/\u{1b}"] {
        assert_eq!(run(wrong, &[], &HIT), "", "{wrong}");
        assert_eq!(run(wrong, &["--option", "require", "--status", "66"], &HIT), "", "{wrong}");
    }
}

#[test]
fn option_values() {
    for (value, hit) in [("auto", "IMAGE"), ("off", ""), ("require", "IMAGE"), ("wrong", "IMAGE")] {
        assert_eq!(run("", &["--option", value], &HIT), hit, "{value}");
    }
    // The task ends before its command is checked.
    run("", &["--option", "require", "--status", "66"], &MISS);
    run("on_miss=fail", &["--status", "66"], &MISS);
    run("on_miss=warn", &[], &MISS);
}

#[test]
fn commands_that_may_start_launches() {
    for nested in ["nested=path", "nested=preload", "nested=off"] {
        assert_eq!(run(nested, &["--option", "off"], &["/tmp/slurm_script"]), "");
        assert_eq!(run(nested, &[], &HIT), "IMAGE");
        let several = "0 hostname\n1-3 apptainer run docker://o/i:1\n";
        assert_eq!(run(nested, &["--option", "require"], &["conf", several]), "");
    }
}

#[test]
fn contexts() {
    for context in ["local", "allocator", "slurmd", "remote"] {
        let hit = if context == "remote" { "IMAGE" } else { "" };
        for option in [&[][..], &["--option", "require"], &["--option", "wrong"]] {
            let flags = [&["--in", context], option].concat();
            assert_eq!(run("nested=preload", &flags, &HIT), hit, "{flags:?}");
        }
    }
}

#[test]
fn long_commands() {
    let word = "x".repeat(100_000);
    let many = HIT.into_iter().chain(std::iter::repeat_n("word", 10_000));
    assert_eq!(run("", &[], &many.collect::<Vec<_>>()), "IMAGE");
    let flags = std::iter::repeat_n("--bind", 9_998).chain([HIT[2], "true"]);
    let many = ["apptainer", "exec"].into_iter().chain(flags);
    assert_eq!(run("", &[], &many.collect::<Vec<_>>()), "IMAGE");
    assert_eq!(run("", &[], &["apptainer", "exec", &word, HIT[2]]), "");
    assert_eq!(run("", &[], &["apptainer", "exec", "--env", &word, HIT[2], &word]), "IMAGE");
}

/// The program under `benches/host` passes a count that is one too large, and the plugin relies on
/// it.
#[test]
#[ignore = "reads out of bounds; make asan expects the checker to report it"]
fn the_memory_checker_is_active() {
    let site = Site::new();
    let flags = ["--rounds", "1", "--miscount"];
    let output = site.host(&site.line("untrusted=accept"), &flags, &HIT);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    let names = ["heap-buffer-overflow", "Invalid read of size 8"];
    assert!(names.iter().any(|name| stderr.contains(name)), "{stderr}");
    assert!(stderr.contains("spank_sifcache"), "the error is not in the plugin: {stderr}");
}
