//! What a registry says of a reference: which digest it points to, and how large it is.
//!
//! The runtime pulls; this only asks, with `oci-client`. Mirrors that the runtime knows
//! from registries.conf are not asked, so a failure here must not be one of a pull.

mod error;

pub(crate) use error::Error;

use crate::credentials::Credentials;
use crate::failure::{Exit, Failure};
use crate::stop;
use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::Result as Answer;
use sifcache_core::reference::Reference;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

/// How long a registry may take to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may be silent.
const READ: Duration = Duration::from_secs(60);
/// How long a registry that was busy is left alone before it is asked once more.
const PAUSE: Duration = Duration::from_secs(2);
/// How often it is looked whether the command is to end.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a reference points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The digest of what the reference itself points to, and after it, if that is an
    /// index, the one of this architecture's manifest. People pin both.
    pub(crate) digests: Vec<String>,
    /// Size of all layers as they are packed, in bytes.
    pub(crate) compressed: u64,
}

/// A way to ask registries.
pub(crate) struct Registry {
    runtime: Runtime,
    client: Client,
    credentials: Credentials,
}

impl Registry {
    /// Asks with these credentials; with `no_https` without TLS.
    ///
    /// # Errors
    /// The operating system's.
    pub(crate) fn new(no_https: bool, credentials: Credentials) -> Result<Self, Failure> {
        // Fails if there is one already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let protocol = if no_https { ClientProtocol::Http } else { ClientProtocol::Https };
        let config = ClientConfig {
            protocol,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(READ),
            user_agent: concat!("sifcache/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config)
            .map_err(|error| Failure::new(Exit::UNAVAILABLE, error::chain(&error)))?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client, credentials })
    }

    /// The digest of what the reference points to now: one HEAD request, unless the
    /// registry does not say it there.
    ///
    /// # Errors
    /// Why nobody knows.
    pub(crate) fn digest(&self, reference: &Reference) -> Result<String, Error> {
        let (image, auth) = (image(reference)?, self.credentials.of(reference));
        self.ask(reference, || self.client.fetch_manifest_digest(&image, &auth))
    }

    /// All that is needed for a pull.
    ///
    /// # Errors
    /// Why nobody knows.
    pub(crate) fn manifest(&self, reference: &Reference) -> Result<Manifest, Error> {
        let (image, auth) = (image(reference)?, self.credentials.of(reference));
        let (manifest, digest, index) =
            self.ask(reference, || self.client.pull_image_manifest_and_list_digest(&image, &auth))?;
        let sizes = manifest.layers.iter().map(|layer| u64::try_from(layer.size).unwrap_or(0));
        let mut digests: Vec<String> = index.into_iter().collect();
        digests.push(digest);
        Ok(Manifest { digests, compressed: sizes.sum() })
    }

    /// Asks, and once more if the registry was only busy.
    fn ask<T, F: Future<Output = Answer<T>>>(
        &self,
        reference: &Reference,
        request: impl Fn() -> F,
    ) -> Result<T, Error> {
        self.runtime.block_on(async {
            match unless_stopped(request()).await? {
                Err(error) if error::is_passing(&error) => unless_stopped(sleep(PAUSE)).await?,
                answer => return answer.map_err(|error| error::of(reference, &error)),
            }
            unless_stopped(request()).await?.map_err(|error| error::of(reference, &error))
        })
    }
}

/// Waits for an answer, and looks from time to time whether it is still wanted.
async fn unless_stopped<T>(answer: impl Future<Output = T>) -> Result<T, Error> {
    let mut answer = std::pin::pin!(answer);
    loop {
        match timeout(PATIENCE, &mut answer).await {
            Ok(answer) => return Ok(answer),
            Err(_) => stop::check().map_err(Error::Stopped)?,
        }
    }
}

/// The reference as oci-client writes it.
fn image(reference: &Reference) -> Result<oci_client::Reference, Error> {
    let text = reference.to_string();
    text.parse().map_err(|error| Error::Other(format!("{text}: {error}")))
}

#[cfg(test)]
mod tests;
