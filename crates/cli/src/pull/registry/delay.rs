//! The `Retry-After` header: the delay that a server asks for before the next request.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// Longer delays are ignored, because some servers send a Unix timestamp instead of a duration.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The delay in the headers, which is a number of seconds or a date (RFC 9110, section 10.2.3).
pub(super) fn wanted(headers: &HeaderMap) -> Option<Duration> {
    of(headers.get(RETRY_AFTER)?.to_str().ok()?.trim(), Timestamp::now())
}

fn of(text: &str, now: Timestamp) -> Option<Duration> {
    let delay = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    (delay <= LONGEST).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::of;
    use jiff::Timestamp;
    use std::time::Duration;

    #[test]
    fn seconds_and_dates() {
        let now: Timestamp = "2015-10-21T07:27:50Z".parse().unwrap();
        let of = |text| of(text, now).map(|delay: Duration| delay.as_secs());
        assert_eq!(of("7"), Some(7));
        assert_eq!(of("0"), Some(0));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(10));
        assert_eq!(of("Wed, 21 Oct 2015 07:27:00 GMT"), Some(0), "it is in the past");
        for text in ["", "soon", "-1", "1445412480", "Wed, 21 Oct 2065 07:28:00 GMT"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
