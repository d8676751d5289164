//! What a registry says of a reference: its digest, and what it takes to pull it.
//!
//! It is asked directly, as docker.io and others allow it; mirrors that only the runtime's
//! own configuration knows (`registries.conf`) are not. So no answer here must not fail a
//! pull.

mod asker;
mod cause;
mod client;
mod error;
mod platform;

pub(crate) use error::Error;

use crate::credentials::Credentials;
use crate::failure::{Exit, Failure};
use crate::stop;
use asker::{Asker, Call, Patience, Stop};
use oci_client::manifest::{OciImageManifest, OciManifest};
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
    /// `insecure` is `--no-https`: as with the runtimes, TLS without a look at the
    /// certificate, or no TLS where there is none.
    ///
    /// # Errors
    /// If the system has no means for it.
    pub(crate) fn new(insecure: bool, credentials: Credentials) -> Result<Self, Failure> {
        Self::with(insecure, credentials, PATIENCE, Box::new(stop::check))
    }

    fn with(
        insecure: bool,
        credentials: Credentials,
        patience: Patience,
        stop: Box<Stop>,
    ) -> Result<Self, Failure> {
        let asker = Asker::new(insecure, credentials, patience, stop).map_err(|error| {
            Failure::new(Exit::UNAVAILABLE, format!("cannot use the network: {error}"))
        })?;
        Ok(Self(asker))
    }

    /// The digest that a reference points at now. This is a HEAD request, which registries
    /// do not count as a pull; a GET only follows where the answer does not have it.
    ///
    /// # Errors
    /// Why that is not known.
    pub(crate) fn digest(&self, reference: &Reference) -> Result<String, Error> {
        self.0.ask(reference, async |call: &Call| {
            call.client.fetch_manifest_digest(&call.image, &call.auth).await
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
        let (manifest, digest) = self.pull_manifest(reference, None)?;
        let index = match manifest {
            OciManifest::Image(image) => {
                return Ok(Manifest { digests: vec![digest], compressed: compressed(&image) });
            }
            OciManifest::ImageIndex(index) => index,
        };
        let own = platform::choose(architecture, &index.manifests)
            .map_err(|others| Error::no_such_platform(reference, architecture, &others))?;
        match self.pull_manifest(reference, Some(own))? {
            (OciManifest::Image(image), own) => {
                Ok(Manifest { digests: vec![digest, own], compressed: compressed(&image) })
            }
            (OciManifest::ImageIndex(_), _) => Err(Error::nested_index(reference)),
        }
    }

    /// The manifest of a reference, or one of its repository by digest.
    fn pull_manifest(
        &self,
        reference: &Reference,
        digest: Option<&str>,
    ) -> Result<(OciManifest, String), Error> {
        self.0.ask(reference, async |call: &Call| {
            let own = digest.map(|digest| call.image.clone_with_digest(digest.to_owned()));
            call.client.pull_manifest(own.as_ref().unwrap_or(&call.image), &call.auth).await
        })
    }
}

fn compressed(image: &OciImageManifest) -> u64 {
    let sizes = image.layers.iter().filter_map(|layer| u64::try_from(layer.size).ok());
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
