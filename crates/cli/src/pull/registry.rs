//! Queries a registry for the digest of a reference and for the space that a pull needs.
//!
//! Requests are sent as Apptainer sends them: with the certificates, mirrors and proxies that
//! Go's libraries find on this host (docs/registries.md). Another runtime may work differently,
//! so a missing answer here must not make a pull fail.

mod blob;
mod cancel;
mod cause;
mod certs_d;
mod client;
mod delay;
mod error;
mod fault;
mod fresh;
mod image;
mod manifest;
mod mirrors;
mod platform;
mod proxy;
mod query;
mod roots;
mod route;
mod session;
mod token;
mod trust;
mod web;

pub(crate) use blob::Blob;
pub(crate) use cancel::Cancel;
pub(crate) use error::Error;
pub(crate) use image::{Content, Descriptor, Fallback, Image};

use crate::error::Failure;
use crate::pull::credentials::Credentials;
use crate::system::signals;
use manifest::Document;
use query::{HostConfiguration, QueryClient, Stop, TimeLimits, wanted};
use session::Session;
use sifcache_core::reference::Reference;
use std::time::Duration;

/// A client for registries that threads can share.
pub(crate) struct Registry(QueryClient);

const TIME_LIMITS: TimeLimits = TimeLimits {
    answer: Duration::from_secs(60),
    busy: Duration::from_secs(1),
    longest: Duration::from_secs(60),
    stall: Duration::from_secs(60),
};

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
    /// The asynchronous runtime of the client cannot be created.
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
        let client = QueryClient::new(insecure, credentials, configuration, limits, stop);
        client.map(Self).map_err(Failure::Network)
    }

    /// The digest that a reference points to now. This sends a HEAD request, which registries do
    /// not count as a pull. A GET request follows only if the answer does not contain the digest.
    ///
    /// # Errors
    /// The digest cannot be determined.
    pub(crate) fn digest(&self, reference: &Reference) -> Result<String, Error> {
        self.0.query(reference, async |session: &Session<'_>| {
            session.digest(wanted(session.image)).await
        })
    }

    /// The image that a reference points to now, for this architecture.
    ///
    /// # Errors
    /// The manifest cannot be determined, or the image is not available for this architecture.
    pub(crate) fn image(&self, reference: &Reference, architecture: &str) -> Result<Image, Error> {
        let (mut digests, document) = self.resolve(reference, architecture)?;
        let (compressed, content) = match document {
            Document::Image(image) if digests.len() > 1 && architecture == "arm" => {
                (image.compressed(), Err(Fallback::ArmVariant))
            }
            Document::Image(image) => (image.compressed(), image::content(&image)),
            Document::Index(_) => {
                digests.truncate(1);
                (0, Err(Fallback::NestedIndex))
            }
            Document::OtherSchema(version) => {
                // The digest of such a manifest does not cover its signatures.
                digests.clear();
                (0, Err(Fallback::Schema(version)))
            }
        };
        Ok(Image { manifest: Manifest { digests, compressed }, content })
    }

    /// Starts to download a blob of the repository of a reference. Several threads can download
    /// blobs at the same time. `cancel` ends the download.
    pub(crate) fn blob<'a>(
        &'a self,
        reference: &'a Reference,
        descriptor: &'a Descriptor,
        cancel: &Cancel,
    ) -> Blob<'a> {
        Blob::new(&self.0, reference, descriptor, cancel.clone())
    }

    /// Downloads the config of an image: a JSON text, whose digest has been checked. `cancel` ends
    /// the download.
    ///
    /// # Errors
    /// The config cannot be downloaded.
    pub(crate) fn config(
        &self,
        reference: &Reference,
        content: &Content,
        cancel: &Cancel,
    ) -> Result<Vec<u8>, Error> {
        self.blob(reference, &content.config, cancel).whole()
    }

    /// The manifest for this architecture, after its digest and that of the index that contains it,
    /// if there is one.
    fn resolve(
        &self,
        reference: &Reference,
        architecture: &str,
    ) -> Result<(Vec<String>, Document), Error> {
        let (document, digest) = self.pull_manifest(reference, None)?;
        let Document::Index(entries) = document else { return Ok((vec![digest], document)) };
        let own = platform::choose(architecture, &entries)
            .map_err(|others| Error::no_such_platform(reference, architecture, &others))?;
        let (document, own) = self.pull_manifest(reference, Some(own))?;
        Ok((vec![digest, own], document))
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
pub(super) mod test_double;
#[cfg(test)]
mod tests;
