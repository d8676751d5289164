//! Tests with small scripts in place of the runtime.

use super::{Error, PullOptions, Runtime};
use crate::pull::credentials::Credentials;
use sifcache_core::settings::Settings;
use std::cell::RefCell;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Locked for writing while a script is written, and for reading while a process is started: a file
/// that is open for writing cannot be executed, and a process that another test is just starting
/// inherits every open descriptor.
static STARTING: RwLock<()> = RwLock::new(());

/// A program can be started as long as the result exists.
pub(super) fn starts() -> RwLockReadGuard<'static, ()> {
    STARTING.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn stand_in(script: &str) -> (TempDir, Runtime) {
    let _nobody_starts = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("apptainer");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let settings = Settings::with_roots(Vec::new());
    let runtime = Runtime::find(&settings, Some(&path)).unwrap();
    (directory, runtime)
}

fn pull(script: &str, credentials: &Credentials) -> (Result<(), Error>, Vec<String>) {
    pull_for(None, script, credentials)
}

fn pull_for(
    architecture: Option<&'static str>,
    script: &str,
    credentials: &Credentials,
) -> (Result<(), Error>, Vec<String>) {
    let (directory, runtime) = stand_in(script);
    let lock = File::create(directory.path().join("lock")).unwrap();
    let options = PullOptions {
        no_https: true,
        credentials,
        tmpdir: directory.path(),
        lock: &lock,
        architecture,
    };
    let _starts = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    let heard = RefCell::new(Vec::new());
    let report = |line: &str| heard.borrow_mut().push(line.to_owned());
    let result = runtime.pull("docker://o/i:1", Path::new("/to"), &options, &report, &|| Ok(()));
    (result, heard.into_inner())
}

#[test]
fn the_runtime_gets_its_arguments_and_environment() {
    let script = r#"
        [ "$*$SINGULARITY_NOHTTPS" = "pull /to docker://o/i:1true" ] || exit 3
        [ -d "$APPTAINER_TMPDIR" ] && [ "$SINGULARITY_DISABLE_CACHE" = true ] || exit 4
        [ "$APPTAINER_DOCKER_USERNAME:$SINGULARITY_DOCKER_PASSWORD" = alice:secret ] || exit 5
        ! read -r line"#;
    let (result, heard) = pull(script, &Credentials::basic("alice", "secret"));
    assert!(result.is_ok(), "{result:?}");
    assert!(heard.is_empty(), "{heard:?}");
}

#[test]
fn the_architecture_is_passed_under_the_runtimes_name() {
    for (architecture, message) in [("arm64", "arm64"), ("s390x", "s390x"), ("arm", "arm32v7")] {
        let script = format!(r#"[ "$*" = "pull --arch {message} /to docker://o/i:1" ]"#);
        let (result, _) = pull_for(Some(architecture), &script, &Credentials::none());
        assert!(result.is_ok(), "{result:?}");
    }
}

#[test]
fn an_auth_file_is_passed_to_the_runtime() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("auth.json");
    fs::write(&file, "{}").unwrap();
    let credentials = Credentials::find(false, Some(&file)).unwrap();
    let script = format!(r#"[ "$2 $3" = "--authfile {}" ]"#, file.display());
    assert!(pull(&script, &credentials).0.is_ok());
}

#[test]
fn each_line_of_output_is_reported() {
    let script = r#"printf 'INFO:    Copying\rCopying 1\rCopying 2\n' >&2; echo last; exit 255"#;
    let (result, heard) = pull(script, &Credentials::none());
    assert_eq!(result.unwrap_err().output().lines().count(), 4);
    assert!(heard.contains(&"Copying 2".to_owned()) && heard.contains(&"Copying".to_owned()));
}

#[test]
fn the_reason_of_a_failure_is_reported() {
    let message = |script: &str| pull(script, &Credentials::none()).0.unwrap_err().to_string();
    let script = r#"printf '\033[31mFATAL:   While making image: no space\033[0m\n' >&2
        echo 'Usage: whatever'; exit 255"#;
    assert_eq!(message(script), "While making image: no space");
    assert_eq!(message("kill -9 $$"), "it ended with signal: 9 (SIGKILL) and no message");
    let none = Path::new("/nowhere/apptainer");
    let settings = Settings::with_roots(Vec::new());
    let message = Runtime::find(&settings, Some(none)).unwrap_err().to_string();
    assert_eq!(message, "--runtime /nowhere/apptainer: it is not an executable file");
}

#[test]
fn long_output_is_read_completely() {
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exit 1";
    let (result, _) = pull(script, &Credentials::none());
    assert_eq!(result.unwrap_err().to_string(), "line 19999");
}

/// A process that the runtime leaves behind holds its outputs open.
#[test]
fn remaining_processes_are_killed() {
    let begun = Instant::now();
    let script = "sleep 60 & echo $!; exit 1";
    let process = pull(script, &Credentials::none()).0.unwrap_err().to_string();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let stat = || fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The killed process may still exist for a moment. It stays a zombie if the init process does
    // not reap it.
    let gone = |stat: &str| stat.is_empty() || stat.contains(") Z ");
    while !gone(&stat()) {
        assert!(begun.elapsed() < Duration::from_secs(50), "{}", stat());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The runtime closes its outputs and continues.
#[test]
fn closed_outputs_do_not_end_the_wait() {
    let script = r#"exec >&- 2>&-; sleep 0.5; echo done > "$APPTAINER_TMPDIR/done"; exit 3"#;
    let error = pull(script, &Credentials::none()).0.unwrap_err();
    assert_eq!(error.to_string(), "it ended with exit status: 3 and no message");
}
