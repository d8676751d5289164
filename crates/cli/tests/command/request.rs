//! `sifcache request` and `sifcache queue`, with a listener and a filler that the tests make up. The
//! library of munge is the one of the tests of crates/munge, which needs no daemon.

use crate::tree::Tree;
use serde_json::{Value, json};
use sifcache_core::queue;
use sifcache_core::reference::Reference;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// An image root with a listener, which takes the place of `sifcache fill --listen`.
pub(crate) struct Site {
    pub(crate) tree: Tree,
    listener: TcpListener,
}

/// The listener's answer to each request, and what the filler then writes into the queue.
pub(crate) type Answers<'a> = &'a [(&'a str, &'a dyn Fn(&Tree))];

impl Site {
    pub(crate) fn new() -> Option<Self> {
        let tree = Tree::new()?;
        let library = tree.directory("lib").join("libmunge.so.2");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../munge/tests/munge/fake.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-fPIC", "-shared", "-o"]).arg(library).arg(source);
        assert!(compiler.status().unwrap().success());
        Some(Self { tree, listener: TcpListener::bind("127.0.0.1:0").unwrap() })
    }

    /// The value of `--to`.
    fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Runs the command, and answers as many requests as there are answers. Returns its exit
    /// status, its output and error messages, and the requests.
    fn request(&self, words: &[&str], answers: Answers<'_>) -> (Option<i32>, [String; 2], String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(["request", "--root", &self.tree.text("root"), "--to", &self.address()]);
        command.args(words).env("LD_LIBRARY_PATH", self.tree.path("lib")).stdin(Stdio::null());
        let (output, lines) = thread::scope(|scope| {
            let output = scope.spawn(move || command.output().unwrap());
            let lines: String = answers.iter().map(|one| self.answer(*one)).collect();
            // This listener has no news.
            self.listener.set_nonblocking(true).unwrap();
            while !output.is_finished() {
                let _ = self.listener.accept();
                thread::sleep(Duration::from_millis(5));
            }
            (output.join().unwrap(), lines)
        });
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), [text(output.stdout), text(output.stderr)], lines)
    }

    /// The next connection. If there is none, the test should fail instead of waiting for it.
    fn accept(&self) -> TcpStream {
        self.listener.set_nonblocking(true).unwrap();
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    return stream;
                }
                Err(error) => assert!(Instant::now() < limit, "no request: {error}"),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn answer(&self, (answer, then): (&str, &dyn Fn(&Tree))) -> String {
        let mut stream = self.accept();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        then(&self.tree);
        stream.write_all(answer.as_bytes()).unwrap();
        line
    }
}

/// Writes the filler's entry for `o/new:1`.
pub(crate) fn entry(tree: &Tree, fields: &str) {
    let file = queue::file(&Reference::parse(b"o/new:1").unwrap());
    let line = format!("reference=docker.io/o/new:1 {fields}\n");
    tree.file(Path::new("root").join(file), line.as_bytes());
}

pub(crate) fn done(tree: &Tree) {
    tree.image("root/o/new:1", 2);
    entry(tree, "state=done size=9 received=9 ahead=0 beat=1 reason=\"\"");
}

pub(crate) fn queued(tree: &Tree) {
    entry(tree, "state=queued size=0 received=0 users=2 ahead=3 beat=1 reason=\"quiet hours\"");
}

pub(crate) fn refused(tree: &Tree) {
    entry(tree, "state=refused size=0 received=0 ahead=0 beat=1 reason=\"not allowed\"");
}

fn nothing(_: &Tree) {}

const ACCEPTED: &str = "sifcache/1 accepted\n";
const LINE: &str = "sifcache/1 request MUNGE:sifcache/1 request docker.io/o/new:1:\n";

#[test]
fn an_image_is_added_meanwhile() {
    let Some(site) = Site::new() else { return };
    let words = ["o/good:1", "docker://o/new:1"];
    let (status, [stdout, stderr], lines) = site.request(&words, &[(ACCEPTED, &done)]);
    assert_eq!((status, lines.as_str()), (Some(0), LINE), "{stdout}{stderr}");
    let root = site.tree.text("root");
    let expected =
        format!("present     o/good:1  {root}/o/good:1\nadded       o/new:1  {root}/o/new:1  in ");
    assert!(stdout.starts_with(&expected), "{stdout}");
    // It is in the cache, so nobody is asked.
    let (status, [stdout, _], _) = site.request(&["o/new:1"], &[]);
    assert_eq!((status, stdout), (Some(0), format!("present     o/new:1  {root}/o/new:1\n")));
}

#[test]
fn each_result_has_its_exit_status() {
    let Some(site) = Site::new() else { return };
    let failed = |tree: &Tree| {
        entry(tree, "state=failed size=9 received=1 left=60 ahead=0 beat=1 reason=gone");
    };
    let refusal = "sifcache/1 refused the credential has expired\n";
    let busy = "sifcache/1 busy 7\n";
    let wait: &[&str] = &["o/new:1"];
    let no_wait: &[&str] = &["--no-wait", "o/new:1"];
    let second: &[&str] = &["--wait=1s", "o/new:1"];
    for (words, answer, status, text) in [
        (wait, (ACCEPTED, &refused as &dyn Fn(&Tree)), 1, "refused     o/new:1  not allowed\n"),
        (wait, (ACCEPTED, &failed), 1, "failed      o/new:1  gone\n"),
        (wait, (refusal, &nothing), 1, "refused     o/new:1  the credential has expired\n"),
        (second, (ACCEPTED, &queued), 75, "time-up     o/new:1  the filler still works on it"),
        (
            wait,
            (ACCEPTED, &nothing),
            69,
            "no-filler   o/new:1  the filler has accepted the request, but reports nothing about it",
        ),
        (
            no_wait,
            (busy, &nothing),
            75,
            "busy        o/new:1  the filler is busy: try again in 7 s\n",
        ),
        (no_wait, (ACCEPTED, &nothing), 0, "asked       o/new:1\n"),
    ] {
        let _ = fs::remove_dir_all(site.tree.path("root/.sifcache"));
        let (found, [stdout, stderr], lines) = site.request(words, &[answer]);
        assert_eq!((found, lines.as_str()), (Some(status), LINE), "{stdout}{stderr}");
        assert!(stdout.starts_with(text), "{stdout}");
    }
}

/// While it waits, it asks a busy listener again.
#[test]
fn a_busy_listener_is_asked_again() {
    let Some(site) = Site::new() else { return };
    let answers: Answers<'_> = &[("sifcache/1 busy 1\n", &nothing), (ACCEPTED, &done)];
    let (status, [stdout, stderr], lines) = site.request(&["o/new:1"], answers);
    assert_eq!((status, lines), (Some(0), LINE.repeat(2)), "{stdout}{stderr}");
}

#[test]
fn a_listener_that_cannot_be_reached() {
    let Some(site) = Site::new() else { return };
    let (status, [stdout, stderr], _) =
        site.request(&["o/new:1"], &[("HTTP/1.1 400\r\n", &nothing)]);
    assert_eq!((status, stdout.as_str()), (Some(69), ""));
    assert!(stderr.contains("its answer is not one of a filler"), "{stderr}");
    let newer: Answers<'_> = &[("sifcache/2 accepted\n", &nothing)];
    let (status, [stdout, stderr], _) = site.request(&["o/new:1"], newer);
    assert_eq!((status, stdout.as_str()), (Some(69), ""));
    assert!(stderr.contains("it has the protocol sifcache/2: install one release"), "{stderr}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
    command.args(["request", "--root", &site.tree.text("root"), "--to", "127.0.0.1:1", "o/new:1"]);
    let output = command.env("LD_LIBRARY_PATH", site.tree.path("lib")).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{stderr}");
    assert!(stderr.contains("the filler at 127.0.0.1:1: Connection refused"), "{stderr}");
}

/// For processes that wait by themselves: no output, only an exit status.
#[test]
fn send_only_prints_nothing() {
    let Some(site) = Site::new() else { return };
    for (answer, status) in
        [(ACCEPTED, 0), ("sifcache/1 refused x\n", 1), ("sifcache/1 busy 9\n", 75), ("what\n", 69)]
    {
        let (found, output, lines) =
            site.request(&["--send-only", "o/new:1"], &[(answer, &nothing)]);
        assert_eq!((found, lines.as_str()), (Some(status), LINE));
        assert_eq!(output, ["", ""]);
    }
}

#[test]
fn wrong_usage() {
    let Some(site) = Site::new() else { return };
    for words in [
        &["../../etc/passwd"] as &[&str],
        &["--wait=1h", "--no-wait", "o/new:1"],
        &["--wait=soon", "o/new:1"],
        &[],
    ] {
        let (status, [_, stderr], _) = site.request(words, &[]);
        assert_eq!(status, Some(64), "{words:?}: {stderr}");
    }
}

#[test]
fn the_queue_is_shown_to_everybody() {
    let Some(tree) = Tree::new() else { return };
    let queue = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.args(["queue", "--root", &tree.text("root")]).args(more);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(queue(&[]), "no image is waiting, refused or failed\n");
    queued(&tree);
    let text = queue(&[]);
    assert!(
        text.starts_with("STATE   REFERENCE  SIZE  DONE  LEFT  BEFORE IT  USERS  CHANGED  NOTE\n"),
        "{text}"
    );
    assert!(text.contains("queued  o/new:1       -     -     -          3      2  "), "{text}");
    assert!(text.contains("quiet hours"), "{text}");
    done(&tree);
    let text = queue(&[]);
    assert!(text.contains("1 image was added within the last 10 minutes (--all)"), "{text}");
    assert!(queue(&["--all"]).contains("done   o/new:1"));
    let object: Value = serde_json::from_str(&queue(&["--json"])).unwrap();
    assert_eq!(object["images"][0]["state"], json!("done"));
    assert_eq!(object["filler"], json!("unknown"));
}

/// The objects of all results, for the comparison with docs/json.md.
pub(crate) fn objects(site: &Site) -> Vec<Value> {
    let answers: Answers<'_> = &[(ACCEPTED, &refused), (ACCEPTED, &done)];
    let words = ["--json", "o/good:1", "o/new:1"];
    let outputs = answers.iter().map(|answer| site.request(&words, &[*answer]).1[0].clone());
    let text = outputs.collect::<Vec<_>>().concat();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
