//! Why a registry does not say what it is asked: in one line, without secrets.
//!
//! What a registry sends along is not repeated: nobody knows what it holds.

use super::cause;
use super::fault::Fault;
use super::proxy::Proxy;
use crate::error::Failure;
use crate::pull::credentials::RegistryAuth;
use sifcache_core::reference::Reference;
use std::fmt;
use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Error {
    /// A signal asked the command to end.
    Stopped(Failure),
    /// The registry's reason.
    Registry(Kind, String),
}

/// What was asked, and how.
pub(super) struct Circumstances<'a> {
    /// What the registry is called.
    pub(super) name: &'a str,
    pub(super) image: &'a Reference,
    pub(super) auth: &'a RegistryAuth,
    pub(super) proxy: Option<&'a Proxy>,
    /// Where this host's certificates have been found.
    pub(super) certificates: &'a str,
    /// Where there are certificates for this registry alone.
    pub(super) beside: Option<PathBuf>,
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
    pub(crate) fn is_unreachable(&self) -> bool {
        self.is(Kind::Unreachable)
    }

    fn is(&self, kind: Kind) -> bool {
        matches!(self, Self::Registry(own, _) if *own == kind)
    }

    pub(super) fn new(at: &Circumstances<'_>, fault: &Fault) -> Self {
        let (name, image) = (at.name, image(at.image));
        let (kind, message) = match fault {
            Fault::Status(404) => (Kind::NotFound, format!("{name} has no {image}")),
            Fault::Status(401 | 403) => (Kind::Unauthorized, unauthorized(name, &image, at.auth)),
            Fault::Status(429) => (
                Kind::Unreachable,
                format!("{name} has had too many requests from here; log in, or wait"),
            ),
            Fault::Status(status) if *status >= 500 => {
                (Kind::Unreachable, format!("{name} fails with status {status}"))
            }
            Fault::Status(status) => {
                (Kind::Strange, format!("{name} refuses {image} with status {status}"))
            }
            Fault::Request(error) | Fault::TokenServer(_, error) if error.is_timeout() => {
                return Self::no_answer(name);
            }
            Fault::Request(error) => (Kind::Unreachable, cause::unreachable(name, at, error)),
            Fault::TokenServer(host, error) => {
                let who = format!("{host}, which gives the tokens for {name},");
                (Kind::Unreachable, cause::unreachable(&who, at, error))
            }
            Fault::Strange(why) => (
                Kind::Strange,
                format!("{name} answers with an invalid manifest for {image}: {why}"),
            ),
        };
        Self::Registry(kind, message)
    }

    pub(super) fn no_answer(name: &str) -> Self {
        Self::Registry(Kind::Unreachable, format!("{name} cannot be reached: no answer in time"))
    }

    /// Something in the files and variables that the runtimes read too.
    pub(super) fn surroundings(why: impl fmt::Display) -> Self {
        Self::Registry(Kind::Strange, why.to_string())
    }

    /// The source has the image, and nobody else knows its digest.
    pub(super) fn unconfirmed(source: &str, why: &str) -> Self {
        let message =
            format!("{source} has it, but the runtime asks for the digest elsewhere first: {why}");
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
