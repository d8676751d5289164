//! Why there is no connection, in words.

use rustls::CertificateError;
use std::error::Error;
use std::io;

/// What is wrong with the way to a registry.
pub(super) fn unreachable(registry: &str, error: &(dyn Error + 'static)) -> String {
    let cause = cause(error);
    match cause.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            return format!(
                "{registry} has a certificate of an authority that is not known here: add it to \
                 the certificates of this host"
            );
        }
        Some(rustls::Error::InvalidCertificate(_)) => {
            return format!("{registry} is not trusted: {cause}");
        }
        _ => {}
    }
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    format!(
        "{registry} cannot be reached: {}",
        first.into_iter().chain(letters).collect::<String>()
    )
}

/// The innermost reason; those around it have the whole URL, and say less.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    loop {
        // An io::Error hides what it was made of.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inner.map(|inner| inner as &(dyn Error + 'static)).or(cause.source()) {
            Some(inner) => cause = inner,
            None => return cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{cause, unreachable};
    use rustls::CertificateError::{BadSignature, UnknownIssuer};
    use std::io;

    #[test]
    fn what_to_do() {
        let said = |error: rustls::Error| unreachable("q.io", &io::Error::other(error));
        let unknown = said(rustls::Error::InvalidCertificate(UnknownIssuer));
        assert!(unknown.contains("add it to the certificates of this host"), "{unknown}");
        let bad = said(rustls::Error::InvalidCertificate(BadSignature));
        assert!(bad.starts_with("q.io is not trusted: invalid peer certificate"), "{bad}");
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(unreachable("q.io", &refused), "q.io cannot be reached: connection refused");
    }

    #[test]
    fn the_innermost_cause() {
        let inner = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        let outer = io::Error::other(inner);
        assert_eq!(cause(&outer).to_string(), "connection refused");
    }
}
