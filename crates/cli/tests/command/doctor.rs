//! `sifcache doctor` as a command: exit statuses, streams, and output.

use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use tempfile::TempDir;

struct Output {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// PATH is unusable, so that programs on this machine have no influence.
fn doctor(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    let output =
        command.arg("doctor").args(words).env_clear().env("PATH", "/none").output().unwrap();
    Output {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory with an image root, and the path of a plugstack.conf in it.
fn site(settings: &str) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let (root, file) = (directory.path().join("sif"), directory.path().join("plugstack.conf"));
    fs::create_dir(&root).unwrap();
    let line = format!("optional /none/spank_sifcache.so image_root={} {settings}", root.display());
    fs::write(&file, line).unwrap();
    (directory, file.to_str().unwrap().to_owned())
}

fn object(words: &[&str]) -> (Option<i32>, Value) {
    let output = doctor(&[words, &["--json"]].concat());
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.stderr);
    (output.status, serde_json::from_str(&output.stdout).unwrap())
}

fn levels(object: &Value, area: &str, check: &str) -> Vec<String> {
    let findings = object["findings"].as_array().unwrap().iter();
    let of = findings.filter(|f| f["area"] == area && f["check"] == check);
    of.map(|f| f["level"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn failures_are_reported_with_advice() {
    let (_directory, file) = site("nested=off syslog=off");
    let (status, object) = object(&["--plugstack", &file]);
    assert_eq!((status, &object["worst"]), (Some(1), &Value::from("fail")), "{object:#}");
    assert_eq!(levels(&object, "plugstack.conf", "settings"), ["ok"]);
    assert_eq!(levels(&object, "plugin", "file"), ["fail"]);
    // Without srun, `doctor` cannot determine which plugins srun loads.
    assert_eq!(levels(&object, "plugin", "loaded"), ["skipped"]);
    let output = doctor(&["--plugstack", &file]);
    assert_eq!((output.status, output.stderr.as_str()), (Some(1), ""));
    let advice = "  FAIL    /none/spank_sifcache.so: missing, so jobs run without it\n          \
                  make install plugindir=/none\n";
    assert!(output.stdout.contains(advice), "{}", output.stdout);
    assert!(!output.stdout.contains('\x1b'), "no colours where there is no terminal");
}

#[test]
fn without_settings_the_other_checks_are_made() {
    let (_directory, file) = site("on_mis=fail");
    for file in [file.as_str(), "/none/plugstack.conf"] {
        let (status, object) = object(&["--plugstack", file]);
        assert_eq!(status, Some(78), "{object:#}");
        assert_eq!(levels(&object, "image roots", "there"), ["skipped"]);
        assert_eq!(levels(&object, "runtime", "found"), ["warn"]);
        assert_eq!(levels(&object, "syslog", "socket").len(), 1);
    }
}

#[test]
fn warnings_fail_only_with_strict() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let root = directory.path().to_str().unwrap();
    let words = ["--root", root, "--untrusted", "accept"];
    let (status, object) = object(&words);
    assert_eq!(levels(&object, "image roots", "trusted"), ["note"]);
    assert_eq!(levels(&object, "runtime", "found"), ["warn"]);
    // The result of the checks of the shim depends on this machine.
    let fails = object["worst"] == "fail";
    assert_eq!(status, Some(i32::from(fails)), "{object:#}");
    assert_eq!(doctor(&[&words[..], &["--strict"]].concat()).status, Some(1));
}

#[test]
fn wrong_usage_and_help() {
    for words in [["--root", "/a:"].as_slice(), &["--root", "/a", "--plugstack", "/b"], &["x"]] {
        let output = doctor(words);
        assert_eq!(output.status, Some(64), "{words:?}: {}", output.stderr);
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}");
    }
    let help = doctor(&["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("Examples:") && help.stdout.contains("Exit status:"));
}

/// A runtime that is newer than the table of flags.
#[test]
fn a_runtime_with_unknown_flags() {
    let (directory, file) = site("nested=off syslog=off");
    let runtime = directory.path().join("apptainer");
    let write = |text: &str| {
        fs::write(&runtime, text).unwrap();
        fs::set_permissions(&runtime, Permissions::from_mode(0o755)).unwrap();
    };
    let flags = |expected: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(["doctor", "--json", "--plugstack", &file]).env_clear();
        let output = command.env("PATH", directory.path()).output().unwrap();
        let object: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(levels(&object, "runtime", "flags"), [expected], "{object:#}");
        let mut findings = object["findings"].as_array().unwrap().iter();
        findings.find(|f| f["check"] == "flags").unwrap()["message"].as_str().unwrap().to_owned()
    };
    let known = "echo 'Options:'; echo '  -B, --bind strings   x'";
    write(&format!("#!/bin/sh\n{known}\n"));
    // The flag is known after a launch subcommand, but not before it.
    assert!(flags("warn").contains("--bind VALUE (before the subcommand)"));
    write(&format!("#!/bin/sh\n[ $1 != --help ] || exit 1\n{known}\n"));
    assert!(flags("ok").ends_with("sifcache knows all its flags"));
    write(&format!("#!/bin/sh\n[ $1 = shell ] || exit 1\n{known}\necho '      --made-up   x'\n"));
    assert!(flags("warn").ends_with("does not know: --made-up (shell)"));
    // A runtime that prints no help, and one whose help never ends.
    write("#!/bin/sh\nexit 1\n");
    assert!(flags("skipped").ends_with("lists no flags"));
    write("#!/bin/sh\nwhile :; do echo '      --x   x'; done\n");
    assert!(!flags("skipped").is_empty());
}

/// If a check hangs, the preceding areas have already been printed.
#[test]
fn each_area_is_printed_at_once() {
    let (directory, file) = site("nested=off syslog=off");
    let slow = directory.path().join("scontrol");
    fs::write(&slow, "#!/bin/sh\n[ $1 = -V ] || exec /bin/sleep 1\n").unwrap();
    fs::set_permissions(&slow, Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["doctor", "--plugstack", &file]).env_clear().env("PATH", directory.path());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!((line.as_str(), child.try_wait().unwrap()), ("slurm\n", None));
    child.wait().unwrap();
}

/// The keys and their order are part of the interface.
#[test]
fn the_object_is_as_documented() {
    let line = doctor(&["--root", "/none", "--json"]).stdout;
    let keys =
        ["host", "compute_node", "uid", "worst", "findings", "area", "check", "level", "message"];
    let places: Vec<_> =
        keys.iter().map(|key| line.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?} {line}");
    assert!(line.contains("\"advice\":null") && line.ends_with("}\n"), "{line}");
}
