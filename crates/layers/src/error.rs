//! Why layers cannot be merged.

use std::fmt;
use std::io;

/// The longest part of a path in a message, in bytes.
const SHOWN: usize = 200;

/// Why layers cannot be merged. `E` is the error of the [`ContentSink`](crate::ContentSink).
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The layers contain an entry whose treatment differs between runtimes or depends on the host, so
    /// the runtime's own pull has to unpack them.
    #[error("{0}")]
    Unsupported(Reason),
    /// The layers are damaged or hostile: no runtime can or should unpack them.
    #[error("{0}")]
    Invalid(Reason),
    /// The layer could not be read.
    #[error("cannot read the layer: {0}")]
    Read(io::Error),
    /// The sink could not store a file.
    #[error("{0}")]
    Store(E),
}

/// The reason of a refusal: a path in a layer, if one is concerned, and a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// A reason about the entry or file `path`.
    pub(crate) fn at(path: &[u8], what: impl fmt::Display) -> Self {
        let shown = path.get(..SHOWN).unwrap_or(path);
        let more = if shown.len() < path.len() { "..." } else { "" };
        Self(format!("{}{more}: {what}", shown.escape_ascii()))
    }

    /// A reason that concerns a whole layer or image.
    pub(crate) fn of_image(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An [`Error`] of code that stores nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// See [`Error::Unsupported`].
    #[error("{0}")]
    Unsupported(Reason),
    /// See [`Error::Invalid`].
    #[error("{0}")]
    Invalid(Reason),
    /// See [`Error::Read`].
    #[error("cannot read the layer: {0}")]
    Read(io::Error),
}

impl Failure {
    /// The entry `path` cannot be merged here; the runtime may be able to unpack it.
    pub(crate) fn unsupported(path: &[u8], what: impl fmt::Display) -> Self {
        Self::Unsupported(Reason::at(path, what))
    }

    /// The entry `path` is damaged or hostile.
    pub(crate) fn invalid(path: &[u8], what: impl fmt::Display) -> Self {
        Self::Invalid(Reason::at(path, what))
    }

    /// The layer is not a valid tar archive.
    pub(crate) fn damaged(what: impl fmt::Display) -> Self {
        Self::Invalid(Reason::of_image(format_args!(
            "the layer is not a valid tar archive: {what}"
        )))
    }

    /// The image exceeds a limit.
    pub(crate) fn limit(what: impl fmt::Display) -> Self {
        Self::Invalid(Reason::of_image(format_args!("the image has more than {what}")))
    }
}

impl<E> From<Failure> for Error<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unsupported(reason) => Self::Unsupported(reason),
            Failure::Invalid(reason) => Self::Invalid(reason),
            Failure::Read(error) => Self::Read(error),
        }
    }
}
