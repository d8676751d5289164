//! Queries a registry for the digest of a reference and for the space that a pull needs.
//!
//! Requests are sent as Apptainer sends them: with the certificates, mirrors and proxies that
//! Go's libraries find on this host (docs/registries.md). Another runtime may work differently,
//! so a missing answer here must not make a pull fail.

mod auth_flow;
mod cause;
mod certs_d;
mod client;
mod error;
mod fault;
mod manifest;
mod mirrors;
mod platform;
mod proxy;
mod roots;
mod route;
mod session;
mod token;
mod trust;

pub(crate) use error::Error;

use crate::error::Failure;
use crate::pull::credentials::Credentials;
use crate::system::signals;
use auth_flow::{AuthFlow, HostConfiguration, Stop, TimeLimits, wanted};
use manifest::Document;
use session::Session;
use sifcache_core::reference::Reference;
use std::time::Duration;

/// A client for registries that threads can share.
pub(crate) struct Registry(AuthFlow);

const TIME_LIMITS: TimeLimits =
    TimeLimits { answer: Duration::from_secs(60), busy: Duration::from_secs(1) };

/// The manifest that a reference points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The digest of the manifest or index that the reference points to. For an index, it is
    /// followed by the digest of the manifest in it for the requested architecture. Users may pin
    /// either of them.
    pub(crate) digests: Vec<String>,
    /// The size of the compressed layers in bytes.
    pub(crate) compressed: u64,
}

impl Registry {
    /// Creates a client. `insecure` is `--no-https`: as with Apptainer, it allows TLS with a
    /// certificate that this host trusts, or no TLS if the registry has none.
    ///
    /// # Errors
    /// If the asynchronous runtime of the client cannot be created.
    pub(crate) fn new(insecure: bool, credentials: Credentials) -> Result<Self, Failure> {
        let configuration = HostConfiguration::here();
        Self::with(insecure, credentials, configuration, TIME_LIMITS, Box::new(signals::check))
    }

    fn with(
        insecure: bool,
        credentials: Credentials,
        configuration: HostConfiguration,
        limits: TimeLimits,
        stop: Box<Stop>,
    ) -> Result<Self, Failure> {
        let flow = AuthFlow::new(insecure, credentials, configuration, limits, stop);
        flow.map(Self).map_err(Failure::Network)
    }

    /// The digest that a reference points to now. This sends a HEAD request, which registries do
    /// not count as a pull. A GET request follows only if the answer does not contain the digest.
    ///
    /// # Errors
    /// If the digest cannot be determined.
    pub(crate) fn digest(&self, reference: &Reference) -> Result<String, Error> {
        self.0.query(reference, async |session: &Session<'_>| {
            session.digest(wanted(session.image)).await
        })
    }

    /// The manifest that a reference points to now, for this architecture.
    ///
    /// # Errors
    /// If the manifest cannot be determined, or the image is not available for this architecture.
    pub(crate) fn manifest(
        &self,
        reference: &Reference,
        architecture: &str,
    ) -> Result<Manifest, Error> {
        let (document, digest) = self.pull_manifest(reference, None)?;
        let entries = match document {
            Document::Image { compressed } => {
                return Ok(Manifest { digests: vec![digest], compressed });
            }
            Document::Index(entries) => entries,
        };
        let own = platform::choose(architecture, &entries)
            .map_err(|others| Error::no_such_platform(reference, architecture, &others))?;
        match self.pull_manifest(reference, Some(own))? {
            (Document::Image { compressed }, own) => {
                Ok(Manifest { digests: vec![digest, own], compressed })
            }
            (Document::Index(_), _) => Err(Error::nested_index(reference)),
        }
    }

    /// The manifest of a reference, or the manifest with this digest from the same repository.
    fn pull_manifest(
        &self,
        reference: &Reference,
        digest: Option<&str>,
    ) -> Result<(Document, String), Error> {
        self.0.query(reference, async |session: &Session<'_>| {
            session.manifest(digest.unwrap_or(wanted(session.image))).await
        })
    }
}

#[cfg(test)]
mod tests;
