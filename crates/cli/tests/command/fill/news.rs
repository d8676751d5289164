//! `sifcache fill --listen`: clients that wait for an image. The library of munge needs no daemon.

use super::{FAILS, LONG, REGISTRY, Running, Site, end, signal};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Instant;

/// A runtime that pulls once the test allows it.
pub(super) const WAITS: &str = r#"await; cp "$NOTES/../image" "$2""#;
const ACCEPTED: &str = "sifcache/1 accepted\n";

/// A filler with a listener.
pub(super) struct Filler {
    pub(super) site: Site,
    pub(super) address: String,
    pub(super) child: Running,
}

impl Filler {
    pub(super) fn start(runtime: &str) -> Self {
        let site = Site::new(runtime);
        fs::write(site.path("log"), "").unwrap();
        let (library, source) = (site.path("libmunge.so.2"), "tests/command/fill/munge.c");
        let mut compiler = Command::new("cc");
        compiler.current_dir(env!("CARGO_MANIFEST_DIR")).args(["-fPIC", "-shared", "-o"]);
        assert!(compiler.arg(library).arg(source).status().unwrap().success());
        // The port is free again at the end of the statement.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = site.command(&["--follow", "--listen", &address]);
        command.env("LD_LIBRARY_PATH", site.directory.path());
        let child = Running(Some(command.spawn().unwrap()));
        site.wait("the listener", || TcpStream::connect(&address).is_ok());
        Self { site, address, child }
    }

    /// Sends a message about an image of [`REGISTRY`].
    fn send(&self, word: &str, name: &str) -> BufReader<TcpStream> {
        let payload = format!("sifcache/1 {word} {}/{name}", REGISTRY);
        let digits: String = payload.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        writeln!(stream, "sifcache/1 request MUNGE:{digits}:").unwrap();
        BufReader::new(stream)
    }

    /// Asks for an image, and waits for its news.
    fn ask(&self, name: &str) -> BufReader<TcpStream> {
        assert_eq!(rest(self.send("request", name)), ACCEPTED);
        let mut news = self.send("news", name);
        assert_eq!(line(&mut news), ACCEPTED);
        news
    }
}

fn line(news: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    news.read_line(&mut line).unwrap();
    line
}

fn rest(mut news: BufReader<TcpStream>) -> String {
    let mut text = String::new();
    news.read_to_string(&mut text).unwrap();
    text
}

/// The first line with this text.
#[track_caller]
fn wait_for(news: &mut BufReader<TcpStream>, text: &str) -> String {
    let begun = Instant::now();
    loop {
        let line = line(news);
        if line.contains(text) {
            return line;
        }
        assert!(!line.is_empty() && begun.elapsed() < LONG, "{text} does not arrive");
    }
}

/// The image is there when its news arrive, and again after it was removed.
#[test]
fn clients_learn_that_their_image_was_added() {
    let filler = Filler::start(WAITS);
    let site = &filler.site;
    for round in 0..2 {
        let mut one = filler.ask("o/i:1");
        let mut other = filler.ask("o/i:1");
        for news in [&mut one, &mut other] {
            let text = wait_for(news, " state=pulling ");
            assert!(text.starts_with("reference=127.0.0.1:1/o/i:1 "), "{text}");
        }
        fs::write(site.path("notes/go"), "").unwrap();
        for mut news in [one, other] {
            wait_for(&mut news, " state=done ");
            assert!(site.has("o/i:1"), "{round}");
            assert_eq!(rest(news), "");
        }
        // A job that asks now is told at once.
        wait_for(&mut filler.ask("o/i:1"), " state=done ");
        fs::remove_file(site.path("notes/go")).unwrap();
        fs::remove_file(site.path("root/127.0.0.1:1/o/i:1")).unwrap();
    }
    signal(&filler.child, "-TERM");
    assert_eq!(end(filler.child).status, Some(143));
}

#[test]
fn clients_learn_why_their_image_is_not_added() {
    let filler = Filler::start(FAILS);
    let mut news = filler.ask("o/i:1");
    let failed = wait_for(&mut news, " state=failed ");
    assert!(failed.contains("no such image"), "{failed}");
    let mut forbidden = filler.ask("forbidden/i:1");
    let refused = wait_for(&mut forbidden, " state=refused ");
    // The answer to a new request has another beat.
    assert_eq!(rest(filler.send("request", "forbidden/i:1")), ACCEPTED);
    assert_ne!(wait_for(&mut forbidden, " state=refused "), refused);
    // The connections last until the filler ends.
    signal(&filler.child, "-TERM");
    let lines = rest(news) + &rest(forbidden);
    assert!(lines.lines().all(|line| line.starts_with("reference=")), "{lines}");
    assert_eq!(end(filler.child).status, Some(143));
}

#[test]
fn a_port_that_is_in_use() {
    let filler = Filler::start(FAILS);
    let other = Site::new(FAILS);
    let mut command = other.command(&["--follow", "--listen", &filler.address]);
    command.env("LD_LIBRARY_PATH", filler.site.directory.path());
    let output = end(Running(Some(command.spawn().unwrap())));
    let expected = format!("sifcache: --listen {}: Address already in use", filler.address);
    assert!(output.stderr.starts_with(&expected), "{output:?}");
    assert!(output.stderr.contains("; another program uses the port: "), "{output:?}");
    assert_eq!(output.status, Some(69), "{output:?}");
}
