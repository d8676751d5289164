//! Transports: the sources of images that have names under an image root.
//!
//! Only this module defines how a transport is spelled, and where the names of its images begin.
//! The file names of a transport other than docker are below a directory of its own:
//!
//! ```text
//! docker://o/i:1                  o/i:1
//! oras://ghcr.io/o/i:1            _oras/ghcr.io/o/i:1
//! library://e/c/i:1               _library/e/c/i:1
//! https://example.org/d/i.sif     _https/example.org/d/i.sif
//! ```
//!
//! No docker reference has a component that starts with `_`, so no file name of another transport
//! is one of docker.

use crate::listed::listed;
use std::fmt;

listed! {
    /// The source from which the runtime would get an image.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Transport {
        /// `docker://`: an image in an OCI registry, which the runtime converts.
        Docker,
        /// `oras://`: a SIF file in an OCI registry.
        Oras,
        /// `library://`: a SIF file in a library server.
        Library,
        /// `https://`: a SIF file in a web server.
        Https,
        /// `http://`: a SIF file in a web server, without encryption.
        Http,
    }
}

impl Transport {
    /// The part before the `:`. The runtimes accept lower case only.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Oras => "oras",
            Self::Library => "library",
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    /// The directory under an image root that contains the images; `None` for docker, whose images
    /// are directly below the root.
    #[must_use]
    pub const fn directory(self) -> Option<&'static str> {
        match self {
            Self::Docker => None,
            Self::Oras => Some("_oras"),
            Self::Library => Some("_library"),
            Self::Https => Some("_https"),
            Self::Http => Some("_http"),
        }
    }

    /// Whether the source is an OCI registry, whose images have digests.
    #[must_use]
    pub const fn is_registry(self) -> bool {
        matches!(self, Self::Docker | Self::Oras)
    }

    /// Whether an image is named by a URL, which has no tag.
    #[must_use]
    pub const fn is_web(self) -> bool {
        matches!(self, Self::Https | Self::Http)
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

    /// The URI of a printed name. Without a transport, the name is one of docker.
    #[must_use]
    pub fn uri_of(printed: &str) -> String {
        match Self::ALL.iter().any(|transport| transport.name_in(printed).is_some()) {
            true => printed.to_owned(),
            false => Self::Docker.uri(printed),
        }
    }

    /// The transport of an argument, and the text after its `:`.
    pub(crate) fn split(image: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.iter().find_map(|transport| {
            let rest = image.strip_prefix(transport.scheme().as_bytes())?;
            Some((*transport, rest.strip_prefix(b":")?))
        })
    }

    /// The transport whose directory contains the file called `name`, and the rest of the name.
    #[must_use]
    pub fn of_file(name: &str) -> (Self, &str) {
        let inside = Self::ALL.iter().find_map(|transport| {
            let rest = name.strip_prefix(transport.directory()?)?;
            Some((*transport, rest.strip_prefix('/')?))
        });
        inside.unwrap_or((Self::Docker, name))
    }
}

#[cfg(test)]
mod tests {
    use super::Transport;

    #[test]
    fn names_and_uris() {
        for transport in Transport::ALL {
            let uri = transport.uri("a/b:1");
            assert_eq!(transport.name_in(&uri), Some("a/b:1"));
            assert_eq!(Transport::uri_of(&uri), uri);
            let others = Transport::ALL.iter().filter(|other| *other != transport);
            assert!(others.into_iter().all(|other| other.name_in(&uri).is_none()), "{uri}");
        }
        assert_eq!(Transport::uri_of("a/b:1"), "docker://a/b:1");
        assert_eq!(Transport::Docker.name_in("/docker://a"), None);
    }

    #[test]
    fn directories_of_transports() {
        assert_eq!(Transport::of_file("o/i:1"), (Transport::Docker, "o/i:1"));
        assert_eq!(Transport::of_file("_oras"), (Transport::Docker, "_oras"));
        assert_eq!(Transport::of_file("_https/h/a"), (Transport::Https, "h/a"));
        assert_eq!(Transport::of_file("_http/h/a"), (Transport::Http, "h/a"));
        assert_eq!(Transport::of_file("a/_oras/h/a"), (Transport::Docker, "a/_oras/h/a"));
    }
}
