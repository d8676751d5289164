//! Sends requests: to the filler's listener, or to syslog.

use crate::demand::message::{self, Answer, MAX_ANSWER, Payload};
use crate::demand::syslog;
use crate::error::Failure;
use rustix::process::getuid;
use sifcache_core::reference::Reference;
use sifcache_core::settings::{Filler, Settings};
use sifcache_munge::Munge;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// The time limit for an answer of the listener, including the steps before it: the lookup of its host
/// name, munge, the connection.
pub(super) const LIMIT: Duration = Duration::from_secs(2);

/// How requests reach the filler.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// The listener of `sifcache fill --listen`.
    Listener { filler: Filler, munge: Arc<Munge> },
    /// The log of this host: the filler reads it, or a central log that collects its lines.
    Log(sifcache_core::settings::Syslog),
}

impl Route {
    /// The listener that `--to` or the site's `filler=` names, else syslog.
    ///
    /// # Errors
    /// There is a listener, but libmunge cannot be loaded.
    pub(crate) fn new(to: Option<&Filler>, settings: &Settings) -> Result<Self, Failure> {
        match (to, &settings.filler) {
            (Some(filler), _) => Self::listener(filler, "--to"),
            (None, Some(filler)) => Self::listener(filler, "filler="),
            (None, None) => Ok(Self::Log(settings.syslog)),
        }
    }

    /// The listener that `option` names.
    ///
    /// # Errors
    /// libmunge cannot be loaded.
    pub(crate) fn listener(filler: &Filler, option: &'static str) -> Result<Self, Failure> {
        let munge = Munge::load().map_err(|error| Failure::Munge { option, error })?;
        Ok(Self::Listener { filler: filler.clone(), munge: Arc::new(munge) })
    }

    /// Sends a request of the calling user.
    ///
    /// # Errors
    /// It cannot be sent.
    pub(crate) fn send(&self, reference: &Reference) -> Result<Answer, Failure> {
        match self {
            Self::Log(facility) => {
                let uid = getuid().as_raw();
                syslog::send(Path::new(syslog::SOCKET), *facility, reference, uid)?;
                Ok(Answer::Accepted)
            }
            Self::Listener { filler, munge } => {
                within_limit(filler, Arc::clone(munge), Payload::Request(reference.clone()))
            }
        }
    }
}

/// Whether the listener would accept a request of the calling user.
///
/// # Errors
/// It cannot be queried.
pub(crate) fn check(filler: &Filler) -> Result<Answer, Failure> {
    let munge = Munge::load().map_err(|error| Failure::Munge { option: "filler=", error })?;
    within_limit(filler, Arc::new(munge), Payload::Check)
}

/// A name server or a munged that does not answer must not delay the command. So another thread waits
/// for them; it ends with the process.
fn within_limit(filler: &Filler, munge: Arc<Munge>, payload: Payload) -> Result<Answer, Failure> {
    let (sender, receiver) = channel();
    let (filler, address) = (filler.clone(), filler.to_string());
    thread::spawn(move || sender.send(ask(&filler, &munge, &payload)));
    receiver.recv_timeout(LIMIT).unwrap_or_else(|_| {
        let problem = format!("no answer within {} s", LIMIT.as_secs());
        Err(Failure::Filler { address, problem })
    })
}

fn ask(filler: &Filler, munge: &Munge, payload: &Payload) -> Result<Answer, Failure> {
    let request = signed(munge, payload)?;
    let failed = |problem: String| Failure::Filler { address: filler.to_string(), problem };
    let line = exchange(filler, &request).map_err(|error| failed(error.to_string()))?;
    Answer::parse(&line).ok_or_else(|| {
        failed(match message::other_version(&line) {
            Some(version) => {
                format!("it has the protocol {version}: install one release everywhere")
            }
            None => "its answer is not one of a filler".to_owned(),
        })
    })
}

/// The line with this payload, signed by munge.
pub(super) fn signed(munge: &Munge, payload: &Payload) -> Result<String, Failure> {
    munge
        .encode(payload.to_string().as_bytes())
        .map(|credential| message::request(&credential))
        .map_err(|error| Failure::Munge { option: "no credential", error })
}

/// Sends a line and returns the answer.
fn exchange(filler: &Filler, line: &str) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let stream = send(filler, line, Instant::now() + LIMIT)?;
    stream.take(MAX_ANSWER as u64 + 1).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Sends a line to the first address of the listener that accepts a connection. A read of the answer
/// times out at `end`.
pub(super) fn send(filler: &Filler, line: &str, end: Instant) -> io::Result<TcpStream> {
    // A timeout of zero is an error.
    let left = || end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut last = io::Error::other("the host name has no address");
    for address in (filler.host.as_str(), filler.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left()) {
            Ok(mut stream) => {
                stream.set_write_timeout(Some(left()))?;
                stream.write_all(line.as_bytes())?;
                stream.set_read_timeout(Some(left()))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
