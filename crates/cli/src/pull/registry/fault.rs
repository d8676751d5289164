//! What may go wrong while a registry is asked.

use serde::Deserialize;

/// Why a registry did not say what it was asked.
#[derive(Debug)]
pub(super) enum Fault {
    /// No answer, or half of one.
    Request(reqwest::Error),
    /// The same, from the host that gives tokens for the registry.
    TokenServer(String, reqwest::Error),
    /// The status of the answer; or the one that its body means.
    Status(u16),
    /// An answer that makes no sense.
    Strange(String),
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error)
    }
}

/// What registries send with a status that is no success.
#[derive(Deserialize)]
struct Envelope {
    errors: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    code: String,
}

impl Fault {
    /// The fault of an answer with this status and body. The error code in the body is more precise
    /// than the status.
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

    /// Whether no connection came about, so that another scheme may help.
    pub(super) fn is_about_connecting(&self) -> bool {
        matches!(self, Self::Request(error) if error.is_connect())
    }

    /// Whether another try soon may have an answer.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            // A connection that broke, not one that never was.
            Self::Request(error) | Self::TokenServer(_, error) => {
                !error.is_connect() && !error.is_timeout()
            }
            Self::Status(status) => *status == 429 || *status >= 500,
            Self::Strange(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn the_code_in_the_body_counts() {
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
