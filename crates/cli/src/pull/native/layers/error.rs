//! Why a layer cannot be read.

use crate::pull::registry;
use std::{fmt, io};

/// The reason why a layer cannot be read.
#[derive(Debug)]
pub(crate) enum LayerError {
    /// The download failed.
    Registry(registry::Error),
    /// The compressed data are damaged: this is the reason.
    Damaged(String),
    /// Neither a tar archive nor one that is compressed with gzip or zstd.
    Format,
    /// The decompressed layers have more bytes than this limit.
    TooLarge(u64),
    /// A thread cannot be started.
    Thread(io::Error),
    /// A thread ended unexpectedly.
    Lost,
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(error) => error.fmt(f),
            Self::Damaged(why) => write!(f, "the compressed data are damaged: {why}"),
            Self::Format => f.write_str(
                "the layer is neither a tar archive nor one that is compressed with gzip or zstd",
            ),
            Self::TooLarge(limit) => {
                write!(f, "the decompressed layers have more than {limit} bytes")
            }
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::Lost => f.write_str("the layer was not read to its end"),
        }
    }
}

impl std::error::Error for LayerError {}

impl LayerError {
    /// Whether the runtime may still be able to read the layer. Apptainer ignores everything after
    /// the end of the tar archive, even a wrong checksum of the compressed data.
    pub(crate) fn is_left_to_the_runtime(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Format)
    }
}

/// Readers return the error as [`io::Error`].
impl From<LayerError> for io::Error {
    fn from(error: LayerError) -> Self {
        Self::other(error)
    }
}

/// The error in an [`io::Error`] that a reader of a layer returned. Any other error is one of the
/// decompression.
impl From<io::Error> for LayerError {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(|error| Self::Damaged(error.to_string()))
    }
}
