//! `sifcache fill` as a program. A script replaces the runtime, and no registry answers.

mod bounds;
mod certificates;
mod clock;
mod daemons;
mod disk;
mod killed;
mod leftovers;
mod logs;
mod news;
mod not_logs;
mod registry;
mod requests;
mod service;

use crate::tree::{mode, sif};
use jiff::Timestamp;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No server listens at this address: the pull continues without a digest.
const REGISTRY: &str = "127.0.0.1:1";
/// Longer than any step takes, even on a machine under load.
const LONG: Duration = Duration::from_secs(60);
/// A runtime that writes a note for each pull, and then copies an image.
const PULLS: &str = r#"echo pull "$3" >> "$NOTES/calls"; cp "$NOTES/../image" "$2""#;
const FAILS: &str = r#"echo pull >> "$NOTES/calls"; echo "no such image" >&2; exit 1"#;
const AWAIT: &str =
    r#"await() { until [ -e "$NOTES/go" ]; do [ -d "$NOTES" ] || exit 1; sleep 0.02; done; }"#;
/// A policy that allows everything except one repository.
const POLICY: &str =
    "allow = [\"**\"]\ndeny = [\"127.0.0.1:1/forbidden/**\"]\nunidentified = \"count\"\n";

/// An image root, a log, a policy, and a runtime.
struct Site {
    directory: TempDir,
}

/// The result of the command.
#[derive(Debug)]
struct Output {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Site {
    fn new(runtime: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["root", "notes", "tmp"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let site = Self { directory };
        fs::write(site.path("image"), sif(1)).unwrap();
        fs::write(site.path("fill.toml"), POLICY).unwrap();
        site.runtime(runtime);
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces the runtime. `$2` is the new file, `$3` the URI. In the script, `await` waits until the
    /// test creates the file `go`. It ends the script if the test has ended, because a runtime outlives
    /// a filler that is killed.
    fn runtime(&self, script: &str) {
        let path = self.path("apptainer");
        // A shell that runs the old script still reads it.
        let _ = fs::remove_file(&path);
        let script = format!("#!/bin/sh\n[ $1 = pull ] || exit 0\n{AWAIT}\n{script}\n");
        fs::write(&path, script).unwrap();
        mode(&path, 0o755);
    }

    /// A job of this user does not find the image.
    fn miss(&self, uid: u32, name: &str) {
        self.misses(uid, &format!("{REGISTRY}/{name}"));
    }

    /// A job of this user does not find the image with this full reference.
    fn misses(&self, uid: u32, reference: &str) {
        let mut log = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let (now, what) = (Timestamp::now(), "event=miss job=9 step=0 node=1 tasks=2");
        writeln!(log, "{now} n1 sifcache: {what} uid={uid} reference={reference}").unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.command_without_log(words);
        command.arg("--log").arg(self.path("log"));
        command
    }

    fn command_without_log(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(["fill", "--untrusted=accept", "--root"]).arg(self.path("root"));
        command.arg("--policy").arg(self.path("fill.toml"));
        command.arg("--runtime").arg(self.path("apptainer"));
        command
            .args(words)
            .env("NOTES", self.path("notes"))
            .env("APPTAINER_TMPDIR", self.path("tmp"));
        command.env("HOME", self.directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, words: &[&str]) -> Running {
        Running(Some(self.command(words).spawn().unwrap()))
    }

    fn fill(&self, words: &[&str]) -> Output {
        end(self.start(words))
    }

    /// The number of pulls.
    fn calls(&self) -> usize {
        fs::read_to_string(self.path("notes/calls")).unwrap_or_default().lines().count()
    }

    /// The file of an image that is in the cache.
    fn has(&self, name: &str) -> bool {
        let path = self.path("root").join(REGISTRY).join(name);
        fs::read(path).is_ok_and(|bytes| bytes == sif(1))
    }

    /// The queue files. There are none in an image root that only the filler sees. A filler that
    /// runs may remove a file between the two calls that list and read it.
    fn queue(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("root/.sifcache/queue")).into_iter().flatten();
        let files = files.map(|file| file.unwrap().path()).filter(|path| !path.ends_with("beat"));
        let read = |path| match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            text => Some(text.unwrap()),
        };
        let mut texts: Vec<_> = files.filter_map(read).collect();
        texts.sort();
        texts
    }

    /// Waits until something is the case.
    #[track_caller]
    fn wait(&self, what: &str, is_it: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_it() {
            assert!(begun.elapsed() < LONG, "{what} {:?}", self.queue());
            sleep(Duration::from_millis(10));
        }
    }

    /// Nothing is left of unfinished work.
    fn is_clean(&self) -> bool {
        fs::read_dir(self.path("root/.sifcache/tmp")).unwrap().next().is_none()
    }
}

/// A filler that is killed if its test fails.
struct Running(Option<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Running {
    fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }
}

fn end(mut child: Running) -> Output {
    let output = child.0.take().unwrap().wait_with_output().unwrap();
    Output {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn signal(child: &Running, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Whether this process is running; a zombie is not.
fn lives(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// The test kit leaves nothing behind, also if a test fails or kills the filler.
#[test]
fn a_runtime_that_waits_ends_with_its_test() {
    let site = Site::new(r#"echo $$ > "$NOTES/process"; await"#);
    site.miss(1001, "o/i:1");
    let filler = site.start(&["--once"]);
    let process = || fs::read_to_string(site.path("notes/process")).unwrap_or_default();
    site.wait("a pull", || process().ends_with('\n'));
    let process = process().trim().to_owned();
    drop(filler);
    assert!(lives(&process));
    drop(site);
    let begun = Instant::now();
    while lives(&process) {
        assert!(begun.elapsed() < LONG, "{process} is still running");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_help_has_the_status_of_a_log_that_cannot_be_read() {
    let site = Site::new(PULLS);
    let output = site.fill(&["--once"]);
    assert!(output.stderr.contains("cannot read "), "{output:?}");
    assert_eq!(output.status, Some(74), "{output:?}");
    assert!(site.fill(&["--help"]).stdout.contains("\n  74  a log "));
}

#[test]
fn requests_of_many_jobs_are_one_pull() {
    let site = Site::new(PULLS);
    for uid in [1001, 1002, 1001] {
        site.miss(uid, "o/i:1");
        site.miss(uid, "forbidden/i:1");
    }
    site.miss(1003, "o/i:2");
    let planned = site.fill(&["--once", "--dry-run"]);
    assert_eq!(planned.stdout.matches("would pull  127.0.0.1:1/o/i:").count(), 2, "{planned:?}");
    assert!(!site.path("root/.sifcache").exists() && site.calls() == 0);
    let output = site.fill(&["--once"]);
    assert_eq!(output.status, Some(0), "{output:?}");
    for text in ["added       127.0.0.1:1/o/i:1  ", "added       127.0.0.1:1/o/i:2  ", "refused  "]
    {
        assert_eq!(output.stdout.matches(text).count(), 1, "{output:?}");
    }
    assert_eq!((site.calls(), site.has("o/i:1"), site.has("o/i:2")), (2, true, true));
    let queue = site.queue();
    let states = ["refused", "done", "done"].map(|state| format!(" state={state} "));
    assert!(queue.iter().zip(states).all(|(text, state)| text.contains(&state)), "{queue:?}");
    assert!(site.is_clean());
    // The lines are behind the cursor. A job that asked before the image was there asks again.
    site.miss(1004, "o/i:1");
    let output = site.fill(&["--once"]);
    assert_eq!((output.status, output.stdout.as_str()), (Some(0), ""), "{output:?}");
    assert_eq!(site.calls(), 2);
}

#[test]
fn a_failed_image_has_a_pause() {
    let site = Site::new(FAILS);
    site.miss(1001, "o/i:1");
    let output = site.fill(&["--once"]);
    assert_eq!(output.status, Some(1), "{output:?}");
    assert!(output.stdout.starts_with("failed      127.0.0.1:1/o/i:1  "), "{output:?}");
    assert!(output.stdout.contains("no such image; next attempt in 5m"), "{output:?}");
    assert!(site.queue()[0].contains(" state=failed "), "{:?}", site.queue());
    site.runtime(PULLS);
    site.miss(1002, "o/i:1");
    let output = site.fill(&["--once"]);
    assert_eq!((output.status, site.calls()), (Some(0), 1), "{output:?}");
    assert!(site.queue()[0].contains("no such image"), "{:?}", site.queue());
    let planned = site.fill(&["--once", "--dry-run"]);
    assert!(planned.stdout.starts_with("failed "), "{planned:?}");
    // Once the pause is over, the image is added.
    let path = site.path("root/.sifcache/fill/state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    state["schedule"]["items"][0]["trouble"]["since"] = "2026-01-01T00:00:00Z".into();
    fs::write(&path, state.to_string()).unwrap();
    let output = site.fill(&["--once"]);
    assert_eq!((output.status, site.calls(), site.has("o/i:1")), (Some(0), 2, true), "{output:?}");
}

#[test]
fn without_a_policy_nothing_is_filled() {
    let site = Site::new(PULLS);
    site.miss(1001, "o/i:1");
    for text in [None, Some("allow = [\"**\"]\nalow = 1\n")] {
        let path = site.path("fill.toml");
        match text {
            Some(text) => fs::write(path, text).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        for words in [&["--once"][..], &["--follow"], &["--once", "--dry-run"]] {
            let output = site.fill(words);
            assert_eq!(output.status, Some(78), "{output:?}");
            assert!(output.stderr.contains("fill.toml"), "{output:?}");
        }
    }
    assert!(!site.path("root/.sifcache").exists() && site.calls() == 0);
}
