//! Queries a registry: over each allowed transport, with one retry, and with a timeout.

use super::certs_d::Directories;
use super::client::{Clients, Transport};
use super::error::{Circumstances, Error};
use super::fault::Fault;
use super::mirrors::Mirrors;
use super::proxy::Proxies;
use super::route::{Endpoint, Route};
use super::session::Session;
use super::token;
use crate::error::Failure;
use crate::pull::credentials::{Credentials, RegistryAuth};
use reqwest::Url;
use sifcache_core::reference::{DEFAULT_TAG, Reference};
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

/// The interval between checks for a signal that asks the command to end.
const TICK: Duration = Duration::from_millis(100);

/// Fails if a signal has asked the command to end.
pub(super) type Stop = dyn Fn() -> Result<(), Failure> + Send + Sync;

type Answer<T> = Result<T, Fault>;

/// Time limits for queries.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimits {
    /// The timeout for an answer, including all requests that precede it.
    pub(super) answer: Duration,
    /// The delay before a retry.
    pub(super) busy: Duration,
}

/// Configuration files and environment variables that the runtimes also read.
pub(super) struct HostConfiguration {
    pub(super) mirrors: Result<Mirrors, String>,
    pub(super) proxies: Result<Proxies, String>,
    pub(super) certificates: Directories,
}

impl HostConfiguration {
    pub(super) fn here() -> Self {
        Self {
            mirrors: Mirrors::from_environment(),
            proxies: Proxies::from_environment(),
            certificates: Directories::from_environment(),
        }
    }

    /// The configuration of a host without any such files and variables.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        let (mirrors, proxies) = (Ok(Mirrors::default()), Ok(Proxies::default()));
        Self { mirrors, proxies, certificates: Directories::default() }
    }
}

/// Queries registries.
pub(super) struct AuthFlow {
    /// Always present until this value is dropped.
    runtime: Option<Runtime>,
    clients: Clients,
    tokens: token::Cache,
    /// If this is an error, each query reports it; creating the client succeeds.
    mirrors: Result<Mirrors, String>,
    certificates: Directories,
    credentials: Credentials,
    insecure: bool,
    limits: TimeLimits,
    stop: Box<Stop>,
}

impl AuthFlow {
    /// Creates a client.
    ///
    /// # Errors
    /// If the asynchronous runtime cannot be created.
    pub(super) fn new(
        insecure: bool,
        credentials: Credentials,
        configuration: HostConfiguration,
        limits: TimeLimits,
        stop: Box<Stop>,
    ) -> io::Result<Self> {
        let runtime = Some(Builder::new_current_thread().enable_all().build()?);
        let (mirrors, proxies) = match configuration.proxies {
            Ok(proxies) => (configuration.mirrors, proxies),
            Err(why) => (Err(why), Proxies::default()),
        };
        let clients = Clients::new(proxies);
        let tokens = token::Cache::default();
        Ok(Self {
            runtime,
            clients,
            tokens,
            mirrors,
            certificates: configuration.certificates,
            credentials,
            insecure,
            limits,
            stop,
        })
    }

    /// Sends a query about a reference to the source of its image, and returns the result.
    ///
    /// # Errors
    /// If there is no answer, or the container runtime would not receive one.
    pub(super) fn query<T>(
        &self,
        reference: &Reference,
        query: impl AsyncFn(&Session<'_>) -> Answer<T>,
    ) -> Result<T, Error> {
        let mirrors = self.mirrors.as_ref().map_err(Error::configuration)?;
        let route = Route::find(mirrors, &self.certificates, reference, self.insecure);
        let route = route.map_err(Error::configuration)?;
        let source = &route.source;
        // Plain HTTP is used only if the container runtime would also use it.
        let plain_http = source.plain_http && route.is_confirmed(true);
        let (answer, transport) = match self.at(source, plain_http, &query) {
            Err(error) if error.is_unreachable() && source.plain_http && !plain_http => {
                if self.confirm(&route).is_err() {
                    return Err(error);
                }
                return self.at(source, true, &query).map(|(answer, _)| answer);
            }
            answer => answer?,
        };
        if !route.is_confirmed(transport == Transport::Plain) {
            self.confirm(&route)?;
        }
        Ok(answer)
    }

    /// Checks that one of the other endpoints has the digest.
    fn confirm(&self, route: &Route) -> Result<(), Error> {
        let mut failed = None;
        for other in &route.others {
            let asked = self.at(other, other.plain_http, &async |session: &Session<'_>| {
                session.digest(wanted(session.image)).await
            });
            match asked {
                Ok(_) => return Ok(()),
                Err(Error::Stopped(failure)) => return Err(Error::Stopped(failure)),
                Err(error) => failed = Some(error),
            }
        }
        let why = route.cut.clone().or(failed.map(|error| error.to_string()));
        Err(Error::unconfirmed(&route.source.name(), &why.unwrap_or_default()))
    }

    /// Queries one endpoint over each allowed transport.
    fn at<T>(
        &self,
        place: &Endpoint,
        plain_http: bool,
        query: &impl AsyncFn(&Session<'_>) -> Answer<T>,
    ) -> Result<(T, Transport), Error> {
        let auth = self.credentials.of(&place.image);
        let name = place.name();
        let Some(runtime) = &self.runtime else { return Err(Error::no_answer(&name)) };
        let tls = if place.any_certificate { Transport::AnyTls } else { Transport::Tls };
        let session = |transport| Session {
            clients: &self.clients,
            transport,
            host: place.host(),
            image: &place.image,
            auth: &auth,
            tokens: &self.tokens,
        };
        let attempt = |transport| {
            let session = session(transport);
            runtime.block_on(self.with_timeout(&name, self.with_retry(&session, query)))
        };
        let mut transport = tls;
        let mut result = attempt(tls)?;
        if plain_http && result.as_ref().is_err_and(Fault::is_about_connecting) {
            let proxies = &self.clients.proxies;
            if let Some(why) = proxies.of_cgi() {
                return Err(Error::configuration(why));
            }
            let clear = attempt(Transport::Plain)?;
            // A TLS server answers plain HTTP with status 400. The TLS error is more useful then.
            if !matches!(clear, Err(Fault::Status(400))) {
                (transport, result) = (Transport::Plain, clear);
            }
        }
        match result {
            Ok(answer) => Ok((answer, transport)),
            Err(fault) => Err(self.explain(place, transport, &auth, &fault)),
        }
    }

    fn explain(
        &self,
        place: &Endpoint,
        transport: Transport,
        auth: &RegistryAuth,
        fault: &Fault,
    ) -> Error {
        let url = Url::parse(&format!("{}://{}/", transport.scheme(), place.host())).ok();
        let circumstances = Circumstances {
            name: &place.name(),
            image: &place.image,
            auth,
            proxy: url.as_ref().and_then(|url| self.clients.proxies.of(url)),
            certificates: self.clients.origin(),
            beside: self.certificates.of(place.image.registry()),
        };
        Error::new(&circumstances, fault)
    }

    /// Sends the query, and repeats it once if the fault may be temporary.
    async fn with_retry<T>(
        &self,
        session: &Session<'_>,
        query: &impl AsyncFn(&Session<'_>) -> Answer<T>,
    ) -> Answer<T> {
        match query(session).await {
            Err(fault) if fault.is_passing() => sleep(self.limits.busy).await,
            answer => return answer,
        }
        query(session).await
    }

    /// Waits for an answer until the timeout, or until a signal asks the command to end.
    async fn with_timeout<T>(
        &self,
        name: &str,
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
        match timeout(self.limits.answer, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::no_answer(name)),
        }
    }
}

impl Drop for AuthFlow {
    fn drop(&mut self) {
        // A lookup of a host name cannot be cancelled, but there is no need to wait for it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The name to request: the digest, which identifies the image completely, else the tag.
pub(super) fn wanted(image: &Reference) -> &str {
    image.digest().or(image.tag()).unwrap_or(DEFAULT_TAG)
}
