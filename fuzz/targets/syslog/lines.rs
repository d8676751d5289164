//! Arbitrary log lines.

use crate::coverage::{Span, Spans, confirm};
use crate::event::{self, Event};
use crate::line::{self, Line};
use crate::log_line::now;
use crate::miss::{self, Found};
use crate::scan::Scan;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::decision::Kind;
use sifcache_core::reference::Reference;

/// A request is not from the future.
fn request(line: &[u8]) {
    if let Found::Miss(miss) = miss::read(line, now()).found {
        assert!(miss.time <= now(), "{}", miss.time);
    }
}

/// Reads a log as the command does.
pub(crate) fn read(log: &[u8]) {
    let latest = now().saturating_add(SignedDuration::from_hours(24)).expect("a time");
    let mut scan = Scan::new(now());
    let mut unread = Spans::default();
    for line in log.split(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        scan.line(line);
        request(line);
        match line::read(text.trim_end(), now()) {
            Line::Event(time, event) => {
                assert_eq!(line::time(&text, now()), Some(time));
                assert!(time <= latest, "{time}");
                round_trips(&event);
                scan.was_ours(time);
            }
            Line::Unread => {
                let time = line::time(&text, now()).or_else(|| scan.about());
                assert!(time.is_none_or(|time| time <= latest), "{time:?}");
                time.into_iter().for_each(|time| unread.add_wide(Span::unread(time)));
            }
            Line::Future(event) => round_trips(&event),
            Line::Forged | Line::Other => {}
        }
        check_message(text.trim_end());
    }
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
