//! Image URIs as users type them: `TRANSPORT://NAME`.
//!
//! Only this module defines how a transport is spelled, how its names are parsed, and which files
//! may contain its images. A new transport is a new variant of [`Transport`].

use crate::candidate;
use crate::listed::listed;
use crate::reference::{self, Reference};
use std::fmt;

listed! {
    /// The source from which the runtime would get an image.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Transport {
        /// `docker://`: an OCI registry.
        Docker,
    }
}

impl Transport {
    /// The part before the `:`. The runtimes accept lower case only.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Docker => "docker",
        }
    }

    /// The URI of `name`, which is any text that may follow the `//`.
    #[must_use]
    pub fn uri(self, name: &(impl fmt::Display + ?Sized)) -> String {
        format!("{}://{name}", self.scheme())
    }

    /// The name in a URI of this transport, or `None` if the text does not start like one.
    #[must_use]
    pub fn name_in(self, uri: &str) -> Option<&str> {
        uri.strip_prefix(self.scheme())?.strip_prefix("://")
    }

    /// The transport of an argument, and the text after its `:`.
    fn split(image: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.iter().find_map(|transport| {
            let rest = image.strip_prefix(transport.scheme().as_bytes())?;
            Some((*transport, rest.strip_prefix(b":")?))
        })
    }
}

/// A reference and the transport that it was typed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUri {
    transport: Transport,
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
        match Reference::parse(name) {
            Ok(reference) => Ok(Self { transport, reference }),
            Err(error) => Err(Error::Reference(transport, error)),
        }
    }

    /// The docker URI of a reference.
    #[must_use]
    pub const fn docker(reference: Reference) -> Self {
        Self { transport: Transport::Docker, reference }
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
        self.transport
    }

    /// The reference after the transport.
    #[must_use]
    pub const fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The reference after the transport, by value.
    #[must_use]
    pub fn into_reference(self) -> Reference {
        self.reference
    }

    /// The file names relative to an image root that may contain the image, in lookup order.
    #[must_use]
    pub fn candidate_names(&self) -> Vec<String> {
        match self.transport {
            Transport::Docker => candidate::names(&self.reference),
        }
    }
}

/// Formats the URI as the user typed it.
impl fmt::Display for ImageUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.transport.scheme(), self.reference.typed())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherTransport => {
                f.write_str("IMAGE does not start with ")?;
                for (index, transport) in Transport::ALL.iter().enumerate() {
                    let separator = if index == 0 { "" } else { " or " };
                    write!(f, "{separator}{}://", transport.scheme())?;
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
            let name = Transport::Docker.name_in(image).unwrap();
            assert_eq!(Transport::Docker.uri(name), image);
        }
    }

    #[test]
    fn uris_that_cannot_be_looked_up() {
        for image in ["", "docker", "/docker://a", "DOCKER://a", "library://a", "docker-archive:a"]
        {
            assert_eq!(ImageUri::parse(image.as_bytes()), Err(Error::OtherTransport), "{image}");
            assert!(!ImageUri::is_likely(image.as_bytes()), "{image}");
            assert_eq!(Transport::Docker.name_in(image), None, "{image}");
        }
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
        assert_eq!(message(b"/a.sif"), "IMAGE does not start with docker://");
        assert_eq!(message(b"docker:a"), "the runtimes interpret docker: without // differently");
        assert_eq!(message(b"docker://"), "IMAGE is not a valid docker reference: it is empty");
    }
}
