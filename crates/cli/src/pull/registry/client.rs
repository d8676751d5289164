//! The HTTP clients for registries, with the same certificates and proxies as the runtimes.

use super::fresh::Fresh;
use super::proxy::Proxies;
use super::roots::{Roots, Sources};
use super::trust::Verifier;
use reqwest::{Client, ClientBuilder};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::UnixTime;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const CONNECT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("sifcache/", env!("CARGO_PKG_VERSION"));

/// The protocol for requests to a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// TLS with a certificate that this host trusts.
    Tls,
    /// TLS with any certificate.
    AnyTls,
    /// No TLS.
    Plain,
}

impl Transport {
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Tls | Self::AnyTls => "https",
            Self::Plain => "http",
        }
    }
}

/// The HTTP clients. Each is created on first use, and the one that verifies certificates is created
/// again after these have changed. The proxies are those of the environment, which does not change.
///
/// They have no timeout for reading. Every request has its own limits, and a download may pause as
/// long as its data are not needed yet.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) proxies: Proxies,
    trusting: OnceLock<Client>,
    /// The client that verifies certificates, with their source for messages.
    verifying: Fresh<(Client, String)>,
}

impl Clients {
    pub(super) fn new(proxies: Proxies) -> Self {
        Self {
            proxies,
            trusting: OnceLock::new(),
            verifying: Fresh::new(Sources::from_environment()),
        }
    }

    /// The client for a transport.
    ///
    /// # Errors
    /// The client cannot be created.
    pub(super) fn get(&self, transport: Transport) -> Result<Client, reqwest::Error> {
        if transport == Transport::Tls {
            let make = |roots: Roots| {
                let origin = roots.origin.clone();
                let builder = self.builder().tls_backend_preconfigured(configuration(roots));
                Ok((builder.build()?, origin))
            };
            return self.verifying.get(Instant::now(), make).map(|(client, _)| client);
        }
        if let Some(client) = self.trusting.get() {
            return Ok(client.clone());
        }
        // This fails only if a provider is already installed, which is sufficient.
        let _ = ring::default_provider().install_default();
        let made = self.builder().tls_danger_accept_invalid_certs(true).build()?;
        Ok(self.trusting.get_or_init(|| made).clone())
    }

    /// The source of this host's certificates, for messages. Empty until the certificates have been
    /// loaded.
    pub(super) fn origin(&self) -> String {
        self.verifying.last().map(|(_, origin)| origin).unwrap_or_default()
    }

    fn builder(&self) -> ClientBuilder {
        let proxies = self.proxies.clone();
        let choose = move |url: &reqwest::Url| proxies.of(url).map(|proxy| proxy.url.clone());
        // `no_proxy()` disables reqwest's own proxy detection; only the proxies chosen here are
        // used.
        Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT)
            .no_proxy()
            .proxy(reqwest::Proxy::custom(choose))
    }
}

/// The configuration of TLS that trusts these certificates.
fn configuration(roots: Roots) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier::new(roots, &provider, UnixTime::now()));
    let versions = &[&rustls::version::TLS13, &rustls::version::TLS12];
    let builder = ClientConfig::builder_with_provider(provider);
    // This cannot fail, because the provider supports both versions.
    let builder = builder.with_protocol_versions(versions);
    let builder = builder.unwrap_or_else(|_| ClientConfig::builder());
    builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
}
