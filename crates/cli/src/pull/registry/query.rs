//! Queries registries: over each allowed transport, with one retry, and with a timeout.

use super::cancel::Cancel;
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
use reqwest::{Client, Url};
use sifcache_core::reference::{DEFAULT_TAG, Reference};
use std::io;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

/// The interval between checks for a signal that asks the command to end.
const TICK: Duration = Duration::from_millis(100);

/// A check that fails if a signal has asked the command to end.
pub(super) type Stop = dyn Fn() -> Result<(), Failure> + Send + Sync;

type Answer<T> = Result<T, Fault>;

/// Time limits for queries.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimits {
    /// The timeout for an answer, including all requests that precede it.
    pub(super) answer: Duration,
    /// The delay before a retry.
    pub(super) busy: Duration,
    /// The longest delay before a retry that a server may ask for.
    pub(super) longest: Duration,
    /// The timeout for the next part of a download.
    pub(super) stall: Duration,
}

/// The options of one query.
#[derive(Debug, Clone, Copy)]
struct Options<'a> {
    /// Whether to retry once if the fault may be transient.
    repeat: bool,
    cancel: &'a Cancel,
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
pub(super) struct QueryClient {
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

impl QueryClient {
    /// Creates a client.
    ///
    /// # Errors
    /// The asynchronous runtime cannot be created.
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
    /// There is no answer, or the container runtime would not receive one.
    pub(super) fn query<T>(
        &self,
        reference: &Reference,
        query: impl AsyncFn(&Session<'_>) -> Answer<T>,
    ) -> Result<T, Error> {
        self.send(reference, Options { repeat: true, cancel: &Cancel::default() }, query)
    }

    /// Like [`Self::query`], but without repeating a query whose fault may be transient. `cancel`
    /// ends it.
    ///
    /// # Errors
    /// There is no answer, or the container runtime would not receive one.
    pub(super) fn query_once<T>(
        &self,
        reference: &Reference,
        cancel: &Cancel,
        query: impl AsyncFn(&Session<'_>) -> Answer<T>,
    ) -> Result<T, Error> {
        self.send(reference, Options { repeat: false, cancel }, query)
    }

    fn send<T>(
        &self,
        reference: &Reference,
        options: Options<'_>,
        query: impl AsyncFn(&Session<'_>) -> Answer<T>,
    ) -> Result<T, Error> {
        let mirrors = self.mirrors.as_ref().map_err(Error::configuration)?;
        let route = Route::find(mirrors, &self.certificates, reference, self.insecure);
        let route = route.map_err(Error::configuration)?;
        let source = &route.source;
        // Plain HTTP is used only if the container runtime would also use it.
        let plain_http = source.plain_http && route.is_confirmed(true);
        let (answer, transport) = match self.at(source, plain_http, options, &query) {
            Err(error) if error.is_unreachable() && source.plain_http && !plain_http => {
                if self.confirm(&route, options).is_err() {
                    return Err(error);
                }
                return self.at(source, true, options, &query).map(|(answer, _)| answer);
            }
            answer => answer?,
        };
        if !route.is_confirmed(transport == Transport::Plain) {
            self.confirm(&route, options)?;
        }
        Ok(answer)
    }

    /// Checks that one of the other endpoints has the digest.
    fn confirm(&self, route: &Route, options: Options<'_>) -> Result<(), Error> {
        let mut failed = None;
        for other in &route.others {
            let digest = async |session: &Session<'_>| session.digest(wanted(session.image)).await;
            match self.at(other, other.plain_http, options, &digest) {
                Ok(_) => return Ok(()),
                Err(error @ (Error::Stopped(_) | Error::Cancelled)) => return Err(error),
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
        options: Options<'_>,
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
            let answer = self.with_retry(&session, options.repeat, query);
            let limit = (self.limits.answer, Error::no_answer(&name));
            runtime.block_on(self.with_timeout(limit, options.cancel, answer))
        };
        let mut transport = tls;
        let mut result = attempt(tls)?;
        if plain_http && result.as_ref().is_err_and(Fault::is_connect_error) {
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
            certificates: &self.clients.origin(),
            beside: self.certificates.of(place.image.registry()),
        };
        Error::new(&circumstances, fault)
    }

    /// Sends the query, and repeats it once if the fault may be transient.
    async fn with_retry<T>(
        &self,
        session: &Session<'_>,
        repeat: bool,
        query: &impl AsyncFn(&Session<'_>) -> Answer<T>,
    ) -> Answer<T> {
        let fault = match query(session).await {
            Err(fault) if repeat && fault.is_transient() => fault,
            answer => return answer,
        };
        let delay = fault.delay().unwrap_or_default().max(self.limits.busy);
        if delay > self.limits.longest {
            return Err(fault);
        }
        sleep(delay).await;
        query(session).await
    }

    /// Waits for an answer, at most until the time limit, which has an error of its own. A signal
    /// that asks the command to end and `cancel` end the wait.
    async fn with_timeout<T>(
        &self,
        (limit, expired): (Duration, Error),
        cancel: &Cancel,
        answer: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let whole = async {
            let mut answer = std::pin::pin!(answer);
            loop {
                match timeout(TICK, &mut answer).await {
                    Ok(answer) => return Ok(answer),
                    Err(_) => self.check(cancel)?,
                }
            }
        };
        timeout(limit, whole).await.unwrap_or(Err(expired))
    }

    /// Fails if a signal has asked the command to end, or the caller has cancelled the download.
    fn check(&self, cancel: &Cancel) -> Result<(), Error> {
        (self.stop)().map_err(Error::Stopped)?;
        if cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Waits for the next part of a download. Data that have arrived are not lost if it fails.
    ///
    /// # Errors
    /// There are no data within the time limit (with the error `stalled`), or the wait is ended.
    pub(super) fn next<T>(
        &self,
        stalled: Error,
        cancel: &Cancel,
        part: impl Future<Output = T>,
    ) -> Result<T, Error> {
        self.check(cancel)?;
        let Some(runtime) = &self.runtime else { return Err(stalled) };
        runtime.block_on(self.with_timeout((self.limits.stall, stalled), cancel, part))
    }

    /// Waits for the answer to a single request to another server than a registry. `None` if there
    /// is none in time.
    pub(super) fn once<T>(&self, answer: impl Future<Output = Option<T>>) -> Option<T> {
        let (limit, cancel) = ((self.limits.answer, Error::Cancelled), Cancel::default());
        let answer = self.with_timeout(limit, &cancel, answer);
        self.runtime.as_ref()?.block_on(answer).ok().flatten()
    }

    /// The client for a transport.
    ///
    /// # Errors
    /// The client cannot be created.
    pub(super) fn client(&self, transport: Transport) -> Result<Client, reqwest::Error> {
        self.clients.get(transport)
    }

    /// Waits before a retry.
    ///
    /// # Errors
    /// The wait is ended.
    pub(super) fn pause(&self, delay: Duration, cancel: &Cancel) -> Result<(), Error> {
        let end = Instant::now() + delay;
        loop {
            self.check(cancel)?;
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(());
            }
            thread::sleep(rest.min(TICK));
        }
    }

    pub(super) fn limits(&self) -> TimeLimits {
        self.limits
    }
}

impl Drop for QueryClient {
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
