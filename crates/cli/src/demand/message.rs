//! The messages between `sifcache request` and the listener of `sifcache fill`: one line in each
//! direction.
//!
//! ```text
//! client:    sifcache/1 request MUNGE:AwQDAAD...:
//! listener:  sifcache/1 accepted
//!       or:  sifcache/1 refused REASON
//!       or:  sifcache/1 busy SECONDS
//! ```
//!
//! The payload of the munge credential is the request itself:
//!
//! | payload | the listener |
//! | --- | --- |
//! | `sifcache/1 request REFERENCE` | passes the request on |
//! | `sifcache/1 news REFERENCE` | after `accepted`, sends the entry of the image ([`sifcache_core::queue`]) and each change of it, one line each, until the image was added |
//! | `sifcache/1 check` | does nothing: `sifcache doctor` sends it |
//!
//! A payload begins like the line, so that a credential that a user has created for another service is
//! not accepted as one of these. Everything else about the client comes from munge: the user ID and the
//! address of the host.

use sifcache_core::reference::Reference;
use std::fmt;

/// The first word of each message, with the version.
const VERSION: &str = "sifcache/1";
/// The name without the version.
const NAME: &str = "sifcache/";
/// The second word of a request, and of its payload.
const REQUEST: &str = "request";
/// The second word of a payload that asks for news.
const NEWS: &str = "news";
/// The payload of a check.
pub(crate) const CHECK: &str = "sifcache/1 check";

/// The maximum length of a request in bytes, with its line feed. A credential of a payload with the
/// maximum length is about 1 KiB long.
pub(crate) const MAX_REQUEST: usize = 8 << 10;
/// The maximum length of an answer in bytes, with its line feed.
pub(crate) const MAX_ANSWER: usize = 512;
/// The maximum length of a payload in bytes. munge may compress payloads, so the length of the
/// request does not limit it.
const MAX_PAYLOAD: usize = 2 << 10;
/// The longest wait that a client accepts, in seconds.
const MAX_BUSY: u32 = 3600;

/// The line for a credential.
pub(crate) fn request(credential: &str) -> String {
    format!("{VERSION} {REQUEST} {credential}\n")
}

/// The content of a client's credential.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Payload {
    /// Whether the listener would accept a request.
    Check,
    /// A request for the image.
    Request(Reference),
    /// News about the image.
    News(Reference),
}

/// Formats the payload of the credential.
impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check => f.write_str(CHECK),
            Self::Request(reference) => write!(f, "{VERSION} {REQUEST} {reference}"),
            Self::News(reference) => write!(f, "{VERSION} {NEWS} {reference}"),
        }
    }
}

/// The credential in a line without its line feed.
///
/// # Errors
/// The reason why the line is not a request.
pub(crate) fn parse_request(line: &[u8]) -> Result<&str, String> {
    if line.len() >= MAX_REQUEST {
        return Err(format!("the message is longer than {MAX_REQUEST} bytes"));
    }
    let credential = words(line, REQUEST).and_then(|rest| rest.ok_or_else(foreign))?;
    let inside = credential.strip_prefix("MUNGE:").and_then(|rest| rest.strip_suffix(':'));
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    match inside {
        Some(text) if !text.is_empty() && text.bytes().all(is_base64) => Ok(credential),
        _ => Err("the message has no munge credential".to_owned()),
    }
}

/// Parses the content of a credential.
///
/// # Errors
/// The reason why it is not a valid payload.
pub(crate) fn parse_payload(payload: &[u8]) -> Result<Payload, String> {
    if payload.len() > MAX_PAYLOAD {
        return Err(format!("the payload is longer than {MAX_PAYLOAD} bytes"));
    }
    if payload == CHECK.as_bytes() {
        return Ok(Payload::Check);
    }
    let parse = |reference: &str| {
        Reference::parse_printed(reference.as_bytes())
            .map_err(|error| format!("the reference is invalid: {error}"))
    };
    match (words(payload, REQUEST)?, words(payload, NEWS)?) {
        (Some(reference), _) => parse(reference).map(Payload::Request),
        (None, Some(reference)) => parse(reference).map(Payload::News),
        (None, None) => Err(foreign()),
    }
}

/// The rest of a text after the version and `word`; `None` if there is another word.
fn words<'a>(text: &'a [u8], word: &str) -> Result<Option<&'a str>, String> {
    let text = std::str::from_utf8(text).map_err(|_| foreign())?;
    let (version, rest) = text.split_once(' ').ok_or_else(foreign)?;
    if version != VERSION {
        return Err(match version.strip_prefix(NAME) {
            Some(_) => format!("the message has another version than {VERSION}"),
            None => foreign(),
        });
    }
    Ok(rest.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')))
}

fn foreign() -> String {
    "the message is not a request of sifcache".to_owned()
}

/// The version of an answer that has another one than this command: `sifcache/2`.
pub(crate) fn other_version(line: &[u8]) -> Option<&str> {
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\n')).unwrap_or(line.len());
    let version = std::str::from_utf8(line.get(..end)?).ok()?;
    let digits = version.strip_prefix(NAME)?;
    let is_number = (1..10).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    (is_number && version != VERSION).then_some(version)
}

/// The listener's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The request is passed on to the policy.
    Accepted,
    /// The request is invalid; a repetition would be refused too.
    Refused(String),
    /// The listener accepts no request now: the client may try again after this number of seconds.
    Busy(u32),
}

impl Answer {
    /// Parses a line with or without its line feed. `None` if it is not an answer.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line = Some(line).filter(|line| line.len() <= MAX_ANSWER)?;
        let line = std::str::from_utf8(line).ok()?;
        let line = line.strip_suffix('\n').unwrap_or(line);
        let is_printable = line.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let rest = Some(line).filter(|_| is_printable)?.strip_prefix(VERSION)?;
        match rest.strip_prefix(' ')?.split_once(' ') {
            None if rest == " accepted" => Some(Self::Accepted),
            Some(("refused", reason)) => Some(Self::Refused(reason.to_owned())),
            Some(("busy", seconds)) => {
                let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
                let seconds = Some(seconds).filter(|_| digits)?.parse::<u32>().ok()?;
                Some(Self::Busy(seconds.min(MAX_BUSY)))
            }
            _ => None,
        }
    }
}

/// The line without its line feed. Characters other than printable ASCII are written as `?`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => write!(f, "{VERSION} accepted"),
            Self::Busy(seconds) => write!(f, "{VERSION} busy {seconds}"),
            Self::Refused(reason) => {
                let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
                // Half of the limit leaves enough space for the other words.
                let reason: String = reason.chars().map(printable).take(MAX_ANSWER / 2).collect();
                write!(f, "{VERSION} refused {reason}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, CHECK, MAX_REQUEST, Payload, VERSION};
    use super::{other_version, parse_payload, parse_request, request};
    use proptest::prelude::*;
    use sifcache_core::reference::Reference;

    const GOOD: &str = "sifcache/1 request MUNGE:AwQDAAD+/0==:";

    #[test]
    fn a_request_has_a_credential() {
        assert_eq!(parse_request(GOOD.as_bytes()), Ok("MUNGE:AwQDAAD+/0==:"));
        assert_eq!(request("MUNGE:AwQDAAD+/0==:"), format!("{GOOD}\n"));
        let long = format!("sifcache/1 request MUNGE:{}:", "A".repeat(MAX_REQUEST));
        for (line, why) in [
            ("", "not a request"),
            ("GET / HTTP/1.1", "not a request"),
            ("sifcache/1 accepted", "not a request"),
            ("sifcache/1 request", "not a request"),
            ("sifcache/2 request MUNGE:A:", "another version"),
            ("sifcache/1 request ", "no munge credential"),
            ("sifcache/1 request o/i:1", "no munge credential"),
            ("sifcache/1 request MUNGE::", "no munge credential"),
            ("sifcache/1 request MUNGE:A", "no munge credential"),
            ("sifcache/1 request MUNGE:A: ", "no munge credential"),
            ("sifcache/1 request MUNGE:A\n:", "no munge credential"),
            ("sifcache/1 request MUNGE:A\0:", "no munge credential"),
            (&long, "longer than 8192 bytes"),
        ] {
            let error = parse_request(line.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
        assert!(parse_request(b"sifcache/1 request MUNGE:\xff:").is_err());
    }

    #[test]
    fn a_payload_has_a_reference() {
        for reference in ["docker.io/o/i:1", "oras://ghcr.io/o/i:1", "https://h.io/a.sif"] {
            let parsed = || Reference::parse_printed(reference.as_bytes()).unwrap();
            for (payload, word) in
                [(Payload::Request(parsed()), "request"), (Payload::News(parsed()), "news")]
            {
                let text = payload.to_string();
                assert_eq!(text, format!("sifcache/1 {word} {reference}"));
                assert_eq!(parse_payload(text.as_bytes()), Ok(payload));
            }
        }
        assert_eq!(parse_payload(Payload::Check.to_string().as_bytes()), Ok(Payload::Check));
        let long = format!("sifcache/1 request o/{}", "a".repeat(2048));
        for (text, why) in [
            ("", "not a request"),
            // What Slurm or another service may have in its credentials.
            ("docker.io/o/i:1", "not a request"),
            ("sifcache/2 request o/i:1", "another version"),
            ("sifcache/1 request ", "it is empty"),
            ("sifcache/1 request ../../etc/passwd", "its registry"),
            ("sifcache/1 request /etc/passwd", "its path"),
            ("sifcache/1 request o/i:1; rm -rf", "invalid character"),
            ("sifcache/1 request o/i:1\n", "invalid character"),
            ("sifcache/1 request shub://o/i:1", "reference is invalid"),
            ("sifcache/1 news ", "it is empty"),
            ("sifcache/1 news /etc/passwd", "its path"),
            ("sifcache/1 news", "not a request"),
            ("sifcache/1 check ", "not a request"),
            ("sifcache/1 new o/i:1", "not a request"),
            (&long, "longer than 2048 bytes"),
        ] {
            let error = parse_payload(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn answers_are_parsed_as_they_are_printed() {
        for answer in
            [Answer::Accepted, Answer::Refused("not \"you\"".to_owned()), Answer::Busy(60)]
        {
            assert_eq!(Answer::parse(format!("{answer}\n").as_bytes()), Some(answer.clone()));
        }
        let reason = "\u{1b}[2J\nü".repeat(500);
        let text = Answer::Refused(reason).to_string();
        assert!(text.starts_with("sifcache/1 refused ?[2J???[2J") && text.len() < 300, "{text}");
        assert_eq!(Answer::parse(b"sifcache/1 busy 4000000000"), Some(Answer::Busy(3600)));
        for wrong in [
            "",
            "accepted",
            "sifcache/2 accepted",
            "sifcache/1  accepted",
            "sifcache/1 accepted x",
            "sifcache/1 busy",
            "sifcache/1 busy +1",
            "sifcache/1 busy x",
            "sifcache/1 refused \u{7}",
            "sifcache/1accepted",
            "sifcache/1 accepted\n\n",
        ] {
            assert_eq!(Answer::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_version_of_another_release() {
        for (line, version) in [
            ("sifcache/2 accepted\n", Some("sifcache/2")),
            ("sifcache/10\n", Some("sifcache/10")),
            ("sifcache/1 accepted\n", None),
            ("sifcache/ accepted", None),
            ("sifcache/2x accepted", None),
            ("sifcache/1234567890 accepted", None),
            ("HTTP/1.1 400\r\n", None),
            ("", None),
        ] {
            assert_eq!(other_version(line.as_bytes()), version, "{line}");
        }
        assert!(CHECK.starts_with(VERSION));
    }

    proptest! {
        /// Of any bytes, only a request is accepted, and it stays the same when it is written
        /// again.
        #[test]
        fn accepted_messages_are_exact(
            bytes: Vec<u8>,
            line in "sifcache/[12] (request|accepted) (MUNGE:)?[A-Za-z0-9+/=:. \n]{0,8}:?",
            text in "sifcache/[12] (request|news|check) ?[a-zA-Z0-9./:@ \n-]{0,12}",
        ) {
            for line in [&bytes[..], line.as_bytes()] {
                if let Ok(credential) = parse_request(line) {
                    prop_assert_eq!(request(credential).into_bytes(), [line, b"\n"].concat());
                }
                if let Some(answer) = Answer::parse(line) {
                    prop_assert_eq!(Answer::parse(answer.to_string().as_bytes()), Some(answer));
                }
            }
            for text in [&bytes[..], text.as_bytes()] {
                if let Ok(payload) = parse_payload(text) {
                    let again = parse_payload(payload.to_string().as_bytes());
                    prop_assert_eq!(again.map(|one| one.to_string()), Ok(payload.to_string()));
                }
            }
        }
    }
}
