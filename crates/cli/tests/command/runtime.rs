//! The effect on the runtime when the command is asked to end. A script replaces the runtime.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No server listens at this address: the pull continues without a digest.
const REFERENCE: &str = "127.0.0.1:1/o/i:1";
/// Longer than any step takes, even on a machine under load.
const LONG: Duration = Duration::from_secs(60);

struct Site {
    directory: TempDir,
}

impl Site {
    /// `script` is the body of the runtime. It writes notes to the directory `$NOTES`.
    fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["root", "notes", "tmp"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let runtime = directory.path().join("apptainer");
        fs::write(&runtime, format!("#!/bin/sh\n[ $1 = pull ] || exit 0\n{script}\n")).unwrap();
        fs::set_permissions(&runtime, Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn add(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(["add", "--untrusted=accept", "--root"]).arg(self.path("root"));
        command.arg("--runtime").arg(self.path("apptainer")).arg(REFERENCE);
        command.env("NOTES", self.path("notes")).env("APPTAINER_TMPDIR", self.path("tmp"));
        command.env("HOME", self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits for a note of the script, and returns its text.
    fn note(&self, name: &str) -> String {
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(self.path("notes").join(name)).unwrap_or_default();
            if text.ends_with('\n') {
                return text.trim().to_owned();
            }
            assert!(begun.elapsed() < LONG, "no note {name}");
            sleep(Duration::from_millis(10));
        }
    }
}

fn ask_to_end(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Waits for the end of the process. Returns its output, and how long it took.
fn end(child: Child) -> (Output, Duration) {
    let begun = Instant::now();
    (child.wait_with_output().unwrap(), begun.elapsed())
}

/// Whether a process is still running; a zombie is not.
fn lives(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// Waits until a process has ended. SIGKILL takes effect later than the call that sends it.
#[track_caller]
fn wait_for_end(process: &str) {
    let begun = Instant::now();
    while lives(process) {
        assert!(begun.elapsed() < LONG, "{process} is still running");
        sleep(Duration::from_millis(10));
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn the_runtime_can_clean_up_before_it_ends() {
    let site = Site::new(
        r#"trap 'echo yes > "$NOTES/cleared"; exit 1' TERM
        echo $$ > "$NOTES/started"; while [ -d "$NOTES" ]; do sleep 0.1; done"#,
    );
    let child = site.add();
    let process = site.note("started");
    ask_to_end(&child);
    let (output, _) = end(child);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(site.note("cleared"), "yes");
    assert!(!lives(&process));
}

#[test]
fn a_runtime_that_ignores_the_signal_is_killed() {
    let site = Site::new(
        r#"trap '' TERM INT; sleep 90 & echo $! > "$NOTES/other"
        echo half > "$4"; echo $$ > "$NOTES/started"
        while [ -d "$NOTES" ]; do sleep 90; done"#,
    );
    let child = site.add();
    let processes = [site.note("started"), site.note("other")];
    ask_to_end(&child);
    let (output, took) = end(child);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(took > Duration::from_secs(4) && took < LONG, "{took:?}");
    processes.iter().for_each(|process| wait_for_end(process));
    assert!(is_empty(&site.path("root/.sifcache/tmp")));
}

/// Ctrl-C on a terminal is sent to a whole process group; the command passes the signal on to the
/// runtime.
#[test]
fn the_runtime_has_its_own_process_group() {
    let site = Site::new(
        r#"echo $(cut -d' ' -f5 /proc/$$/stat) > "$NOTES/group"
        echo $$ > "$NOTES/process"; exit 1"#,
    );
    let (output, _) = end(site.add());
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert_eq!(site.note("group"), site.note("process"));
}
