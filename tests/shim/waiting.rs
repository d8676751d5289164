//! Launches and pulls that wait for a missing image. The tests write the queue entries that
//! `sifcache fill` would write.

use crate::kit::{Site, programs};
use sif_fixture::Sif;
use sifcache_core::queue;
use sifcache_core::reference::Reference;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The entry for `o/i:2`.
fn entry(site: &Site) -> PathBuf {
    site.path("roots").join(queue::file(&Reference::parse(b"o/i:2").unwrap()))
}

fn say(site: &Site, state: &str) {
    let path = entry(site);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let new = path.with_extension("new");
    let fields = "size=0 received=0 ahead=0 beat=1 reason=\"rule 3\"";
    fs::write(&new, format!("reference=docker.io/o/i:2 state={state} {fields}\n")).unwrap();
    fs::rename(new, path).unwrap();
}

/// Starts the shim with `SIF_CACHE=wait` in the directory `work`.
fn start(site: &Site, arguments: &str, setting: &str) -> Child {
    fs::create_dir_all(site.path("work")).unwrap();
    let mut command = Command::new(site.path("shims/apptainer"));
    command.args(arguments.split(' ')).current_dir(site.path("work")).env_clear();
    command.env("PATH", site.search("shims real")).env("SIF_CACHE", "wait");
    command.env("SINGULARITY_SIFCACHE", format!("{} {setting}", site.settings()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let _lock = programs();
    command.spawn().unwrap()
}

/// Whether a process waits for the image. Its socket has the name of the entry.
fn is_waited_for(site: &Site) -> bool {
    let key = queue::hash(entry(site).as_os_str().as_encoded_bytes());
    fs::read_to_string("/proc/net/unix").unwrap().contains(&format!("/{key}/0"))
}

fn until(condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < limit, "the condition is never true");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs the shim, and calls `meanwhile` while it waits.
fn run(site: &Site, arguments: &str, setting: &str, meanwhile: impl FnOnce()) -> Output {
    let child = start(site, arguments, setting);
    until(|| is_waited_for(site));
    meanwhile();
    let output = child.wait_with_output().unwrap();
    assert!(!is_waited_for(site), "nothing is left");
    output
}

#[test]
fn a_pull_is_answered_when_the_image_has_been_added() {
    let site = Site::new();
    say(&site, "queued");
    let output = run(&site, "pull x.sif docker://o/i:2", "on_miss=fail", || {
        Sif::image().write(site.path("roots/o/i:2")).unwrap();
        say(&site, "done");
    });
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let image = fs::read(site.path("roots/o/i:2")).unwrap();
    assert_eq!(fs::read(site.path("work/x.sif")).unwrap(), image);
}

#[test]
fn a_refused_image_is_a_miss() {
    let site = Site::new();
    for (arguments, stderr) in [
        ("exec docker://o/i:2 true", "the image is refused: rule 3\n"),
        ("-q pull x.sif docker://o/i:2", "fails because of on_miss=fail"),
    ] {
        say(&site, "queued");
        let output = run(&site, arguments, "on_miss=fail", || say(&site, "refused"));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(66) && text.contains(stderr), "{text}");
        assert_eq!(text.contains("rule 3"), !arguments.starts_with("-q"), "{text}");
    }
}

/// Whether this process, and so its children, ignore a signal: a shell without job control ignores
/// SIGINT for commands in the background.
fn is_ignored(number: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (number - 1) & 1 == 1
}

/// A signal ends the wait as it would end the runtime.
#[test]
fn signals_end_a_wait() {
    let site = Site::new();
    let all = [("TERM", 15), ("INT", 2), ("HUP", 1)];
    for (signal, number) in all.into_iter().filter(|(_, number)| !is_ignored(*number)) {
        say(&site, "queued");
        let child = start(&site, "exec docker://o/i:2 true", "on_miss=pull");
        until(|| is_waited_for(&site));
        let pid = child.id().to_string();
        assert!(Command::new("/bin/kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(child.wait_with_output().unwrap().status.signal(), Some(number));
        until(|| !is_waited_for(&site));
    }
}

/// The first process reads the entry for all. It must survive the end of any other process.
#[test]
fn processes_that_wait_for_the_same_image_may_end_at_any_time() {
    let site = Site::new();
    say(&site, "queued");
    let launch = || start(&site, "exec docker://o/i:2 true", "on_miss=fail");
    let leader = launch();
    until(|| is_waited_for(&site));
    let mut followers = [launch(), launch(), launch()];
    // Time for polls, in which the leader accepts the others.
    thread::sleep(Duration::from_secs(3));
    let [killed, ..] = &mut followers;
    killed.kill().unwrap();
    thread::sleep(Duration::from_secs(3));
    say(&site, "refused");
    let status = |child: Child| child.wait_with_output().unwrap().status.code();
    assert_eq!(status(leader), Some(66));
    assert_eq!(followers.map(status), [None, Some(66), Some(66)]);
}
