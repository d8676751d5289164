//! The HTTP clients that talk to registries: certificates and proxies as the runtimes have them.

use super::proxy::Proxies;
use super::roots::Roots;
use super::trust::Verifier;
use reqwest::Client;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::UnixTime;
use std::sync::{Arc, OnceLock};
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
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Tls | Self::AnyTls => "https",
            Self::Plain => "http",
        }
    }
}

/// A client for each way, made when first asked for.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) proxies: Proxies,
    /// Where the certificates of this host have been found.
    origin: OnceLock<String>,
    trusting: OnceLock<Client>,
    verifying: OnceLock<Client>,
}

impl Clients {
    pub(super) fn new(proxies: Proxies) -> Self {
        Self {
            proxies,
            origin: OnceLock::new(),
            trusting: OnceLock::new(),
            verifying: OnceLock::new(),
        }
    }

    /// # Errors
    /// If the system has no means for it.
    pub(super) fn get(&self, transport: Transport) -> Result<Client, reqwest::Error> {
        let kept = match transport {
            Transport::Tls => &self.verifying,
            Transport::AnyTls | Transport::Plain => &self.trusting,
        };
        if let Some(client) = kept.get() {
            return Ok(client.clone());
        }
        let made = self.make(transport == Transport::Tls)?;
        Ok(kept.get_or_init(|| made).clone())
    }

    /// Where the certificates of this host have been found; nothing before they were needed.
    pub(super) fn origin(&self) -> &str {
        self.origin.get().map(String::as_str).unwrap_or_default()
    }

    fn make(&self, verify: bool) -> Result<Client, reqwest::Error> {
        let proxies = self.proxies.clone();
        let choose = move |url: &reqwest::Url| proxies.of(url).map(|proxy| proxy.url.clone());
        // no_proxy() stands for: none but ours.
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .no_proxy()
            .proxy(reqwest::Proxy::custom(choose));
        if verify {
            return builder.tls_backend_preconfigured(self.configuration()).build();
        }
        // An error says that there is one already, which is as good.
        let _ = ring::default_provider().install_default();
        builder.tls_danger_accept_invalid_certs(true).build()
    }

    fn configuration(&self) -> ClientConfig {
        let roots = Roots::from_environment();
        self.origin.get_or_init(|| roots.origin.clone());
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(roots, &provider, UnixTime::now()));
        let versions = &[&rustls::version::TLS13, &rustls::version::TLS12];
        let builder = ClientConfig::builder_with_provider(provider);
        // The provider has what both versions need.
        let builder = builder.with_protocol_versions(versions);
        let builder = builder.unwrap_or_else(|_| ClientConfig::builder());
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    }
}
