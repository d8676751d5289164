//! Parses the header of a log line: time, host and program.
//!
//! Daemons and their templates differ in the form of the time, and in the words between the time
//! and the program (a relay's address, the facility). A line is therefore parsed word by word: a
//! time in one of the known forms, then words up to one that is a program's tag. docs/logs.md lists
//! the forms.

use super::scan::STAMP;
use super::{blank, usual_stamp};

/// The plugin's program name in syslog.
pub(super) const TAG: &str = "sifcache";
/// Maximum number of words between the time and the tag: host, relay, facility, and one spare.
const MOST: usize = 4;

/// The parts of a line before the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// The time as written.
    pub(super) stamp: &'a [u8],
    /// The host that wrote the line; `None` if the line does not name one.
    pub(super) host: Option<&'a [u8]>,
    /// The program that wrote the line.
    pub(super) program: Program<'a>,
}

/// The program that wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program<'a> {
    /// The plugin, with its message.
    Ours(&'a [u8]),
    /// Another program.
    Other,
    /// No word of the line is a program's tag.
    Unknown,
}

/// Parses a line up to its message; returns `None` if it does not begin with a time.
pub(super) fn read(line: &[u8]) -> Option<Header<'_>> {
    let (line, end, is_protocol) = match usual_stamp::end(line) {
        Some(end) => (line, end, false),
        None => {
            let (line, is_protocol) = without_priority(line);
            (line, usual_stamp::end(line).or_else(|| stamp_end(line))?, is_protocol)
        }
    };
    let (stamp, rest) = line.split_at_checked(end)?;
    let (host, program) = if is_protocol { protocol(rest) } else { words_to_tag(rest) };
    Some(Header { stamp: stamp.trim_ascii(), host: host.map(bare), program })
}

/// A host name without the names that syslog-ng chains to it (`source@host/relay`).
fn bare(host: &[u8]) -> &[u8] {
    if !host.iter().any(|byte| matches!(byte, b'@' | b'/')) {
        return host;
    }
    let host = host.rsplit(|byte| *byte == b'@').next().unwrap_or(host);
    host.split(|byte| *byte == b'/').next().unwrap_or(host)
}

/// The line without `LENGTH <PRIORITY>VERSION `, and whether it had the version of RFC 5424.
fn without_priority(line: &[u8]) -> (&[u8], bool) {
    let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
    let framed = || {
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let rest = line.get(digits..)?.strip_prefix(b" ")?;
        ((1..=6).contains(&digits) && rest.starts_with(b"<")).then_some(rest)
    };
    let line = framed().unwrap_or(line);
    let digits = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = || {
        let rest = line.strip_prefix(b"<")?;
        let digits = digits(rest);
        rest.get(digits..)?.strip_prefix(b">").filter(|_| (1..=3).contains(&digits))
    };
    let line = after().unwrap_or(line);
    match line.strip_prefix(b"1 ") {
        Some(rest) => (rest, true),
        None => (line, false),
    }
}

/// An iterator over the words of a line; `at` is the end of the current word.
struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// The next word, without advancing.
    fn peek(&self) -> Option<&'a [u8]> {
        Words { line: self.line, at: self.at }.next()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let start = rest.iter().position(|byte| !blank::is(*byte))?;
        let word = rest.get(start..)?;
        let word = word.get(..blank::find(word).unwrap_or(word.len()))?;
        self.at += start + word.len();
        Some(word)
    }
}

/// The end of the time at the start of the line.
fn stamp_end(line: &[u8]) -> Option<usize> {
    let line = line.get(..STAMP).unwrap_or(line);
    let mut words = Words::new(line);
    let first = words.next()?;
    let is_day = |word: &[u8]| word.len() <= 2 && word.iter().all(u8::is_ascii_digit);
    match first {
        // 2026-11-24T03:03:15.12+00:00
        _ if first.get(4) == Some(&b'-') && first.len() > 18 && is_date(first.get(..10)?) => {
            return is_clock(first.get(11..)?).then_some(words.at);
        }
        // 1795889391.567
        _ if is_seconds(first) => return Some(words.at),
        _ => {}
    }
    let mut word = first;
    if is_weekday(word) {
        word = words.next()?;
    }
    if is_date(word) {
        // 2026-11-24 03:03:15.12, Tue 2026-11-24 03:03:15 CET
        is_clock(words.next()?).then_some(())?;
        if words.peek().is_some_and(is_zone) {
            words.next();
        }
        return Some(words.at);
    }
    if is_year(word) {
        // 2026 Nov 24 03:03:15
        word = words.next()?;
    }
    // Nov 24 03:03:15.12, Nov 24 2026 03:03:15, Tue Nov 24 03:03:15 2026
    let is_month = super::stamp::month(word).is_some();
    (is_month && is_day(words.next()?)).then_some(())?;
    if words.peek().is_some_and(is_year) {
        words.next();
    }
    is_clock(words.next()?).then_some(())?;
    if words.peek().is_some_and(is_year) {
        words.next();
    }
    Some(words.at)
}

/// `2026-11-24`.
fn is_date(word: &[u8]) -> bool {
    let digits =
        |range| word.get(range).is_some_and(|part: &[u8]| part.iter().all(u8::is_ascii_digit));
    word.len() == 10
        && (word.get(4), word.get(7)) == (Some(&b'-'), Some(&b'-'))
        && digits(0..4)
        && digits(5..7)
        && digits(8..10)
}

/// `03:03:15`, possibly followed by more.
fn is_clock(word: &[u8]) -> bool {
    let digits =
        |range| word.get(range).is_some_and(|part: &[u8]| part.iter().all(u8::is_ascii_digit));
    (word.get(2), word.get(5)) == (Some(&b':'), Some(&b':'))
        && digits(0..2)
        && digits(3..5)
        && digits(6..8)
}

fn is_year(word: &[u8]) -> bool {
    word.len() == 4
        && matches!(word, [b'1', b'9', ..] | [b'2', b'0', ..])
        && word.iter().all(u8::is_ascii_digit)
}

fn is_weekday(word: &[u8]) -> bool {
    matches!(word, b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun")
}

/// `UTC`, `CET`, `+03`, `-0300`: journald writes the zone after the time.
fn is_zone(word: &[u8]) -> bool {
    match word {
        [b'+' | b'-', digits @ ..] => {
            (2..=5).contains(&digits.len())
                && digits.iter().all(|b| b.is_ascii_digit() || *b == b':')
        }
        letters => (3..=5).contains(&letters.len()) && letters.iter().all(u8::is_ascii_uppercase),
    }
}

/// Seconds since 1970, between 2001 and 2286.
fn is_seconds(word: &[u8]) -> bool {
    let mut parts = word.split(|byte| *byte == b'.');
    let whole = parts.next().is_some_and(|part| part.len() == 10);
    let fraction = parts.next().is_none_or(|part| !part.is_empty() && part.len() <= 9);
    let digits = word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    whole && fraction && parts.next().is_none() && digits
}

/// Parses the rest of a line of RFC 5424 after the time: `HOST PROGRAM PROCESS ID DATA MESSAGE`.
fn protocol(rest: &[u8]) -> (Option<&[u8]>, Program<'_>) {
    let mut words = Words::new(rest);
    let host = words.next().filter(|word| *word != b"-");
    match words.next() {
        Some(program) if program == TAG.as_bytes() => match structured(&mut words) {
            Some(message) => (host, Program::Ours(message)),
            None => (host, Program::Unknown),
        },
        Some(_) => (host, Program::Other),
        None => (host, Program::Unknown),
    }
}

/// The message after `PROCESS ID DATA`, where DATA is `-` or `[id key="value"]…`.
fn structured<'a>(words: &mut Words<'a>) -> Option<&'a [u8]> {
    let (_process, _id) = (words.next()?, words.next()?);
    let mut rest = words.rest().trim_ascii_start();
    if let Some(message) = rest.strip_prefix(b"-") {
        return message_of(message);
    }
    while rest.first() == Some(&b'[') {
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().position(|byte| {
            let is_end = *byte == b']' && !quoted;
            quoted ^= *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            is_end
        })?;
        rest = rest.get(end + 1..)?;
    }
    message_of(rest)
}

/// The message after a blank, without the byte order mark of RFC 5424.
fn message_of(text: &[u8]) -> Option<&[u8]> {
    let message = text.strip_prefix(b" ")?.trim_ascii_start();
    let message = message.strip_prefix("\u{feff}".as_bytes()).unwrap_or(message);
    Some(message.trim_ascii_start())
}

/// Parses the rest of any other line after the time: the host among some other words, then a tag.
fn words_to_tag(rest: &[u8]) -> (Option<&[u8]>, Program<'_>) {
    let mut words = Words::new(rest);
    let (mut first, mut nearest, mut address) = (None, None, None);
    for _ in 0..=MOST {
        let Some(word) = words.next() else { break };
        if let Some(message) = ours(word, &words) {
            return (nearest.or(address), Program::Ours(message));
        }
        if word.ends_with(b":") {
            return (nearest.or(address), Program::Other);
        }
        // Most words are the short name of a host.
        let is_other = word.iter().any(|byte| matches!(byte, b'.' | b':' | b'['));
        match word {
            // `journalctl --output=verbose` writes `[s=…` after the time.
            _ if is_other && (is_facility(word) || word.starts_with(b"[s=")) => {}
            _ if is_other && is_address(word) => address = Some(word),
            _ => {
                first = first.or(Some(word));
                nearest = Some(word);
            }
        }
    }
    (first.or(address), Program::Unknown)
}

/// The message, if this word is the plugin's tag: `sifcache:` or `sifcache[17]:`. A relay that
/// receives RFC 5424 may drop the colon, or write the other fields of RFC 5424 after the tag.
fn ours<'a>(word: &'a [u8], words: &Words<'a>) -> Option<&'a [u8]> {
    let tail = word.strip_prefix(TAG.as_bytes())?;
    let process = tail.strip_prefix(b"[").map(|inside| {
        let digits = inside.iter().take_while(|byte| byte.is_ascii_digit()).count();
        inside.get(digits..).and_then(|rest| rest.strip_prefix(b"]"))
    });
    let tail = process.unwrap_or(Some(tail))?;
    let is_message =
        |text: &[u8]| text.starts_with(b"event=") || text.starts_with(b"message repeated ");
    if let Some(begin) = tail.strip_prefix(b":") {
        let begins_at = words.at - begin.len();
        return Some(words.line.get(begins_at..)?.trim_ascii_start());
    }
    if !tail.is_empty() {
        return None;
    }
    let message = words.rest().trim_ascii_start();
    if is_message(message) {
        return Some(message);
    }
    let mut words = Words { line: words.line, at: words.at };
    structured(&mut words).filter(|message| is_message(message))
}

/// `daemon.info`.
fn is_facility(word: &[u8]) -> bool {
    const SEVERITIES: [&[u8]; 11] = [
        b"emerg", b"panic", b"alert", b"crit", b"err", b"error", b"warning", b"warn", b"notice",
        b"info", b"debug",
    ];
    let mut parts = word.splitn(2, |byte| *byte == b'.');
    let is_word = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric);
    parts.next().is_some_and(is_word) && parts.next().is_some_and(|part| SEVERITIES.contains(&part))
}

/// An IP address of a relay: digits with dots, or hexadecimal digits with colons.
fn is_address(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")).unwrap_or(word);
    let dotted = word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let colons = word.iter().filter(|byte| **byte == b':').count() > 1
        && word.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%'));
    dotted && word.contains(&b'.') || colons
}

#[cfg(test)]
mod tests;
