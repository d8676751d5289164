//! Asking a registry: by the ways there are, once more if need be, and not for too long.

use super::client::{Clients, Transport};
use super::error::{self, Error};
use crate::credentials::Credentials;
use crate::failure::Failure;
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use sifcache_core::reference::{DEFAULT_TAG, Reference};
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

/// How often we look whether the command has been asked to end.
const TICK: Duration = Duration::from_millis(100);

/// Says whether the command has been asked to end.
pub(super) type Stop = dyn Fn() -> Result<(), Failure> + Send + Sync;

type Answer<T> = Result<T, OciDistributionError>;

/// How long registries are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For an answer, with all that has to be asked before it.
    pub(super) answer: Duration,
    /// Before another try with one that is busy.
    pub(super) busy: Duration,
}

/// One question to one registry.
pub(super) struct Call {
    pub(super) client: Client,
    pub(super) image: oci_client::Reference,
    pub(super) auth: RegistryAuth,
}

/// Who asks.
pub(super) struct Asker {
    /// Only taken out when this is dropped.
    runtime: Option<Runtime>,
    clients: Clients,
    credentials: Credentials,
    transports: &'static [Transport],
    patience: Patience,
    stop: Box<Stop>,
}

impl Asker {
    /// # Errors
    /// The operating system's.
    pub(super) fn new(
        insecure: bool,
        credentials: Credentials,
        patience: Patience,
        stop: Box<Stop>,
    ) -> io::Result<Self> {
        let runtime = Some(Builder::new_current_thread().enable_all().build()?);
        let transports = Transport::all(insecure);
        Ok(Self { runtime, clients: Clients::default(), credentials, transports, patience, stop })
    }

    /// The answer to a question about a reference.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn ask<T>(
        &self,
        reference: &Reference,
        question: impl AsyncFn(&Call) -> Answer<T>,
    ) -> Result<T, Error> {
        let auth = self.credentials.of(reference);
        let Some(runtime) = &self.runtime else { return Err(Error::no_answer(reference)) };
        let mut answer = None;
        for transport in self.transports {
            let client = self.clients.get(&auth, *transport);
            let client = client.map_err(|error| Error::new(reference, &auth, &error))?;
            let call = Call { client, image: image(reference), auth: auth.clone() };
            let said = runtime.block_on(self.patiently(reference, self.twice(&call, &question)))?;
            let connected = !said.as_ref().is_err_and(error::is_about_connecting);
            answer = Some(said);
            if connected {
                break;
            }
        }
        match answer {
            Some(answer) => answer.map_err(|error| Error::new(reference, &auth, &error)),
            None => Err(Error::no_answer(reference)),
        }
    }

    /// Asks once more where that may help.
    async fn twice<T>(
        &self,
        call: &Call,
        question: &impl AsyncFn(&Call) -> Answer<T>,
    ) -> Answer<T> {
        match question(call).await {
            // The client goes on without a token if it cannot get one. Here we hear why.
            Err(OciDistributionError::UnauthorizedError { .. }) => {
                call.client.auth(&call.image, &call.auth, RegistryOperation::Pull).await?;
            }
            Err(error) if error::is_passing(&error) => sleep(self.patience.busy).await,
            answer => return answer,
        }
        question(call).await
    }

    /// Ends the waiting when the command shall end, or when it has been long enough.
    async fn patiently<T>(
        &self,
        reference: &Reference,
        answer: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let whole = async {
            let mut answer = std::pin::pin!(answer);
            loop {
                match timeout(TICK, &mut answer).await {
                    Ok(answer) => return Ok(answer),
                    Err(_) => (self.stop)().map_err(Error::Stopped)?,
                }
            }
        };
        match timeout(self.patience.answer, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::no_answer(reference)),
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        // Looking up a host's name cannot be stopped, but need not be waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The reference as the client wants it. A digest says it all.
fn image(reference: &Reference) -> oci_client::Reference {
    let registry = reference.registry().to_owned();
    let repository = reference.repository().to_owned();
    match reference.digest() {
        Some(digest) => oci_client::Reference::with_digest(registry, repository, digest.to_owned()),
        None => {
            let tag = reference.tag().unwrap_or(DEFAULT_TAG).to_owned();
            oci_client::Reference::with_tag(registry, repository, tag)
        }
    }
}
