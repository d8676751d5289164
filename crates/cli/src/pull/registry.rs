//! What a registry says of a reference: its digest, and what it takes to pull it.
//!
//! It is asked as Apptainer asks it: with the certificates, mirrors and proxies that Go's libraries
//! find on this host (docs/registries.md). Another runtime may have other ways, so no answer here
//! must not fail a pull.

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

use crate::error::{Exit, Failure};
use crate::pull::credentials::Credentials;
use crate::system::signals;
use auth_flow::{Asker, Patience, Stop, Surroundings, wanted};
use manifest::Document;
use session::Session;
use sifcache_core::reference::Reference;
use std::time::Duration;

/// A way to ask registries, to be shared by threads.
pub(crate) struct Registry(Asker);

const PATIENCE: Patience =
    Patience { answer: Duration::from_secs(60), busy: Duration::from_secs(1) };

/// What a reference points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The digest of the reference's manifest or index; after an index's, the one of the
    /// manifest in it for this host. Both are what people pin.
    pub(crate) digests: Vec<String>,
    /// Size of the layers for this host as they come from the registry, in bytes.
    pub(crate) compressed: u64,
}

impl Registry {
    /// `insecure` is `--no-https`: as with Apptainer, TLS with a certificate that this host
    /// trusts, or no TLS where there is none.
    ///
    /// # Errors
    /// If the system has no means for it.
    pub(crate) fn new(insecure: bool, credentials: Credentials) -> Result<Self, Failure> {
        let surroundings = Surroundings::here();
        Self::with(insecure, credentials, surroundings, PATIENCE, Box::new(signals::check))
    }

    fn with(
        insecure: bool,
        credentials: Credentials,
        surroundings: Surroundings,
        patience: Patience,
        stop: Box<Stop>,
    ) -> Result<Self, Failure> {
        let asker = Asker::new(insecure, credentials, surroundings, patience, stop);
        asker.map(Self).map_err(|error| {
            Failure::new(Exit::UNAVAILABLE, format!("cannot use the network: {error}"))
        })
    }

    /// The digest that a reference points at now. This is a HEAD request, which registries
    /// do not count as a pull; a GET only follows where the answer does not have it.
    ///
    /// # Errors
    /// Why that is not known.
    pub(crate) fn digest(&self, reference: &Reference) -> Result<String, Error> {
        self.0.ask(reference, async |session: &Session<'_>| {
            session.digest(wanted(session.image)).await
        })
    }

    /// What a reference points at now.
    ///
    /// # Errors
    /// Why that is not known.
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

    /// The manifest of a reference, or one of its repository by digest.
    fn pull_manifest(
        &self,
        reference: &Reference,
        digest: Option<&str>,
    ) -> Result<(Document, String), Error> {
        self.0.ask(reference, async |session: &Session<'_>| {
            session.manifest(digest.unwrap_or(wanted(session.image))).await
        })
    }
}

#[cfg(test)]
mod tests;
