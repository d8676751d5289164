//! Why a registry does not say what it is asked: in one line, without secrets.
//!
//! What a registry sends along is not repeated: nobody knows what it holds.

use super::cause;
use crate::failure::Failure;
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use sifcache_core::reference::Reference;
use std::fmt;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Error {
    /// A signal asked the command to end.
    Stopped(Failure),
    /// The registry's reason.
    Registry(Kind, String),
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    Unauthorized,
    NoPlatform,
    Unreachable,
    /// Something that is no answer to what was asked.
    Strange,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(failure) => failure.fmt(f),
            Self::Registry(_, message) => f.write_str(message),
        }
    }
}

impl Error {
    /// The registry has no such repository, tag or digest.
    pub(crate) fn not_found(&self) -> bool {
        self.is(Kind::NotFound)
    }

    /// The registry wants to know who asks, or does not let them.
    #[cfg(test)]
    pub(crate) fn unauthorized(&self) -> bool {
        self.is(Kind::Unauthorized)
    }

    /// The image is for another architecture.
    pub(crate) fn no_platform(&self) -> bool {
        self.is(Kind::NoPlatform)
    }

    /// There is no way to the registry from here, or it does not work right now.
    #[cfg(test)]
    pub(crate) fn is_unreachable(&self) -> bool {
        self.is(Kind::Unreachable)
    }

    fn is(&self, kind: Kind) -> bool {
        matches!(self, Self::Registry(own, _) if *own == kind)
    }

    pub(super) fn new(
        reference: &Reference,
        auth: &RegistryAuth,
        error: &OciDistributionError,
    ) -> Self {
        let registry = reference.registry();
        let image = image(reference);
        let (kind, message) = match (status(error), error) {
            (Some(404), _) => (Kind::NotFound, format!("{registry} has no {image}")),
            (Some(401 | 403), _) => (Kind::Unauthorized, unauthorized(registry, &image, auth)),
            (Some(429), _) => (
                Kind::Unreachable,
                format!("{registry} has had too many requests from here; log in, or wait"),
            ),
            (Some(status), _) if status >= 500 => {
                (Kind::Unreachable, format!("{registry} fails with status {status}"))
            }
            (Some(status), _) => {
                (Kind::Strange, format!("{registry} refuses {image} with status {status}"))
            }
            (None, OciDistributionError::RequestError(error)) if error.is_timeout() => {
                return Self::no_answer(reference);
            }
            (None, OciDistributionError::RequestError(error)) => {
                (Kind::Unreachable, cause::unreachable(registry, error))
            }
            (None, error) => {
                (Kind::Strange, format!("{registry} says of {image} what is no manifest: {error}"))
            }
        };
        Self::Registry(kind, message)
    }

    pub(super) fn no_answer(reference: &Reference) -> Self {
        let message = format!("{} cannot be reached: no answer in time", reference.registry());
        Self::Registry(Kind::Unreachable, message)
    }

    pub(super) fn no_such_platform(
        reference: &Reference,
        architecture: &str,
        others: &[String],
    ) -> Self {
        let others = match others {
            [] => "no linux at all".to_owned(),
            others => others.join(", "),
        };
        let message = format!("{reference} is not made for {architecture}, only for {others}");
        Self::Registry(Kind::NoPlatform, message)
    }

    pub(super) fn nested_index(reference: &Reference) -> Self {
        let message = format!("{reference} is an index of indexes, which has no image for a host");
        Self::Registry(Kind::Strange, message)
    }
}

/// Whether no connection came about, so that another transport may.
pub(super) fn is_about_connecting(error: &OciDistributionError) -> bool {
    matches!(error, OciDistributionError::RequestError(error) if error.is_connect())
}

/// Whether another try soon may have an answer.
pub(super) fn is_passing(error: &OciDistributionError) -> bool {
    match error {
        // A connection that broke, not one that never was.
        OciDistributionError::RequestError(error) => !error.is_connect() && !error.is_timeout(),
        error => status(error).is_some_and(|status| status == 429 || status >= 500),
    }
}

/// The status of the registry's answer, or the one that it should have had.
fn status(error: &OciDistributionError) -> Option<u16> {
    match error {
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => Some(401),
        OciDistributionError::ImageManifestNotFoundError(_) => Some(404),
        OciDistributionError::ServerError { code, .. } => Some(*code),
        OciDistributionError::RegistryError { envelope, .. } => {
            Some(envelope.errors.first().map_or(400, |error| match error.code {
                OciErrorCode::ManifestUnknown
                | OciErrorCode::NameUnknown
                | OciErrorCode::NotFound => 404,
                OciErrorCode::Unauthorized | OciErrorCode::Denied => 403,
                OciErrorCode::Toomanyrequests => 429,
                _ => 400,
            }))
        }
        _ => None,
    }
}

/// Tag and digest as they are asked for, without the registry.
fn image(reference: &Reference) -> String {
    let text = reference.to_string();
    let rest = text.strip_prefix(reference.registry()).and_then(|rest| rest.strip_prefix('/'));
    rest.unwrap_or(&text).to_owned()
}

/// Many registries say the same of what is private and of what does not exist.
fn unauthorized(registry: &str, image: &str, auth: &RegistryAuth) -> String {
    match auth {
        RegistryAuth::Anonymous => format!(
            "{registry} has no {image}, or not for everybody: see --docker-login and --authfile"
        ),
        _ => format!(
            "{registry} has no {image}, or not for the user name and password that were found: \
             see --docker-login and --authfile"
        ),
    }
}

#[cfg(test)]
mod tests;
