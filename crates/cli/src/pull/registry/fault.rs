//! Faults of a single request to a registry.

use serde::Deserialize;
use std::time::Duration;

/// The reason why a registry did not answer a request as expected.
#[derive(Debug)]
pub(super) enum Fault {
    /// No answer, or an incomplete one.
    Request(reqwest::Error),
    /// Like `Request`, but for the host that issues tokens for the registry.
    TokenServer(String, reqwest::Error),
    /// The status of the answer, or the status that matches the error code in its body.
    Status(u16),
    /// A status that comes with the delay after which the server asks for the next request.
    Busy(u16, Duration),
    /// The registry does not have the blob with this digest.
    NoBlob(String),
    /// An invalid answer to a request for a manifest.
    InvalidAnswer(String),
    /// An invalid answer to a request for the blob with this digest.
    InvalidBlob(String, String),
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error)
    }
}

/// The body that registries send with an error status.
#[derive(Deserialize)]
struct Envelope {
    errors: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    code: String,
}

impl Fault {
    /// Classifies an error answer with this status and body. The error code in the body is more
    /// precise than the status.
    pub(super) fn of(status: u16, body: &[u8]) -> Self {
        if status >= 500 || status == 401 {
            return Self::Status(status);
        }
        let envelope = serde_json::from_slice::<Envelope>(body).ok();
        let code = envelope.and_then(|envelope| Some(envelope.errors.into_iter().next()?.code));
        Self::Status(match code.as_deref() {
            Some("MANIFEST_UNKNOWN" | "NAME_UNKNOWN" | "NOT_FOUND") => 404,
            Some("UNAUTHORIZED" | "DENIED") => 403,
            Some("TOOMANYREQUESTS") => 429,
            _ => status,
        })
    }

    /// The delay that the server asks for.
    pub(super) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Busy(_, delay) => Some(*delay),
            _ => None,
        }
    }

    /// Whether no connection was established, so that another scheme may help.
    pub(super) fn is_connect_error(&self) -> bool {
        matches!(self, Self::Request(error) if error.is_connect())
    }

    /// Whether the fault may be transient, so that a retry may help.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            // This means that an established connection broke; a failed attempt to connect is not
            // repeated.
            Self::Request(error) | Self::TokenServer(_, error) => {
                !error.is_connect() && !error.is_timeout()
            }
            Self::Status(status) => *status == 429 || *status >= 500,
            Self::Busy(..) => true,
            Self::NoBlob(_) | Self::InvalidAnswer(_) | Self::InvalidBlob(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn the_error_code_in_the_body_takes_precedence() {
        let of = |status, code: &str| {
            let body = format!(r#"{{"errors": [{{"code": "{code}", "message": "s3cret"}}]}}"#);
            match Fault::of(status, body.as_bytes()) {
                Fault::Status(status) => status,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of(400, "MANIFEST_UNKNOWN"), 404);
        assert_eq!(of(404, "NAME_UNKNOWN"), 404);
        assert_eq!(of(404, "DENIED"), 403);
        assert_eq!(of(400, "TOOMANYREQUESTS"), 429);
        assert_eq!(of(400, "UNSUPPORTED"), 400);
        assert_eq!(of(503, "DENIED"), 503);
        assert!(matches!(Fault::of(404, b"<html>"), Fault::Status(404)));
    }
}
