//! Why a credential could not be encoded or decoded.

/// Why a credential could not be encoded or decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// libmunge is not installed, or lacks a function. The value is the message of dlopen or dlsym.
    #[error(
        "libmunge.so.2 cannot be loaded: {0}; install the package libmunge2 (Debian) or munge-libs \
         (Red Hat)"
    )]
    Library(String),
    /// `munged` does not run on this host, or does not answer. The value is libmunge's message.
    #[error("munged does not answer: {0}; start the service munge on this host")]
    Daemon(String),
    /// The credential is older than its time to live, 5 minutes by default.
    #[error("the credential has expired: compare the clocks of both hosts")]
    Expired,
    /// The credential was encoded in the future, according to the clock of the decoding host.
    #[error("the credential is from the future: compare the clocks of both hosts")]
    Rewound,
    /// The credential was decoded on this host before.
    #[error("the credential has been used before")]
    Replayed,
    /// The credential restricts who may decode it, and the caller is not included.
    #[error("the credential is for another user or group")]
    Unauthorized,
    /// The bytes are not a credential that this host's `munged` accepts. The value is libmunge's
    /// message.
    #[error("the credential is invalid: {0}; compare the munge keys of both hosts")]
    Invalid(String),
    /// The payload or the credential is longer than `munged` accepts, which is 1 MiB by default.
    #[error("the payload is too long")]
    TooLong,
    /// Any other error of libmunge: its number and its message.
    #[error("munge failed with error {0}: {1}")]
    Other(i32, String),
}

impl Error {
    /// Translates a number of `enum munge_err` in munge.h other than 0, with libmunge's message.
    pub(crate) fn new(number: i32, message: String) -> Self {
        match number {
            3 => Self::TooLong,
            6 | 7 => Self::Daemon(message),
            8..=14 => Self::Invalid(message),
            15 => Self::Expired,
            16 => Self::Rewound,
            17 => Self::Replayed,
            18 => Self::Unauthorized,
            other => Self::Other(other, message),
        }
    }

    /// Whether the cause is this host and not the credential, so that a later attempt with a new
    /// credential can succeed.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Library(_) | Self::Daemon(_) | Self::Other(..))
    }
}
