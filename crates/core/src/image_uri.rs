//! Image URIs as users type them: `TRANSPORT://NAME`.

use crate::candidate;
use crate::reference::{self, Reference};
use std::fmt;

pub use crate::transport::Transport;

/// A reference that was typed with its transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUri {
    reference: Reference,
}

/// Why an argument is not an image URI that can be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The argument is a local path, or has a transport that is not looked up.
    OtherTransport,
    /// There is no `//` after the scheme. The runtimes interpret a URI without `//` differently.
    NoSlashes(Transport),
    /// The name after the `//` is invalid.
    Reference(Transport, reference::Error),
}

impl ImageUri {
    /// Parses the IMAGE argument of a runtime.
    ///
    /// # Errors
    /// The transport is not supported, the `//` is missing, or the reference is invalid: see
    /// [`Error`].
    pub fn parse(image: &[u8]) -> Result<Self, Error> {
        let (transport, rest) = Transport::split(image).ok_or(Error::OtherTransport)?;
        let name = rest.strip_prefix(b"//").ok_or(Error::NoSlashes(transport))?;
        match Reference::parse_for(transport, name) {
            Ok(reference) => Ok(Self { reference }),
            Err(error) => Err(Error::Reference(transport, error)),
        }
    }

    /// The URI of a reference.
    #[must_use]
    pub const fn new(reference: Reference) -> Self {
        Self { reference }
    }

    /// Whether an argument starts with a transport that can be looked up. The rest of it may still
    /// be invalid.
    #[must_use]
    pub fn is_likely(argument: &[u8]) -> bool {
        Transport::split(argument).is_some()
    }

    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.reference.transport()
    }

    /// The reference after the transport.
    #[must_use]
    pub const fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The file names relative to an image root that may contain the image, in lookup order.
    #[must_use]
    pub fn candidate_names(&self) -> Vec<String> {
        candidate::names(&self.reference)
    }
}

/// Formats the URI as the user typed it.
impl fmt::Display for ImageUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.transport().uri(self.reference.typed()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherTransport => {
                f.write_str("IMAGE does not start with ")?;
                for (index, transport) in Transport::ALL.iter().enumerate() {
                    let separator = match index {
                        0 => "",
                        last if last + 1 == Transport::ALL.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{separator}{}", transport.uri(""))?;
                }
                Ok(())
            }
            Self::NoSlashes(transport) => {
                write!(f, "the runtimes interpret {}: without // differently", transport.scheme())
            }
            Self::Reference(transport, error) => {
                write!(f, "IMAGE is not a valid {} reference: {error}", transport.scheme())
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::{Error, ImageUri, Transport};
    use crate::reference;

    #[test]
    fn a_uri_is_printed_as_typed() {
        for image in ["docker://ubuntu", "docker://o/i:1", "docker://index.docker.io/library/a"] {
            let uri = ImageUri::parse(image.as_bytes()).unwrap();
            assert_eq!(uri.to_string(), image);
            assert_eq!(uri.transport(), Transport::Docker);
        }
        for image in ["oras://H.io/i", "library://a", "https://H.io/a?download=1", "http://h/a"] {
            assert_eq!(ImageUri::parse(image.as_bytes()).unwrap().to_string(), image);
        }
    }

    #[test]
    fn uris_that_cannot_be_looked_up() {
        for image in [
            "",
            "docker",
            "/docker://a",
            "DOCKER://a",
            "shub://a",
            "docker-archive:a",
            "httpss://a",
        ] {
            assert_eq!(ImageUri::parse(image.as_bytes()), Err(Error::OtherTransport), "{image}");
            assert!(!ImageUri::is_likely(image.as_bytes()), "{image}");
        }
        let error = Error::NoSlashes(Transport::Library);
        assert_eq!(ImageUri::parse(b"library:a/b/c"), Err(error));
        for image in ["docker:", "docker:a", "docker:/a"] {
            let error = Error::NoSlashes(Transport::Docker);
            assert_eq!(ImageUri::parse(image.as_bytes()), Err(error), "{image}");
            assert!(ImageUri::is_likely(image.as_bytes()), "{image}");
        }
        let error = Error::Reference(Transport::Docker, reference::Error::Empty);
        assert_eq!(ImageUri::parse(b"docker://"), Err(error));
    }

    #[test]
    fn messages() {
        let message = |image: &[u8]| ImageUri::parse(image).unwrap_err().to_string();
        assert_eq!(
            message(b"/a.sif"),
            "IMAGE does not start with docker://, oras://, library://, https:// or http://"
        );
        assert_eq!(message(b"docker:a"), "the runtimes interpret docker: without // differently");
        assert_eq!(message(b"docker://"), "IMAGE is not a valid docker reference: it is empty");
        assert_eq!(
            message(b"oras://o/i"),
            "IMAGE is not a valid oras reference: it does not begin with its registry"
        );
    }
}
