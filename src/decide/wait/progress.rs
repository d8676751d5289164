//! The progress of a wait, on stderr: one line on a terminal, otherwise a line now and then.

use crate::NAME;
use sifcache_core::queue::{Entry, State};
use std::time::Duration;

/// The time between two lines that are not on a terminal.
const INTERVAL: Duration = Duration::from_secs(30);

const MEBIBYTE: u64 = 1 << 20;

/// What was written so far.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    /// When the last line was written.
    last: Option<Duration>,
}

impl Progress {
    pub(super) fn new(is_terminal: bool) -> Self {
        Self { is_terminal, last: None }
    }

    /// What to write, at `now` since the start, while the wait goes on for at most `left`.
    pub(super) fn show(&mut self, now: Duration, left: Duration, entry: &Entry) -> Option<String> {
        let last = self.last;
        let is_due = last.is_none_or(|last| now.saturating_sub(last) >= INTERVAL);
        if !is_due && !self.is_terminal {
            return None;
        }
        self.last = Some(now);
        let (reference, state) = (&entry.reference, describe(entry));
        Some(match (self.is_terminal, last) {
            (_, None) => {
                let seconds = left.as_secs();
                format!("{NAME}: waiting up to {seconds} s for {reference}: {state}\n")
            }
            (false, Some(_)) => format!("{NAME}: waiting for {reference}: {state}\n"),
            // A line that does not fit on the terminal could not be rewritten.
            (true, Some(_)) => format!("{CLEAR}{NAME}: {state:.60}"),
        })
    }

    /// What to write before any other line.
    pub(super) fn clear(&self) -> &'static str {
        if self.is_terminal && self.last.is_some() { CLEAR } else { "" }
    }

    /// Whether something was written.
    pub(super) fn has_begun(&self) -> bool {
        self.last.is_some()
    }
}

/// Removes the line that the cursor is on.
const CLEAR: &str = "\r\x1b[K";

/// How far the filler is, in a few words.
fn describe(entry: &Entry) -> String {
    let Entry { size, received, ahead, .. } = *entry;
    let why = if entry.reason.is_empty() { String::new() } else { format!(" ({})", entry.reason) };
    let mut text = match (entry.state, ahead, size) {
        (State::Queued, 0, _) => format!("queued{why}"),
        (State::Queued, 1, _) => format!("queued behind 1 other image{why}"),
        (State::Queued, ..) => format!("queued behind {ahead} other images{why}"),
        (_, _, 0) => format!("{} MiB received", received / MEBIBYTE),
        _ => {
            let percent = u128::from(received.min(size)) * 100 / u128::from(size);
            format!("{percent} % of {} MiB", size.div_ceil(MEBIBYTE))
        }
    };
    if let Some(seconds) = entry.seconds_left {
        text.push_str(&format!(", about {seconds} s left"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Progress, describe};
    use crate::decide::wait::example::entry;
    use sifcache_core::queue::{Entry, State};
    use std::time::Duration;

    #[test]
    fn the_state_in_a_few_words() {
        let queued = entry(State::Queued);
        assert_eq!(describe(&queued), "queued");
        assert_eq!(describe(&Entry { ahead: 1, ..queued.clone() }), "queued behind 1 other image");
        let reason = "1 of 2 users has asked".to_owned();
        let text = describe(&Entry { ahead: 3, seconds_left: Some(90), reason, ..queued });
        assert_eq!(text, "queued behind 3 other images (1 of 2 users has asked), about 90 s left");
        let pulling = Entry { received: 5 << 20, ..entry(State::Pulling) };
        assert_eq!(describe(&pulling), "5 MiB received");
        let pulling = Entry { size: 10 << 20, ..pulling };
        assert_eq!(describe(&pulling), "50 % of 10 MiB");
        assert_eq!(describe(&Entry { received: u64::MAX, ..pulling }), "100 % of 10 MiB");
    }

    #[test]
    fn a_log_gets_few_lines() {
        let mut progress = Progress::new(false);
        let all = (1..70).filter_map(|second| {
            let now = Duration::from_secs(second);
            let text = progress.show(now, Duration::from_secs(70) - now, &entry(State::Queued))?;
            Some((second, text))
        });
        let line = |start: &str| format!("sifcache: {start} docker.io/o/i:1: queued\n");
        let expected = [
            (1, line("waiting up to 69 s for")),
            (31, line("waiting for")),
            (61, line("waiting for")),
        ];
        assert_eq!(all.collect::<Vec<_>>(), expected);
        assert_eq!((progress.clear(), progress.has_begun()), ("", true));
    }

    #[test]
    fn a_terminal_has_one_line() {
        let mut progress = Progress::new(true);
        assert_eq!((progress.clear(), progress.has_begun()), ("", false));
        let (now, left) = (Duration::from_secs(1), Duration::from_secs(9));
        let first = progress.show(now, left, &entry(State::Queued)).unwrap();
        assert!(first.ends_with(": queued\n"), "{first}");
        let long = Entry { reason: "x".repeat(500), ..entry(State::Queued) };
        let next = progress.show(now, left, &long).unwrap();
        assert!(next.starts_with("\r\x1b[Ksifcache: queued (xxx"), "{next:?}");
        assert!(next.len() < 80 && !next.contains('\n'));
        assert_eq!(progress.clear(), "\r\x1b[K");
    }
}
