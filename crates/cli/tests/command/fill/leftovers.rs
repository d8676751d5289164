//! What a crash of the host, another host, or a file system without locks leaves behind.
#![allow(clippy::print_stderr)]

use super::{PULLS, Running, Site, end, signal};
use sifcache_core::queue::{self, Entry, State};
use sifcache_core::reference::Reference;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The queue file of an image.
fn file(site: &Site, name: &str) -> PathBuf {
    let reference = Reference::parse(name.as_bytes()).unwrap();
    site.path("root").join(queue::file(&reference))
}

/// A host that loses its power holds no lock, may leave empty files, and its filler was at work.
#[test]
fn what_a_host_leaves_that_loses_its_power_is_removed() {
    let site = Site::new(PULLS);
    fs::write(site.path("log"), "").unwrap();
    assert_eq!(site.fill(&["--once"]).status, Some(0));
    let entry = Entry {
        reference: "127.0.0.1:1/o/i:1".to_owned(),
        state: State::Pulling,
        size: 9,
        received: 3,
        seconds_left: None,
        ahead: 0,
        users: None,
        beat: 1,
        reason: String::new(),
    };
    fs::write(file(&site, "127.0.0.1:1/o/i:1"), format!("{entry}\n")).unwrap();
    fs::write(file(&site, "127.0.0.1:1/o/i:2"), "").unwrap();
    fs::write(file(&site, "127.0.0.1:1/o/i:3"), [0; 64]).unwrap();
    fs::write(site.path("root/.sifcache/queue/beat"), "").unwrap();
    fs::write(site.path("root/.sifcache/fill/state.json"), "").unwrap();
    fs::write(site.path("root/.sifcache/fill/lock"), "process 1 on n9\n").unwrap();
    let scratch = site.path("root/.sifcache/tmp/n9.1.1");
    fs::create_dir(&scratch).unwrap();
    fs::write(scratch.join("image.sif"), [0; 100]).unwrap();
    fs::write(scratch.with_extension("1.lock"), "").unwrap();
    let child = site.start(&["--follow"]);
    site.wait("queue", || site.queue().is_empty());
    site.miss(1001, "o/i:2");
    site.wait("o/i:2", || site.has("o/i:2"));
    signal(&child, "-TERM");
    let output = end(child);
    assert_eq!(output.status, Some(143), "{output:?}");
    assert!(output.stderr.contains("state.json is damaged"), "{output:?}");
    assert!(site.is_clean() && !site.has("o/i:1"));
}

/// The filler of this site on a host with another name.
fn on_another_host(site: &Site, words: &[&str]) -> Command {
    let fill = site.command(words);
    let mut command = Command::new("unshare");
    let script = "hostname other-host || exit 99; exec \"$@\"";
    command.args(["--uts", "--", "sh", "-c", script, "sh"]).arg(fill.get_program());
    command.args(fill.get_args());
    command.envs(fill.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command
}

/// The second filler waits, says for whom, and takes over what the first one leaves.
#[test]
fn a_filler_on_another_host_takes_over() {
    let site = Site::new(r#"echo pull >> "$NOTES/calls"; await; exit 1"#);
    site.miss(1001, "o/i:1");
    let mut first = Running(Some(on_another_host(&site, &["--follow"]).spawn().unwrap()));
    site.wait("a pull", || site.calls() == 1 || !is_alive(&first));
    if site.calls() == 0 {
        assert!(std::env::var_os("CI").is_none(), "this test needs root");
        eprintln!("skipped: needs root, to change the name of the host");
        return;
    }
    let output = site.fill(&["--once"]);
    assert_eq!(output.status, Some(69), "{output:?}");
    let holder = format!("process {} on other-host fills this image root already", first.id());
    assert!(output.stderr.contains(&holder), "{output:?}");
    site.runtime(PULLS);
    let mut second = site.command(&["--follow"]);
    second.stderr(fs::File::create(site.path("stderr")).unwrap());
    let second = Running(Some(second.spawn().unwrap()));
    let says = || fs::read_to_string(site.path("stderr")).unwrap();
    site.wait("a note", || says().contains(" on other-host fills this image root; waiting"));
    let mut killed = first.0.take().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    site.wait("o/i:1", || site.has("o/i:1"));
    signal(&second, "-TERM");
    assert_eq!(end(second).status, Some(143));
    fs::write(site.path("notes/go"), "").unwrap();
}

fn is_alive(child: &Running) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// The words of strace before those of the command, or `None` if it cannot trace here.
pub(super) fn strace(words: &[&str]) -> Option<Vec<String>> {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "this test needs strace");
        eprintln!("skipped: needs strace");
        return None;
    }
    let words = ["strace", "-f", "-qq", "-o", "/dev/null"].iter().chain(words);
    Some(words.map(|word| (*word).to_owned()).collect())
}

/// The command of this site with these words of strace before it.
pub(super) fn traced(site: &Site, strace: &[String], words: &[&str]) -> Running {
    let fill = site.command(words);
    let mut command = Command::new(&strace[0]);
    command.args(&strace[1..]).arg(fill.get_program()).args(fill.get_args());
    command.envs(fill.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Running(Some(command.spawn().unwrap()))
}

/// Two fillers that do not see each other: what both do twice does no harm.
#[test]
fn two_fillers_on_a_file_system_without_locks() {
    let inject = ["-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"];
    let Some(strace) = strace(&inject) else { return };
    let site = Site::new(&format!("sleep 0.2; {PULLS}"));
    let names = ["o/i:1", "o/i:2", "o/i:3", "o/i:4"];
    for name in names {
        site.miss(1001, name);
    }
    let both = [(); 2].map(|()| traced(&site, &strace, &["--once"]));
    for output in both.map(end) {
        assert_eq!(output.status, Some(0), "{output:?}");
        assert!(output.stderr.contains("is on a file system without locks"), "{output:?}");
    }
    assert!(names.iter().all(|name| site.has(name)));
    assert!((4..=8).contains(&site.calls()), "{}", site.calls());
    let output = site.fill(&["--once"]);
    assert_eq!((output.status, output.stdout.as_str()), (Some(0), ""), "{output:?}");
}
