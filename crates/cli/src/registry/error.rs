//! Why a registry gave no answer, in one line that says what to do.

use crate::failure::Failure;
use oci_client::errors::{OciDistributionError, OciErrorCode};
use sifcache_core::reference::Reference;
use sifcache_core::sif;
use std::fmt;

/// Why a registry gave no answer.
#[derive(Debug)]
pub(crate) enum Error {
    /// A signal asked the command to end.
    Stopped(Failure),
    /// It has no such image.
    NotFound(String),
    /// It has the image, but not for this architecture.
    NoPlatform(String),
    /// It wants other credentials.
    Unauthorized(String),
    /// Anything else, with the cause.
    Other(String),
}

impl Error {
    /// Whether the registry has no such image.
    pub(crate) fn not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether it has the image for other architectures alone.
    pub(crate) fn no_platform(&self) -> bool {
        matches!(self, Self::NoPlatform(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(failure) => failure.fmt(f),
            Self::NotFound(registry) => write!(f, "{registry} has no such image"),
            Self::NoPlatform(registry) => {
                write!(f, "{registry} has it, but not for {}", sif::host_architecture())
            }
            Self::Unauthorized(registry) => write!(
                f,
                "{registry} wants to know who asks, or has no such image: give credentials with \
                 --docker-login, --authfile, or APPTAINER_DOCKER_USERNAME and ..._PASSWORD"
            ),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// What the client's error means for this reference. No URL is shown: one can hold a token.
pub(super) fn of(reference: &Reference, error: &OciDistributionError) -> Error {
    use OciDistributionError as Client;
    let registry = reference.registry().to_owned();
    match error {
        Client::UnauthorizedError { .. } | Client::AuthenticationFailure(_) => {
            Error::Unauthorized(registry)
        }
        Client::RegistryError { envelope, .. } => {
            let has =
                |codes: &[OciErrorCode]| envelope.errors.iter().any(|e| codes.contains(&e.code));
            if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                return Error::Unauthorized(registry);
            }
            if has(&[
                OciErrorCode::ManifestUnknown,
                OciErrorCode::NameUnknown,
                OciErrorCode::NotFound,
            ]) {
                return Error::NotFound(registry);
            }
            Error::Other(format!("{registry}: {envelope}"))
        }
        Client::ServerError { code: 404, .. } => Error::NotFound(registry),
        Client::ServerError { code: 401 | 403, .. } => Error::Unauthorized(registry),
        Client::ServerError { code, .. } => Error::Other(format!("{registry} answers with {code}")),
        Client::ImageManifestNotFoundError(_) => Error::NoPlatform(registry),
        Client::RequestError(error) => Error::Other(format!("{registry}: {}", request(error))),
        other => Error::Other(format!("{registry}: {}", chain(other))),
    }
}

/// What went wrong on the way, without the URL.
fn request(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.last().map_or_else(
        || "it cannot be asked".to_owned(),
        |last| format!("it cannot be reached: {last}"),
    )
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Whether the same question may have an answer a moment later.
pub(super) fn is_passing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ServerError { code, .. } => matches!(code, 429 | 500 | 502..=504),
        OciDistributionError::RegistryError { envelope, .. } => {
            envelope.errors.iter().any(|error| error.code == OciErrorCode::Toomanyrequests)
        }
        // Refused at once is refused again; broken off on the way is another matter.
        OciDistributionError::RequestError(error) => !error.is_connect() && !error.is_timeout(),
        _ => false,
    }
}
