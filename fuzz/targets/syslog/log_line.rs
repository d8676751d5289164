//! The plugin's log line about a launch, for arbitrary names of the image and of its files.

use crate::event::Event;
use crate::job::{Error, Job, Link, Step};
use crate::line::{self, Line};
use crate::{recorder, report};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use sifcache_core::decision::{Decision, Kind, Verdict};
use sifcache_core::image::State;
use sifcache_core::image_uri::ImageUri;
use sifcache_core::lookup::Candidate;
use sifcache_core::pull::link::NotLinked;
use sifcache_core::reference::Reference;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

/// A hit if there is an `image`, otherwise a miss.
#[derive(Debug, Arbitrary)]
pub(crate) struct LogLine<'a> {
    image: Option<&'a [u8]>,
    reference: &'a [u8],
    id: Option<(u32, u32)>,
    uid: u32,
    node: u32,
    tasks: u32,
    nested: bool,
    files: Vec<(&'a [u8], u8)>,
}

const WHEN: &str = "2026-03-01T03:03:15Z";

/// The same time in syslog's format, which has no year and is in the time zone of the host.
static LOCAL: LazyLock<String> =
    LazyLock::new(|| when().to_zoned(TimeZone::system()).strftime("%b %e %H:%M:%S").to_string());

impl LogLine<'_> {
    /// Writes the line, reads it back and compares the events.
    pub(crate) fn round_trips(&self) {
        let decision = self.decision();
        let sent = recorder::sent(|| match &self.image {
            Some(image) => report::hit(self, &decision, path(image), self.link()),
            None => report::miss(self, &decision, false, self.wait()),
        });
        let [line] = sent.as_slice() else { panic!("{sent:?} is not one line") };
        assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{line:?}");
        assert_eq!(keys(line), self.keys(&decision), "{line}");
        let (log, times) = self.in_a_log(line);
        let mut expected = self.event(&decision);
        expected.count = expected.count.saturating_mul(times);
        assert_eq!(line::read(&log, now()), Line::Event(when(), Box::new(expected)), "{log}");
    }

    /// The line in one of the log formats that the command reads, and the number of occurrences
    /// that the log line states.
    fn in_a_log(&self, line: &str) -> (String, u64) {
        match self.node % 9 {
            0 => (format!("{WHEN} n1 sifcache: {line}"), 1),
            1 => (format!("<30>{WHEN} n1 sifcache[17]: {line}"), 1),
            2 => (format!("{} n1 sifcache: {line}", *LOCAL), 1),
            4 => (format!("<30>1 {WHEN} n1 sifcache - - [a b=\"]\"] {line}"), 1),
            5 => (format!("{WHEN} 10.1.1.1 n1 daemon.info sifcache: {line}"), 1),
            6 => (format!("Sun 2026-03-01 03:03:15 UTC n1 sifcache[17]: {line}"), 1),
            7 => (format!("{} n1 sifcache: {line}", when().as_second()), 1),
            3 => (format!("{WHEN} n1 sifcache: message repeated 3 times: [ {line}]"), 3),
            _ => {
                let of_another = journal(line, self.uid.wrapping_add(1).max(1));
                assert_eq!(line::read(&of_another, now()), Line::Forged, "{of_another}");
                (journal(line, self.uid), 1)
            }
        }
    }

    fn decision(&self) -> Decision {
        let reference = Reference::parse(self.reference);
        let reference = reference.or_else(|_| Reference::parse(b"o/i:1")).expect("one of them is");
        let candidate = |(file, kind): &(&[u8], u8)| Candidate {
            path: path(file).to_owned(),
            state: state(*kind),
        };
        Decision {
            launch: None,
            pull: None,
            build: None,
            image: None,
            uri: Some(ImageUri::new(reference)),
            candidates: self.files.iter().map(candidate).collect(),
            verdict: if self.image.is_some() { Verdict::Hit } else { Verdict::Miss },
        }
    }

    /// The refused files and unusable roots that a miss names, each with its reason.
    fn refused(&self, decision: &Decision) -> Vec<(PathBuf, String)> {
        let is_root = |candidate: &&Candidate| candidate.state.is_root_state();
        let roots = decision.candidates.iter().filter(is_root);
        let is_file =
            |state: &State| !matches!(state, State::NotTried | State::Absent | State::Image);
        let files = decision.candidates.iter().filter(|c| is_file(&c.state) && !is_root(c));
        let both = files.chain(roots).filter(|_| self.image.is_none());
        both.map(|one| (one.path.clone(), one.state.token().to_owned())).collect()
    }

    /// The link of a pull: for each second launch in a script, to a path with the same bytes.
    fn link(&self) -> Link {
        let link = if self.node.is_multiple_of(2) {
            Ok(path(self.image?).to_owned())
        } else {
            Err(NotLinked::NoDigestName)
        };
        Some(link).filter(|_| self.nested)
    }

    /// Each third miss waits for its image.
    fn wait(&self) -> Option<Duration> {
        let waits = self.image.is_none() && self.tasks.is_multiple_of(3);
        waits.then(|| Duration::from_secs(self.node.into()))
    }

    fn event(&self, decision: &Decision) -> Event {
        let reference = decision.reference().expect("it has one").to_string();
        Event {
            image: self.image.map(|image| path(image).to_owned()),
            link: self.link().and_then(Result::ok),
            reference: Reference::parse(reference.as_bytes()).expect("it is one"),
            job: self.id.map(|(job, _)| job),
            uid: self.uid,
            kind: decision.kind(),
            count: if self.nested { 1 } else { self.tasks.into() },
            refused: self.refused(decision),
        }
    }

    /// The keys that the line must have, in order.
    fn keys(&self, decision: &Decision) -> Vec<&'static str> {
        let mut keys = vec!["event"];
        if self.id.is_some() {
            keys.extend(["job", "step", "node"]);
        }
        keys.extend(if self.nested { ["uid", "via"] } else { ["tasks", "uid"] });
        keys.push("reference");
        keys.extend(self.image.map(|_| "image"));
        keys.extend(self.wait().map(|_| "wait"));
        let link = self.link().filter(|_| self.image.is_some());
        keys.extend(link.map(|link| if link.is_ok() { "link" } else { "copied" }));
        keys.extend(self.refused(decision).iter().flat_map(|_| ["refused", "why"]));
        keys
    }
}

/// The keys of a line, found by a simple parser: blanks and equals signs within quotes do not
/// count.
fn keys(line: &str) -> Vec<&str> {
    let (mut keys, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, byte) in line.bytes().enumerate() {
        match byte {
            b'"' if !escaped => quoted = !quoted,
            b' ' if !quoted => start = index + 1,
            b'=' if !quoted => keys.push(&line[start..index]),
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
    }
    assert!(!quoted, "{line} ends within quotes");
    keys
}

/// The line as `journalctl --output=json` prints it, sent by the user with the ID `sender`.
fn journal(line: &str, sender: u32) -> String {
    let (when, sender) = (when().as_microsecond().to_string(), sender.to_string());
    serde_json::json!({
        "__REALTIME_TIMESTAMP": when, "SYSLOG_IDENTIFIER": "sifcache", "_UID": sender, "MESSAGE": line,
    })
    .to_string()
}

fn when() -> Timestamp {
    WHEN.parse().expect("a time")
}

pub(crate) fn now() -> Timestamp {
    "2026-03-02T00:00:00Z".parse().expect("a time")
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn state(kind: u8) -> State {
    match kind % 16 {
        0 => State::Image,
        1 => State::NotTried,
        2 => State::Absent,
        3 => State::NoRoot,
        4 => State::DanglingLink,
        5 => State::NotAFile("directory"),
        6 => State::Unreadable,
        7 => State::Truncated { size: 1, needed: 2 },
        8 => State::Failed(5),
        9 => State::NoAnswer,
        10 => State::Encrypted,
        11 => State::OciSif,
        12 => State::NoRootFileSystem,
        13 => State::BadTable,
        14 => State::UnknownFileSystem(4),
        _ => State::NotSif,
    }
}

impl Job for LogLine<'_> {
    fn command(&self) -> Vec<&[u8]> {
        Vec::new()
    }

    fn replace(&self, _: usize, _: &Path) -> Result<(), Error> {
        Ok(())
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        // As under `srun -vv`, so that every message is logged.
        (name == "SRUN_DEBUG").then(|| b"5".to_vec())
    }

    fn step(&self) -> Step {
        let Self { id, uid, node, tasks, nested, .. } = *self;
        Step { id, uid, node, tasks, task: 0, nested, kind: Kind::Launch }
    }

    fn write_stderr(&self, _: &str) {}

    fn end(&self, _: i32) {}
}
