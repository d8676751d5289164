//! Why a query to a registry failed: one line without secrets.
//!
//! Text that a registry sends is not repeated, because it could contain anything.

use super::cause;
use super::fault::Fault;
use super::proxy::Proxy;
use crate::error::Failure;
use crate::pull::credentials::RegistryAuth;
use sifcache_core::reference::Reference;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The reason why a query failed.
#[derive(Debug)]
pub(crate) enum Error {
    /// A signal asked the command to end.
    Stopped(Failure),
    /// The caller cancelled the download.
    Cancelled,
    /// The query failed; the message states the reason.
    Registry(Kind, String),
}

/// The circumstances of a query, for messages.
pub(super) struct Circumstances<'a> {
    /// The name of the registry in messages.
    pub(super) name: &'a str,
    pub(super) image: &'a Reference,
    pub(super) auth: &'a RegistryAuth,
    pub(super) proxy: Option<&'a Proxy>,
    /// The source of this host's certificates.
    pub(super) certificates: &'a str,
    /// The directory with certificates for this registry only, if there is one.
    pub(super) beside: Option<PathBuf>,
}

/// The kind of a failure, which determines how callers react.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    Unauthorized,
    NoPlatform,
    Unreachable,
    /// Like `Unreachable`; the server asks for the next request after this delay, which is zero if
    /// it does not say how long.
    Busy(Duration),
    /// Anything else, such as an invalid answer or an error in a configuration file.
    Other,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(failure) => failure.fmt(f),
            Self::Cancelled => f.write_str("the download was cancelled"),
            Self::Registry(_, message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Whether the registry does not have this repository, tag or digest.
    pub(crate) fn not_found(&self) -> bool {
        self.is(Kind::NotFound)
    }

    /// Whether the registry requires credentials or refuses those that were sent.
    #[cfg(test)]
    pub(crate) fn unauthorized(&self) -> bool {
        self.is(Kind::Unauthorized)
    }

    /// Whether the image is only available for other architectures.
    pub(crate) fn no_platform(&self) -> bool {
        self.is(Kind::NoPlatform)
    }

    /// Whether the registry cannot be reached from here or does not work at the moment.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Registry(Kind::Unreachable | Kind::Busy(_), _))
    }

    /// The delay that the server asks for before the next request, if it does.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Registry(Kind::Busy(delay), _) => Some(*delay),
            _ => None,
        }
    }

    fn is(&self, kind: Kind) -> bool {
        matches!(self, Self::Registry(own, _) if *own == kind)
    }

    pub(super) fn new(at: &Circumstances<'_>, fault: &Fault) -> Self {
        let (name, image) = (at.name, image(at.image));
        let (kind, message) = match fault {
            Fault::Status(404) => (Kind::NotFound, format!("{name} has no {image}")),
            Fault::Status(401 | 403) => (Kind::Unauthorized, unauthorized(name, &image, at.auth)),
            Fault::Status(429) => (Kind::Busy(Duration::ZERO), too_many(name)),
            Fault::Busy(429, delay) => {
                (Kind::Busy(*delay), format!("{} for {} s", too_many(name), delay.as_secs()))
            }
            Fault::Busy(status, delay) => (
                Kind::Busy(*delay),
                format!("{name} fails with status {status} for {} s", delay.as_secs()),
            ),
            Fault::Status(status) if *status >= 500 => {
                (Kind::Unreachable, format!("{name} fails with status {status}"))
            }
            Fault::Status(status) => {
                (Kind::Other, format!("{name} refuses {image} with status {status}"))
            }
            Fault::Request(error) | Fault::TokenServer(_, error) if error.is_timeout() => {
                return Self::no_answer(name);
            }
            Fault::Request(error) => (Kind::Unreachable, cause::unreachable(name, at, error)),
            Fault::TokenServer(host, error) => {
                let who = format!("{host}, the token server of {name},");
                (Kind::Unreachable, cause::unreachable(&who, at, error))
            }
            Fault::NoBlob(digest) => {
                (Kind::Other, format!("{name} has no blob {digest}, which is a part of {image}"))
            }
            Fault::InvalidBlob(digest, why) => {
                (Kind::Other, format!("{name} answers with an invalid blob for {digest}: {why}"))
            }
            Fault::InvalidAnswer(why) => {
                (Kind::Other, format!("{name} answers with an invalid manifest for {image}: {why}"))
            }
        };
        Self::Registry(kind, message)
    }

    pub(super) fn no_answer(name: &str) -> Self {
        Self::Registry(Kind::Unreachable, format!("{name} cannot be reached: no answer in time"))
    }

    /// The connection of a download broke, and `why` states the cause.
    pub(super) fn broken(host: &str, digest: &str, progress: (u64, u64), why: &str) -> Self {
        let (received, size) = progress;
        let message = format!("{host} sent only {received} of the {size} bytes of {digest}: {why}");
        Self::Registry(Kind::Unreachable, message)
    }

    /// A blob is not the one that its digest or size promises.
    pub(super) fn wrong_blob(host: &str, digest: &str, why: &str) -> Self {
        Self::Registry(Kind::Other, format!("{host} sent a wrong blob for {digest}: {why}"))
    }

    /// An error in the configuration files or variables that the runtimes also read.
    pub(super) fn configuration(why: impl fmt::Display) -> Self {
        Self::Registry(Kind::Other, why.to_string())
    }

    /// The source has the image, but no other endpoint confirms its digest.
    pub(super) fn unconfirmed(source: &str, why: &str) -> Self {
        let message = format!(
            "{source} has it, but the runtime queries another registry for the digest first: {why}"
        );
        Self::Registry(Kind::Unreachable, message)
    }

    pub(super) fn no_such_platform(
        reference: &Reference,
        architecture: &str,
        others: &[String],
    ) -> Self {
        let message = match others {
            [] => format!("{reference} has no image for Linux"),
            others => format!(
                "{reference} is not available for {architecture}, only for {}",
                others.join(", ")
            ),
        };
        Self::Registry(Kind::NoPlatform, message)
    }
}

/// The repository with tag and digest as requested, without the registry.
fn image(reference: &Reference) -> String {
    let text = reference.to_string();
    let rest = text.strip_prefix(reference.registry()).and_then(|rest| rest.strip_prefix('/'));
    rest.unwrap_or(&text).to_owned()
}

fn too_many(name: &str) -> String {
    format!("{name} received too many requests from this host; log in, or wait")
}

/// Many registries give the same answer for a private image as for a missing one, so the message
/// mentions both possibilities.
fn unauthorized(registry: &str, image: &str, auth: &RegistryAuth) -> String {
    match auth {
        RegistryAuth::Anonymous => format!(
            "{registry} has no {image}, or it is not public: see --docker-login and --authfile"
        ),
        _ => format!(
            "{registry} has no {image}, or it is not accessible with the user name and password that were used: \
             see --docker-login and --authfile"
        ),
    }
}

#[cfg(test)]
mod tests;
