use super::{Messages, example, for_image, root};
use crate::Hook;
use crate::decide::apply::MISSING;
use crate::logging::captured;
use crate::spank::Context;
use crate::spank::test_double::Double;
use sif_fixture::Sif;
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::decision::{self, Decision, Verdict};
use sifcache_core::lookup::Inline;
use sifcache_core::queue::{self, Entry, State};
use sifcache_core::settings::{OnMiss, Settings, Untrusted};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);

/// An image root without images, and the queue entries in it.
struct Site {
    root: tempfile::TempDir,
    settings: Settings,
}

impl Site {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut settings = Settings::with_roots(vec![root.path().to_owned()]);
        settings.untrusted = Untrusted::Accept;
        fs::create_dir_all(root.path().join(queue::DIRECTORY)).unwrap();
        Self { root, settings }
    }

    fn decide(&self, command: &str) -> Decision {
        let words: Vec<&str> = command.split(' ').collect();
        decision::decide(&words, &self.settings, CacheMode::Wait, &|_| None, &Inline)
    }

    /// The path of the entry for `o/i:1`.
    fn entry(&self) -> PathBuf {
        let miss = self.decide(LAUNCH);
        self.root.path().join(queue::file(miss.reference().unwrap()))
    }

    fn write(&self, state: State, reason: &str) {
        let entry = Entry { reason: reason.to_owned(), ..example::entry(state) };
        fs::write(self.entry(), format!("{entry}\n")).unwrap();
    }

    /// A hit of the launch, although the image is not there any more.
    fn hit(&self) -> Decision {
        let image = self.root.path().join("o/i:1");
        Sif::image().write(&image).unwrap();
        let hit = self.decide(LAUNCH);
        fs::remove_file(image).unwrap();
        assert_eq!(hit.verdict, Verdict::Hit);
        hit
    }

    /// Waits for the image of a command that misses. `look` is the result of each lookup.
    fn wait(&self, command: &str, on_miss: OnMiss, look: &Decision) -> (Option<Decision>, String) {
        let (job, miss) = (job(command), self.decide(command));
        let root = root(&self.settings, &miss).unwrap();
        let look = || look.clone();
        let found = for_image(&job, &miss, (&self.settings, root, None), (LIMIT, on_miss), &look);
        (found, job.stderr.take())
    }
}

fn job(command: &str) -> Double {
    let mut job = Double::new(Context::Remote, &[]);
    job.command = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    job
}

const LAUNCH: &str = "apptainer exec docker://o/i:1 true";

#[test]
fn an_image_that_is_added_is_a_hit() {
    for timeout in [None, Some(LIMIT)] {
        let mut site = Site::new();
        site.settings.lookup_timeout = timeout;
        site.write(State::Done, "");
        let hit = site.hit();
        assert_eq!(site.wait(LAUNCH, OnMiss::Pull, &hit), (Some(hit), String::new()));
    }
}

#[test]
fn a_refusal_ends_the_wait() {
    let site = Site::new();
    let miss = site.decide(LAUNCH);
    let line = "sifcache: the wait for docker.io/o/i:1 has ended: the image";
    let quiet = "apptainer -q pull x.sif docker://o/i:1";
    for (command, state, on_miss, stderr) in [
        (LAUNCH, State::Refused, OnMiss::Pull, " is refused: rule 3; the runtime now pulls it\n"),
        (LAUNCH, State::Failed, OnMiss::Fail, " cannot be added: rule 3\n"),
        (quiet, State::Failed, OnMiss::Pull, ""),
    ] {
        site.write(state, "rule 3");
        let stderr = if stderr.is_empty() { String::new() } else { format!("{line}{stderr}") };
        assert_eq!(site.wait(command, on_miss, &miss), (None, stderr), "{command}");
    }
}

/// The flags and the variables that make the runtime quiet.
#[test]
fn a_quiet_runtime_waits_without_messages() {
    let site = Site::new();
    for (globals, variable, has_messages) in [
        ("", "", true),
        ("-q", "", false),
        ("--quiet", "", false),
        ("-s", "", false),
        ("--silent", "", false),
        ("--quiet=false", "", true),
        ("-v", "", true),
        // -v takes precedence.
        ("-v -q", "", true),
        ("", "APPTAINER_QUIET=1", false),
        ("", "APPTAINER_SILENT=true", false),
        ("", "SINGULARITY_QUIET=1", false),
        ("", "APPTAINER_QUIET=0", true),
        ("-q", "APPTAINER_QUIET=0", false),
        // Not a boolean.
        ("", "APPTAINER_QUIET=very", true),
        ("-q", "APPTAINER_SILENT=very", false),
    ] {
        for rest in ["exec docker://o/i:1 true", "pull docker://o/i:1", "build x docker://o/i:1"] {
            let command = format!("apptainer {globals} {rest}").replace("  ", " ");
            let job = job(&command);
            if let Some((name, value)) = variable.split_once('=') {
                job.set(name, value);
            }
            let messages = Messages::new(&job, &site.settings);
            assert_eq!(messages.progress.is_some(), has_messages, "{command} {variable}");
        }
    }
}

/// The filler has two seconds. Neither a missing directory nor a FIFO changes that.
#[test]
fn without_a_filler_the_wait_is_short() {
    let site = Site::new();
    let miss = site.decide(LAUNCH);
    let fifo = Command::new("mkfifo").arg(site.entry()).status();
    assert!(fifo.unwrap().success());
    let (found, stderr) = site.wait(LAUNCH, OnMiss::Pull, &miss);
    assert_eq!(found, None);
    assert!(stderr.contains("has ended: no `sifcache fill` has answered; the runtime"), "{stderr}");
    fs::remove_dir_all(site.root.path().join(".sifcache")).unwrap();
    assert_eq!(site.wait(LAUNCH, OnMiss::Pull, &miss), (None, stderr));
}

#[test]
fn an_image_that_is_removed_again_ends_the_wait() {
    let site = Site::new();
    site.write(State::Done, "");
    let (found, stderr) = site.wait(LAUNCH, OnMiss::Warn, &site.decide(LAUNCH));
    assert_eq!(found, None);
    assert!(stderr.ends_with("has ended: the image was removed again\n"), "{stderr}");
}

#[test]
fn a_root_that_cannot_be_read_is_not_waited_for() {
    let site = Site::new();
    let miss = site.decide(LAUNCH);
    assert_eq!(root(&site.settings, &miss), Some(site.root.path()));
    let nowhere = Settings::with_roots(vec![site.root.path().to_owned(), "/no/where".into()]);
    let words: Vec<&str> = LAUNCH.split(' ').collect();
    let miss = decision::decide(&words, &nowhere, CacheMode::Auto, &|_| None, &Inline);
    assert_eq!(root(&nowhere, &miss), None);
    let foreign = Settings::parse(&["image_root=pulls=/no/where"]).unwrap();
    assert_eq!(root(&foreign, &miss), None);
}

/// A task with the setting or the option.
#[test]
fn a_task_requests_the_image_and_waits() {
    let site = Site::new();
    site.write(State::Queued, "");
    let image_root = format!("image_root={}", site.root.path().display());
    for (setting, option, waits, ended) in [
        ("on_miss=wait:1:fail", None, true, Some(MISSING)),
        ("on_miss=wait:1", Some("wait"), true, None),
        ("on_miss=wait:1", Some("require"), true, Some(MISSING)),
        ("on_miss=wait:1", Some("off"), false, None),
        ("on_miss=pull", None, false, None),
    ] {
        let arguments = [image_root.as_str(), "untrusted=accept", "nested=off", setting];
        let mut double = Double::new(Context::Remote, &arguments);
        double.command = LAUNCH.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        double.option = option.map(str::to_owned);
        let lines = captured(|| crate::dispatch(Hook::TaskInit, &double));
        assert_eq!(double.ended.get(), ended, "{setting} {option:?}");
        let has = |text: &str| lines.iter().any(|line| line.ends_with(text));
        assert_eq!(has("reference=docker.io/o/i:1 wait=1"), waits, "{lines:?}");
        assert_eq!(has("the wait for docker.io/o/i:1 has ended: 1 s have passed"), waits);
        let stderr = double.stderr.borrow();
        assert_eq!(stderr.contains("waiting up to"), waits, "{stderr}");
    }
}
