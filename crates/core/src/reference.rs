//! Docker references: `[REGISTRY/]PATH[:TAG][@DIGEST]`.
//!
//! The grammar and the normal form are those of the [distribution project]
//! (`ParseNormalizedNamed`), written by hand because this runs in every launch.
//! It cannot spell `..`, an empty or absolute component, or a control character,
//! so a file name made from a reference that parses stays under the image root.
//!
//! [distribution project]: https://github.com/distribution/reference

mod digest;
mod name;

pub(crate) use name::is_tag;

use std::fmt;

/// Longest repository, in bytes, without the registry.
pub const MAX_REPOSITORY: usize = 255;
/// Longest tag, in bytes.
pub const MAX_TAG: usize = 128;
/// The registry that a reference without one means.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// What `index.docker.io` was called first; it means the same registry.
const LEGACY_DEFAULT_REGISTRY: &str = "index.docker.io";
/// Where Docker Hub keeps the images that are named by one word.
const OFFICIAL: &str = "library/";
/// The tag that a reference without tag and digest means.
pub const DEFAULT_TAG: &str = "latest";

/// A docker reference that follows the grammar, with its normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    typed: String,
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is no docker reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// Nothing follows `docker://`.
    Empty,
    /// A byte that no part of a reference may hold (not ASCII, a blank, a control character…).
    Byte(u8),
    /// The part before the first `/` looks like a registry and is none.
    Registry,
    /// A path component is empty, starts or ends with a separator, or is not lower case.
    Path,
    /// The repository is longer than [`MAX_REPOSITORY`].
    TooLong,
    /// The tag is empty, too long, or has a wrong character.
    Tag,
    /// The digest is not `sha256:`, `sha384:` or `sha512:` with its lower-case hexadecimal digits.
    Digest,
    /// 64 hexadecimal digits: an image identifier, which no registry can be asked for.
    Identifier,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Byte(byte) => write!(f, "it may not hold '{}'", byte.escape_ascii()),
            Self::Registry => f.write_str("its registry is not HOST or HOST:PORT"),
            Self::Path => f.write_str("its path is not lower-case words joined by . _ __ - and /"),
            Self::TooLong => write!(f, "its repository is longer than {MAX_REPOSITORY} characters"),
            Self::Tag => write!(f, "its tag is not 1 to {MAX_TAG} of A-Z a-z 0-9 _ . -"),
            Self::Digest => {
                f.write_str("its digest is not sha256:, sha384: or sha512: with all its digits")
            }
            Self::Identifier => f.write_str("it is an image identifier, not a name"),
        }
    }
}

impl std::error::Error for Error {}

impl Reference {
    /// Parses what follows `docker://`.
    ///
    /// # Errors
    /// The first rule of the grammar that `bytes` breaks.
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
            typed: typed.to_owned(),
            registry: registry.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The text as the user typed it.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// `HOST[:PORT]`; `docker.io` if none was typed.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The full repository: `library/ubuntu`, `determinedai/environments`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` if neither tag nor digest was typed, none if only a digest was.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// `ALGORITHM:HEX`, if one was typed.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Registry and full repository: `docker.io/library/ubuntu`.
    #[must_use]
    pub fn full_repository(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The repository as people write it: no `docker.io/`, no `library/`, where it
    /// can do without.
    #[must_use]
    pub fn short_repository(&self) -> String {
        let first = self.repository.split('/').next().unwrap_or_default();
        // `docker.io/quay.io/o` without `docker.io/` would be another registry's name.
        if self.registry != DEFAULT_REGISTRY || name::looks_like_registry(first) {
            return self.full_repository();
        }
        match self.repository.strip_prefix(OFFICIAL) {
            Some(word) if !word.contains('/') => word.to_owned(),
            _ => self.repository.clone(),
        }
    }
}

/// The normal form: registry and full repository, then the tag, then the digest.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full_repository())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// The text, if every byte of it may stand somewhere in a reference.
fn printable(bytes: &[u8]) -> Result<&str, Error> {
    let stranger =
        bytes.iter().find(|byte| !(byte.is_ascii_alphanumeric() || b"._-/:@+[]".contains(byte)));
    match (stranger, std::str::from_utf8(bytes)) {
        (Some(byte), _) => Err(Error::Byte(*byte)),
        (None, Ok("")) | (None, Err(_)) => Err(Error::Empty),
        (None, Ok(text)) => Ok(text),
    }
}

/// Splits a name into registry and full repository.
///
/// The first component is a registry if it is `localhost`, has a `.` or a `:`,
/// or is not lower case (no path may be): `splitDockerDomain` of the distribution project.
fn normalize(name: &str) -> Result<(&str, String), Error> {
    let (registry, path) = match name.split_once('/') {
        Some((LEGACY_DEFAULT_REGISTRY, rest)) => (DEFAULT_REGISTRY, rest),
        Some((first, rest)) if name::looks_like_registry(first) => (first, rest),
        _ => (DEFAULT_REGISTRY, name),
    };
    if !name::is_registry(registry) {
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
