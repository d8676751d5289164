//! Arbitrary log lines.

use crate::chunks::{Chunk, Chunks, LONGEST};
use crate::coverage::{Span, Spans, confirm};
use crate::event::{self, Event};
use crate::header;
use crate::line::{self, Line};
use crate::log_line::now;
use crate::miss::{self, Found};
use crate::part::Reader;
use crate::scan::{Scan, Unusual};
use crate::tally::Tally;
use crate::ui::progress::Task;
use jiff::{SignedDuration, Timestamp};
use memchr::memmem::Finder;
use sifcache_core::decision::Kind;
use sifcache_core::reference::Reference;
use std::io::Cursor;

/// A request is not from the future.
fn request(line: &[u8]) {
    if let Found::Miss(miss) = miss::read(line, now()).found {
        assert!(miss.time <= now(), "{}", miss.time);
    }
}

/// What the lines of a log mean, one by one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Meaning {
    events: u64,
    forged: u64,
    future: usize,
    unread: usize,
}

/// Reads each line by itself.
fn one_by_one(log: &[u8]) -> Meaning {
    let latest = latest();
    let mut all = Meaning::default();
    for line in log.split(|byte| *byte == b'\n') {
        let line = line.get(..LONGEST).unwrap_or(line);
        let text = String::from_utf8_lossy(line);
        request(line);
        match line::read(text.trim_end(), now()) {
            Line::Event(time, event) => {
                assert_eq!(line::time(&text, now()), Some(time));
                assert!(time <= latest, "{time}");
                round_trips(&event);
                all.events += 1;
            }
            Line::Unread => all.unread += 1,
            Line::Future(event) => {
                round_trips(&event);
                all.future += 1;
            }
            Line::Forged => all.forged += 1,
            Line::Other => {}
        }
        check_message(text.trim_end());
    }
    all
}

fn latest() -> Timestamp {
    now().saturating_add(SignedDuration::from_hours(24)).expect("a time")
}

/// What `Scan` reports.
#[derive(Default)]
struct Others {
    future: usize,
    lines: usize,
    unread: Spans,
}

impl Unusual for Others {
    fn future(&mut self, _: &Event, about: Option<Timestamp>, _: &dyn Fn() -> String) {
        assert!(about.is_none_or(|time| time <= latest()), "{about:?}");
        self.future += 1;
    }

    fn unread(&mut self, _: &str, about: Option<Timestamp>) {
        assert!(about.is_none_or(|time| time <= latest()), "{about:?}");
        self.lines += 1;
        about.into_iter().for_each(|time| self.unread.add_wide(Span::unread(time)));
    }
}

/// Reads a log as the command does: the result has to be that of single lines.
pub(crate) fn read(log: &[u8]) {
    let latest = latest();
    let (tally, finder) = (Tally::new(None, None), Finder::new(header::TAG));
    let reader = Reader { now: now(), finder: &finder, tally: &tally };
    let mut chunks = Chunks::new(Box::new(Cursor::new(log.to_vec())), Task);
    let (mut scan, mut others) = (Scan::new(now()), Others::default());
    let (mut all, mut chunk) = (Meaning::default(), Chunk::default());
    while let Some(next) = chunks.next(chunk).expect("memory can be read") {
        let part = reader.read(next, 0);
        scan.add(&part, &mut others);
        all.events += part.events;
        all.forged += part.forged;
        chunk = part.chunk;
    }
    (all.future, all.unread) = (others.future, others.lines);
    assert_eq!(all, one_by_one(log));
    let unread = others.unread;
    let mut silent = Spans::default();
    for (_, found) in scan.finish() {
        let mut spans = found.spans;
        in_order(&spans);
        assert!(spans.iter().all(|span| span.to <= latest));
        spans.cut(&unread);
        in_order(&spans);
        let outside =
            |span: Span| unread.iter().all(|hole| span.to <= hole.from || span.from >= hole.to);
        assert!(spans.iter().all(outside), "{spans:?} {unread:?}");
        // In the command, the second set of spans comes from another host. Any times will do here.
        let before = spans.iter().count();
        confirm(&mut spans, &mut silent);
        in_order(&spans);
        assert!(spans.iter().count() <= before);
        silent = spans;
    }
}

fn in_order(spans: &Spans) {
    let all: Vec<Span> = spans.iter().collect();
    assert!(all.iter().all(|span| span.from <= span.to), "{all:?}");
    assert!(all.windows(2).all(|pair| pair[0].to < pair[1].from), "{all:?}");
}

/// Checks the message without the header of syslog: random input rarely contains a valid header.
fn check_message(message: &str) {
    let Some(event) = event::parse(message) else { return };
    round_trips(&event);
    let line = format!("2026-03-01T03:03:15Z n1 sifcache: {message}");
    let when: Timestamp = "2026-03-01T03:03:15Z".parse().expect("a time");
    assert_eq!(line::read(&line, now()), Line::Event(when, Box::new(event)), "{line}");
}

/// Checks that an accepted event is the same after writing it in the plugin's format and reading it
/// back.
fn round_trips(event: &Event) {
    let reference = Reference::parse(event.reference.to_string().as_bytes());
    let event = Event { reference: reference.expect("it prints and parses"), ..event.clone() };
    let job = event.job.map(|job| format!("job={job} ")).unwrap_or_default();
    let image = event.image.as_ref().map(|path| format!(" image={}", quoted(path)));
    let refused = event
        .refused
        .iter()
        .map(|(path, why)| format!(" refused={} why={}", quoted(path), quoted(why.as_ref())));
    let Ok(tasks) = u32::try_from(event.count) else { return };
    let link = event.link.as_ref().map(|path| format!(" link={}", quoted(path)));
    let line = format!(
        "event={} {job}tasks={tasks} uid={}{} reference={}{}{}{}",
        if event.image.is_some() { "hit" } else { "miss" },
        event.uid,
        via(event.kind),
        event.reference,
        image.unwrap_or_default(),
        link.unwrap_or_default(),
        refused.collect::<String>(),
    );
    assert_eq!(event::parse(&line), Some(event), "{line}");
}

fn via(kind: Kind) -> &'static str {
    match kind {
        Kind::Launch => "",
        Kind::Pull => " via=pull",
        Kind::Build => " via=build",
    }
}

fn quoted(path: &std::path::Path) -> String {
    format!("\"{}\"", path.as_os_str().as_encoded_bytes().escape_ascii())
}
