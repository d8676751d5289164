//! Describes why a connection failed.

use super::error::Circumstances;
use rustls::CertificateError;
use std::error::Error;
use std::io;

/// Describes why a server cannot be reached. `name` is its name in messages.
pub(super) fn unreachable(
    name: &str,
    at: &Circumstances<'_>,
    error: &(dyn Error + 'static),
) -> String {
    if let Some(message) = cause(error).downcast_ref().and_then(|error| of_tls(name, at, error)) {
        return message;
    }
    let text = text(error);
    match at.proxy {
        Some(proxy) => {
            let (host, port) = (proxy.url.host_str(), proxy.url.port_or_known_default());
            format!(
                "{name} cannot be reached through the proxy {}:{} ({}): {text}",
                host.unwrap_or_default(),
                port.unwrap_or_default(),
                proxy.variable
            )
        }
        None => format!("{name} cannot be reached: {text}"),
    }
}

/// The text of the innermost cause of an error.
pub(super) fn text(error: &(dyn Error + 'static)) -> String {
    let text = cause(error).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// Describes a TLS error, if it needs more explanation than its own text.
fn of_tls(name: &str, at: &Circumstances<'_>, error: &rustls::Error) -> Option<String> {
    Some(match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            let beside = at.beside.as_ref().map_or_else(String::new, |directory| {
                format!("; Apptainer does not read {} for the image itself", directory.display())
            });
            format!(
                "{name} has a certificate from an unknown authority: add the authority to the \
                 certificates of this host (read from {}){beside}",
                at.certificates
            )
        }
        rustls::Error::InvalidCertificate(_) => format!("{name} is not trusted: {error}"),
        rustls::Error::General(why) => format!("{name} is not trusted: {why}"),
        rustls::Error::InvalidMessage(_) => format!(
            "{name} does not speak TLS: try --no-https, or insecure = true for a mirror in \
             registries.conf"
        ),
        _ => return None,
    })
}

/// The innermost cause. The outer errors contain the whole URL but less information about the
/// cause.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    loop {
        // The source of an io::Error is not the error that it wraps, so the wrapped error is taken
        // first.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match inner.map(|inner| inner as &(dyn Error + 'static)).or(cause.source()) {
            Some(inner) => cause = inner,
            None => return cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Circumstances, cause, unreachable};
    use crate::pull::credentials::RegistryAuth;
    use crate::pull::registry::proxy::Proxy;
    use rustls::CertificateError::{BadSignature, UnknownIssuer};
    use sifcache_core::reference::Reference;
    use std::io;

    fn describe(error: &io::Error, proxy: Option<&Proxy>) -> String {
        let at = Circumstances {
            name: "q.io",
            image: &Reference::parse(b"q.io/o/i:1").unwrap(),
            auth: &RegistryAuth::Anonymous,
            proxy,
            certificates: "SSL_CERT_FILE=/x",
            beside: None,
        };
        unreachable("q.io", &at, error)
    }

    #[test]
    fn messages_contain_advice() {
        let tls = |error: rustls::Error| describe(&io::Error::other(error), None);
        let unknown = tls(rustls::Error::InvalidCertificate(UnknownIssuer));
        let advice =
            "add the authority to the certificates of this host (read from SSL_CERT_FILE=/x)";
        assert!(unknown.ends_with(advice), "{unknown}");
        let invalid = tls(rustls::Error::InvalidCertificate(BadSignature));
        assert!(invalid.starts_with("q.io is not trusted: invalid peer certificate"), "{invalid}");
        let old = tls(rustls::Error::General("it is old".into()));
        assert_eq!(old, "q.io is not trusted: it is old");
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(describe(&refused, None), "q.io cannot be reached: connection refused");
        let proxy = Proxy { url: "http://u:s3cret@p.io".parse().unwrap(), variable: "https_proxy" };
        assert_eq!(
            describe(&refused, Some(&proxy)),
            "q.io cannot be reached through the proxy p.io:80 (https_proxy): connection refused"
        );
    }

    #[test]
    fn the_innermost_cause() {
        let inner = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        let outer = io::Error::other(inner);
        assert_eq!(cause(&outer).to_string(), "connection refused");
    }
}
