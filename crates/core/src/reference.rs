//! The names of images. Those of docker and oras have the form `[REGISTRY/]PATH[:TAG][@DIGEST]`;
//! [`library`] and [`url`] describe the others.
//!
//! The grammar and the normal form of docker references are those of the [distribution project]
//! (`ParseNormalizedNamed`). The parser is written by hand because it runs in every launch.
//! No grammar allows `..`, an empty component, an absolute path or a control character.
//! A file name made from a valid reference therefore stays under the image root.
//!
//! [distribution project]: https://github.com/distribution/reference

mod digest;
mod library;
mod name;
mod url;

pub(crate) use name::is_tag;

use crate::transport::Transport;
use std::fmt;

/// Maximum length of a repository without its registry, in bytes.
pub const MAX_REPOSITORY: usize = 255;
/// Maximum length of a tag, in bytes.
pub const MAX_TAG: usize = 128;
/// The registry of a reference that does not name one.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// The legacy name of the default registry.
const LEGACY_DEFAULT_REGISTRY: &str = "index.docker.io";
/// The prefix of repositories on Docker Hub that users name with a single component.
const OFFICIAL: &str = "library/";
/// The tag of a reference that has neither a tag nor a digest.
pub const DEFAULT_TAG: &str = "latest";

/// A valid reference: its transport, the text as typed, and its normal form in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    transport: Transport,
    typed: String,
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is not a valid reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Nothing follows the `//`.
    Empty,
    /// A byte that is not allowed in any part of a reference: not ASCII, a blank, a control
    /// character or similar.
    Byte(u8),
    /// The part before the first `/` looks like a registry but is not a valid one.
    Registry,
    /// A path component is empty, starts or ends with a separator, or is not lower case.
    Path,
    /// The repository is longer than [`MAX_REPOSITORY`].
    TooLong,
    /// The tag is empty, longer than [`MAX_TAG`], or has an invalid character.
    Tag,
    /// The digest is not `sha256:`, `sha384:` or `sha512:` followed by the right number of
    /// lower-case hexadecimal digits.
    Digest,
    /// The text is 64 hexadecimal digits: an image identifier, which registries do not accept.
    Identifier,
    /// The reference of an `oras://` URI names no registry. The runtimes differ in the default.
    NoRegistry,
    /// The path of a `library://` URI is not one to four words.
    Library,
    /// The URL has no path, or a character that would need an escape.
    Url,
    /// The URL is too long.
    LongUrl,
    /// The URL contains a user name.
    Credentials,
    /// The URL has a query, which may contain a password.
    Query,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Byte(byte) => {
                write!(f, "it contains the invalid character '{}'", byte.escape_ascii())
            }
            Self::Registry => f.write_str("its registry is not HOST or HOST:PORT"),
            Self::Path => f.write_str("its path is not lower-case words joined by . _ __ - or /"),
            Self::TooLong => write!(f, "its repository is longer than {MAX_REPOSITORY} characters"),
            Self::Tag => write!(f, "its tag is not 1 to {MAX_TAG} characters of A-Z a-z 0-9 _ . -"),
            Self::Digest => f.write_str(
                "its digest is not sha256:, sha384: or sha512: and the right number of \
                     hexadecimal digits",
            ),
            Self::Identifier => f.write_str("it is an image identifier, not a name"),
            Self::NoRegistry => f.write_str("it does not begin with its registry"),
            Self::Library => f.write_str("its path is not 1 to 4 words joined by /"),
            Self::Url => f.write_str("it is not HOST/PATH with characters of A-Z a-z 0-9 ._~-:+@,"),
            Self::LongUrl => f.write_str("it is too long"),
            Self::Credentials => f.write_str("it contains a user name"),
            Self::Query => f.write_str("it has a query other than ?download=1"),
        }
    }
}

impl std::error::Error for Error {}

impl Reference {
    /// Parses the text after `docker://`.
    ///
    /// # Errors
    /// `bytes` violates the grammar; the error is the first violation found.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let typed = printable(bytes)?;
        if digest::is_identifier(typed) {
            return Err(Error::Identifier);
        }
        let (name, digest) = digest::split(typed)?;
        let (name, tag) = name::split_tag(name)?;
        let (registry, repository) = normalize(name)?;
        if repository.len() > MAX_REPOSITORY {
            return Err(Error::TooLong);
        }
        let tag = match (tag, digest) {
            (None, None) => Some(DEFAULT_TAG),
            (tag, _) => tag,
        };
        Ok(Self {
            transport: Transport::Docker,
            typed: typed.to_owned(),
            registry: registry.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// Parses the text after the `//` of a URI of this transport.
    ///
    /// # Errors
    /// `bytes` violates the grammar of the transport; the error is the first violation found.
    pub fn parse_for(transport: Transport, bytes: &[u8]) -> Result<Self, Error> {
        match transport {
            Transport::Docker => Self::parse(bytes),
            Transport::Oras => Self::oras(bytes),
            Transport::Library => Self::library(bytes),
            Transport::Https | Transport::Http => Self::web(transport, bytes),
        }
    }

    /// Parses the form that [`fmt::Display`] writes: the URI, or only the name if the transport is
    /// docker.
    ///
    /// # Errors
    /// The text violates the grammar of its transport.
    pub fn parse_printed(text: &[u8]) -> Result<Self, Error> {
        match Transport::split(text).map(|(transport, rest)| (transport, rest.strip_prefix(b"//")))
        {
            Some((transport, Some(name))) if transport != Transport::Docker => {
                Self::parse_for(transport, name)
            }
            _ => Self::parse(text),
        }
    }

    /// The grammar is that of docker. The registry has to be typed: without one, some runtimes
    /// query Docker Hub, and others use the first component as the registry.
    fn oras(bytes: &[u8]) -> Result<Self, Error> {
        let docker = Self::parse(bytes)?;
        let names_registry = |first: &str| first == "localhost" || first.contains(['.', ':']);
        match docker.typed.split_once('/') {
            Some((first, _)) if names_registry(first) => {
                Ok(Self { transport: Transport::Oras, ..docker })
            }
            _ => Err(Error::NoRegistry),
        }
    }

    fn library(bytes: &[u8]) -> Result<Self, Error> {
        let typed = printable(bytes)?;
        let (host, path, tag) = library::split(typed)?;
        Ok(Self {
            transport: Transport::Library,
            typed: typed.to_owned(),
            registry: host.to_owned(),
            repository: path.to_owned(),
            tag: Some(tag.unwrap_or(DEFAULT_TAG).to_owned()),
            digest: None,
        })
    }

    fn web(transport: Transport, bytes: &[u8]) -> Result<Self, Error> {
        let (registry, path) = url::split(transport, bytes)?;
        Ok(Self {
            transport,
            typed: String::from_utf8_lossy(bytes).into_owned(),
            registry,
            repository: path.to_owned(),
            tag: None,
            digest: None,
        })
    }

    /// The transport.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// The text as the user typed it.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// `HOST[:PORT]`; if none was typed, `docker.io` for docker, and empty for a library.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The full repository without the registry, such as `library/ubuntu` or
    /// `determinedai/environments`. In a URL, the path.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag: `latest` if neither a tag nor a digest was typed, `None` if only a digest was, and
    /// for a URL.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// `ALGORITHM:HEX`, if one was typed.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The registry and the full repository, such as `docker.io/library/ubuntu`. If the transport
    /// is not docker, the URI without tag and digest.
    #[must_use]
    pub fn full_repository(&self) -> String {
        match self.transport {
            Transport::Docker => self.place(),
            other => other.uri(&self.place()),
        }
    }

    /// The registry, if there is one, and the full repository, without the transport.
    #[must_use]
    pub fn place(&self) -> String {
        match self.registry.as_str() {
            "" => self.repository.clone(),
            registry => [registry, "/", &self.repository].concat(),
        }
    }

    /// The repository as users write it, without `docker.io/` and `library/` where they can be
    /// omitted. If the transport is not docker, the URI without tag and digest.
    #[must_use]
    pub fn short_repository(&self) -> String {
        if self.transport != Transport::Docker {
            return self.full_repository();
        }
        let first = self.repository.split('/').next().unwrap_or_default();
        // Without `docker.io/`, `docker.io/quay.io/o` would name an image of another registry.
        if self.registry != DEFAULT_REGISTRY || name::looks_like_registry(first) {
            return self.full_repository();
        }
        match self.repository.strip_prefix(OFFICIAL) {
            Some(word) if !word.contains('/') => word.to_owned(),
            _ => self.repository.clone(),
        }
    }
}

/// Formats the normal form: registry and full repository, then the tag, then the digest. If the
/// transport is not docker, the URI.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            // Hundreds of thousands of references are printed, without memory for their parts.
            Transport::Docker if !self.registry.is_empty() => {
                f.write_str(&self.registry)?;
                f.write_str("/")?;
                f.write_str(&self.repository)?;
            }
            _ => f.write_str(&self.full_repository())?,
        }
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// `bytes` as text, if each of them is allowed in some part of a reference.
fn printable(bytes: &[u8]) -> Result<&str, Error> {
    let is_allowed = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':' | b'@' | b'+' | b'[' | b']')
    };
    let invalid = bytes.iter().find(|byte| !is_allowed(byte));
    match (invalid, std::str::from_utf8(bytes)) {
        (Some(byte), _) => Err(Error::Byte(*byte)),
        (None, Ok("")) | (None, Err(_)) => Err(Error::Empty),
        (None, Ok(text)) => Ok(text),
    }
}

/// Splits a name into registry and full repository.
///
/// The first component is a registry if it is `localhost`, contains a `.` or a `:`, or contains an
/// upper-case letter, which no path may have. This is the rule of `splitDockerDomain` of the
/// distribution project.
fn normalize(name: &str) -> Result<(&str, String), Error> {
    let (registry, path) = match name.split_once('/') {
        Some((LEGACY_DEFAULT_REGISTRY, rest)) => (DEFAULT_REGISTRY, rest),
        Some((first, rest)) if name::looks_like_registry(first) => (first, rest),
        _ => (DEFAULT_REGISTRY, name),
    };
    if registry != DEFAULT_REGISTRY && !name::is_registry(registry) {
        return Err(Error::Registry);
    }
    if !name::is_path(path) {
        return Err(Error::Path);
    }
    if registry == DEFAULT_REGISTRY && !path.contains('/') {
        return Ok((registry, format!("{OFFICIAL}{path}")));
    }
    Ok((registry, path.to_owned()))
}

#[cfg(test)]
mod tests;
