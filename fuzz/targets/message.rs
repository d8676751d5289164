//! The messages of the filler's listener: only exact requests are accepted, the reference in a
//! payload leads to no path outside of the image root, and answers can be printed on a terminal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::{Answer, MAX_ANSWER, MAX_REQUEST, Payload};
use sifcache_core::{candidate, queue};

// A private module of the command. rustfmt is told to skip it, because it would look for its test
// module here and fail; it formats it in its own crate.
#[allow(dead_code, unreachable_pub, reason = "the client uses the rest of it")]
#[rustfmt::skip]
#[path = "../../crates/cli/src/demand/message.rs"]
mod message;

fuzz_target!(|bytes: &[u8]| {
    match message::parse_request(bytes) {
        Ok(credential) => {
            assert!(bytes.len() < MAX_REQUEST);
            assert_eq!(message::request(credential).as_bytes(), [bytes, b"\n"].concat());
            assert!(credential.bytes().all(|byte| byte.is_ascii_graphic()), "{credential}");
        }
        Err(reason) => is_answer(reason),
    }
    match message::parse_payload(bytes) {
        Ok(payload) => {
            let again = message::parse_payload(payload.to_string().as_bytes());
            assert_eq!(again.map(|one| one.to_string()), Ok(payload.to_string()));
            let (Payload::Request(reference) | Payload::News(reference)) = payload else { return };
            for name in candidate::names(&reference).into_iter().chain([queue::file(&reference)]) {
                let plain = |part: &str| !matches!(part, "" | "." | "..");
                assert!(name.split('/').all(plain), "{name:?}");
            }
        }
        Err(reason) => is_answer(reason),
    }
    if let Some(answer) = Answer::parse(bytes) {
        let line = format!("{answer}\n");
        assert!(!line.trim_end_matches('\n').contains(char::is_control), "{line:?}");
        // A long reason is cut off.
        let again = Answer::parse(line.as_bytes()).expect("it was printed");
        assert_eq!(again.to_string(), answer.to_string());
    }
});

/// The reason is sent to the client as one short line.
fn is_answer(reason: String) {
    let line = format!("{}\n", Answer::Refused(reason));
    assert!(line.len() <= MAX_ANSWER, "{line}");
    assert!(matches!(Answer::parse(line.as_bytes()), Some(Answer::Refused(_))), "{line}");
}
