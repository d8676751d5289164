//! The clients that talk to registries.

use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(60);
const USER_AGENT: &str = concat!("sifcache/", env!("CARGO_PKG_VERSION"));

/// How a registry is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// TLS with a certificate that this host trusts.
    Tls,
    /// TLS with whatever certificate.
    AnyTls,
    /// No TLS.
    Plain,
}

impl Transport {
    /// Those to be tried, in their order.
    pub(super) fn all(insecure: bool) -> &'static [Self] {
        match insecure {
            false => &[Self::Tls],
            true => &[Self::AnyTls, Self::Plain],
        }
    }
}

/// A client for each user name and password, so that one that is meant for a single
/// repository is not used for all of its registry: a client keeps the first that it gets.
#[derive(Default)]
pub(super) struct Clients(Mutex<Vec<(RegistryAuth, Transport, Client)>>);

impl Clients {
    /// The client for this; made when first asked for.
    ///
    /// # Errors
    /// If the certificates of this host cannot be read.
    pub(super) fn get(
        &self,
        auth: &RegistryAuth,
        transport: Transport,
    ) -> Result<Client, OciDistributionError> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = clients.iter().find(|(a, t, _)| a == auth && *t == transport);
        if let Some((_, _, client)) = known {
            return Ok(client.clone());
        }
        let client = make(transport)?;
        clients.push((auth.clone(), transport, client.clone()));
        Ok(client)
    }
}

fn make(transport: Transport) -> Result<Client, OciDistributionError> {
    // An error says that there is one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::try_from(ClientConfig {
        protocol: match transport {
            Transport::Plain => ClientProtocol::Http,
            Transport::Tls | Transport::AnyTls => ClientProtocol::Https,
        },
        accept_invalid_certificates: transport == Transport::AnyTls,
        // We choose ourselves, and say what there is.
        platform_resolver: None,
        connect_timeout: Some(CONNECT),
        read_timeout: Some(READ),
        user_agent: USER_AGENT,
        ..ClientConfig::default()
    })
}
