use super::{Next, Outcome, Request, listener};
use crate::logging::captured;
use crate::spank::test_double::Double;
use crate::spank::{Context, listen};
use sifcache_core::cache_mode::CacheMode;
use sifcache_core::decision;
use sifcache_core::lookup::Inline;
use sifcache_core::settings::{Filler, Settings};
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// A program in the place of `sifcache`, in a new directory.
fn program(script: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("program");
    let text = script.replace("HERE", directory.path().to_str().unwrap());
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

/// A request for an image that no other test uses.
fn request<'a>(program: &str, filler: &'a Filler, image: &str) -> Request<'a> {
    let reference = format!("docker.io/{}/{image}", std::process::id());
    // The owner of the socket is the user of the tests.
    let uid = fs::metadata("/proc/self").unwrap().uid();
    Request { program: program.to_owned(), filler, reference, uid }
}

fn filler() -> Filler {
    Filler::parse("ctl:80").unwrap()
}

#[track_caller]
fn until(condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < limit, "the condition is never true");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The process group of this process: proc(5).
fn process_group() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(2).unwrap().to_owned()
}

/// The command inherits nothing from the task: no environment, files, directory or process group.
#[test]
fn the_command_inherits_nothing() {
    let script = "{ for word in \"$@\"; do echo \"$word\"; done; readlink /proc/$$/cwd; \
                  for n in /proc/$$/fd/*; do readlink $n; done; \
                  tr '\\0' '\\n' </proc/$$/environ; cut -d' ' -f5 /proc/$$/stat; } >HERE/new; \
                  mv HERE/new HERE/seen";
    let (directory, path) = program(script);
    // Unlike the descriptors of the standard library, this one stays open in children.
    let _leak = rustix::io::dup(File::open("/proc/version").unwrap()).unwrap();
    let filler = filler();
    let request = request(&path, &filler, "nothing:1");
    assert_eq!(request.send(Next::Launch), Some(Outcome::Started));
    let seen = directory.path().join("seen");
    until(|| seen.exists());
    let text = fs::read_to_string(seen).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [words @ .., socket, output, script, group] = &lines[..] else {
        panic!("{text}");
    };
    let expected = ["request", "--send-only", "--to=ctl:80", "--", &request.reference, "/"];
    assert_eq!(words, expected);
    // The shell itself has opened two files: one for its output, and the script.
    assert!(socket.starts_with("socket:") && output.ends_with("/new"), "{text}");
    assert_eq!(*script, path);
    assert_ne!(*group, process_group());
}

/// A process that waits can connect to the command, which has the socket as its standard input.
#[test]
fn the_command_can_pass_on_news() {
    let (directory, path) = program(
        "for word in \"$@\"; do echo \"$word\"; done >HERE/new; mv HERE/new HERE/words; \
         [ -S /dev/stdin ] && while [ -d HERE ] && ! [ -e HERE/stop ]; do sleep 0.01; done",
    );
    let filler = filler();
    let request = request(&path, &filler, "news:1");
    assert_eq!(request.send(Next::Wait), Some(Outcome::Started));
    let words = directory.path().join("words");
    until(|| words.exists());
    let text = fs::read_to_string(words).unwrap();
    let expected = ["request", "--send-only", "--news", "--to=ctl:80", "--", &request.reference];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    let stream = crate::spank::connect(request.name().as_bytes()).unwrap();
    assert_eq!(crate::spank::peer_uid(&stream), Some(request.uid));
    File::create(directory.path().join("stop")).unwrap();
    until(|| crate::spank::connect(request.name().as_bytes()).is_err());
}

/// Of all processes of a user, one sends the request at a time.
#[test]
fn the_same_request_is_sent_once() {
    let (directory, path) = program("while [ -d HERE ] && ! [ -e HERE/stop ]; do sleep 0.01; done");
    let filler = filler();
    let send = || request(&path, &filler, "once:1").send(Next::Launch);
    assert_eq!(send(), Some(Outcome::Started));
    assert_eq!(send(), Some(Outcome::Shared));
    assert_eq!(request(&path, &filler, "other:1").send(Next::Launch), Some(Outcome::Started));
    File::create(directory.path().join("stop")).unwrap();
    // The kernel removes the name when the command has ended.
    until(|| send() == Some(Outcome::Started));
}

/// Every user can take a name: if another user holds it, the request is still sent.
#[test]
fn the_socket_of_another_user_is_not_believed() {
    let (directory, path) =
        program("echo x >>HERE/runs; while [ -d HERE ] && ! [ -e HERE/stop ]; do sleep 0.01; done");
    let filler = filler();
    // For the user with the next ID, the socket that the test opens belongs to somebody else.
    let mine = request(&path, &filler, "taken:1");
    let theirs = Request { uid: mine.uid + 1, ..mine };
    let _socket = listen(theirs.name().as_bytes()).unwrap();
    assert_eq!(theirs.send(Next::Launch), Some(Outcome::Started));
    assert_eq!(theirs.send(Next::Launch), Some(Outcome::Started));
    File::create(directory.path().join("stop")).unwrap();
    until(|| fs::read(directory.path().join("runs")).is_ok_and(|runs| runs == b"x\nx\n"));
}

/// A process that is about to end waits until the request was sent, but not forever.
#[test]
fn a_last_request_has_a_time_limit() {
    let filler = filler();
    let last = |script: &str, image| {
        let (_directory, path) = program(script);
        request(&path, &filler, image).send(Next::End)
    };
    assert_eq!(last("exit 3", "exit:1"), Some(Outcome::Ended(Some(3))));
    assert_eq!(last("kill -9 $$", "killed:1"), Some(Outcome::Ended(None)));
    assert_eq!(last("sleep 4", "sleeps:1"), Some(Outcome::Started));
}

#[test]
fn a_command_that_is_missing() {
    let filler = filler();
    let missing = request("/no/where", &filler, "missing:1").send(Next::Launch);
    assert_eq!(missing, Some(Outcome::Failed(ErrorKind::NotFound)));
}

/// Only with the setting, and only the process that reports.
#[test]
fn the_setting_decides() {
    let root = tempfile::tempdir().unwrap();
    for (filler, task, asks) in [("filler=ctl", 0, true), ("filler=ctl", 1, false), ("", 0, false)]
    {
        let image_root = format!("image_root={}", root.path().display());
        let words: Vec<&str> =
            [image_root.as_str(), filler].into_iter().filter(|word| !word.is_empty()).collect();
        let settings = Settings::parse(&words).unwrap();
        let launch = ["apptainer", "exec", "docker://o/i:1", "true"];
        let miss = decision::decide(&launch, &settings, CacheMode::Auto, &|_| None, &Inline);
        let mut job = Double::new(Context::Remote, &[]);
        job.step.task = task;
        let mut news = None;
        let lines = captured(|| news = listener(&job, &miss, &settings, Next::End));
        // A process that asks nothing can have the news as well.
        assert_eq!(news.is_some(), !filler.is_empty());
        let named = lines
            .iter()
            .filter(|line| line.contains("docker.io/o/i:1") && line.contains("ctl:7433"));
        assert_eq!((named.count() == 1, lines.len() == 1), (asks, asks), "{lines:?}");
    }
    assert!(Path::new(&super::installed(super::COMMAND)).is_absolute());
}
