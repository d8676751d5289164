//! A registry on loopback that serves blobs with faults, and a client for it.

use super::query::{HostConfiguration, Stop, TimeLimits};
use super::{Descriptor, Registry};
use crate::pull::credentials::Credentials;
use sha2::{Digest as _, Sha256};
use sifcache_core::reference::Reference;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Short delays, and timeouts that tests do not reach.
pub(super) const LIMITS: TimeLimits = TimeLimits {
    answer: Duration::from_secs(60),
    busy: Duration::from_millis(1),
    longest: Duration::from_secs(1),
    stall: Duration::from_secs(60),
};

/// A request: its first two words, its headers with names in lower case, and the number of earlier
/// requests with the same words.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) count: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What follows after the sent part of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    NextRequest,
    Hangup,
    Silence,
}

/// A response, which may contradict itself.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The length in the header, if there is one.
    length: Option<usize>,
    after: After,
}

impl Reply {
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        let (headers, body) = (Vec::new(), body.to_vec());
        Self { status, headers, length: Some(body.len()), body, after: After::NextRequest }
    }

    /// The part of a blob that a request asks for.
    pub(crate) fn part(request: &Request, blob: &[u8]) -> Self {
        let range = request.header("range").strip_prefix("bytes=");
        let Some(range) = range.and_then(|range| range.strip_suffix('-')) else {
            return Self::new(200, blob);
        };
        let (start, size) = (range.parse::<usize>().unwrap(), blob.len());
        let range = format!("bytes {start}-{}/{size}", size - 1);
        Self::new(206, &blob[start..]).with("Content-Range", &range)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends only the first bytes of the body, and then closes the connection.
    pub(crate) fn cut(mut self, count: usize) -> Self {
        self.body.truncate(count);
        self.after = After::Hangup;
        self
    }

    /// Sends only the first bytes of the body, and then nothing.
    pub(crate) fn stalled(mut self, count: usize) -> Self {
        self.body.truncate(count);
        self.after = After::Silence;
        self
    }

    /// The body ends with the connection, and the headers do not tell its length.
    pub(crate) fn without_length(mut self) -> Self {
        self.length = None;
        self.after = After::Hangup;
        self
    }
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A server that runs until the test ends.
pub(crate) struct FaultyServer {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FaultyServer {
    pub(crate) fn new(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, handler): (_, Arc<Handler>) = (Arc::clone(&requests), Arc::new(handler));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, handler) = (Arc::clone(&log), Arc::clone(&handler));
                thread::spawn(move || serve(&stream.unwrap(), &log, &*handler));
            }
        });
        Self { address, requests }
    }

    /// Serves blobs under their digests: the reply to a request for one of them is made from it.
    pub(crate) fn of_blobs(
        blobs: Vec<Vec<u8>>,
        reply: impl Fn(&Request, &[u8]) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let blobs: Vec<(String, Vec<u8>)> =
            blobs.into_iter().map(|blob| (digest_of(&blob), blob)).collect();
        Self::new(move |request| {
            let found = blobs.iter().find(|(digest, _)| request.line.ends_with(digest));
            match found {
                Some((_, blob)) => reply(request, blob),
                None if request.line == "GET /v2/" => Reply::new(200, b"{}"),
                None => Reply::new(404, b""),
            }
        })
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The `Range` headers of the requests for blobs; `-` if there is none.
    pub(crate) fn ranges(&self) -> Vec<String> {
        let requests = self.requests().into_iter().filter(|r| r.line.contains("/blobs/"));
        requests.map(|r| r.headers.get("range").cloned().unwrap_or("-".to_owned())).collect()
    }

    /// The reference of an image in this registry.
    pub(crate) fn reference(&self) -> Reference {
        Reference::parse(format!("{}/o/i:1", self.address).as_bytes()).unwrap()
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Request>>, handler: &Handler) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    // Closes the connection if the client starts TLS.
    while reader.fill_buf().ok()?.first()?.is_ascii_uppercase() {
        let request = read(&mut reader, log)?;
        let reply = handler(&request);
        write(stream, &reply)?;
        match reply.after {
            After::NextRequest => {}
            After::Hangup => return None,
            // The client closes the connection.
            After::Silence => {
                let _ = reader.read(&mut [0]);
            }
        }
    }
    None
}

fn read(reader: &mut BufReader<TcpStream>, log: &Mutex<Vec<Request>>) -> Option<Request> {
    let mut lines = reader.by_ref().lines().map_while(Result::ok);
    let line = lines.next()?.strip_suffix(" HTTP/1.1")?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_lowercase(), value.to_owned()))
    });
    let headers = headers.collect();
    let mut log = log.lock().unwrap();
    let count = log.iter().filter(|known| known.line == line).count();
    let request = Request { line, headers, count };
    log.push(request.clone());
    Some(request)
}

fn write(mut stream: &TcpStream, reply: &Reply) -> Option<()> {
    let mut text = format!("HTTP/1.1 {} x\r\n", reply.status);
    for (name, value) in &reply.headers {
        text += &format!("{name}: {value}\r\n");
    }
    if let Some(length) = reply.length {
        text += &format!("Content-Length: {length}\r\n");
    }
    stream.write_all((text + "\r\n").as_bytes()).ok()?;
    stream.write_all(&reply.body).ok()
}

/// A client with `--no-https`.
pub(crate) fn client() -> Registry {
    client_with(Credentials::none(), HostConfiguration::none(), LIMITS, Box::new(|| Ok(())))
}

pub(super) fn client_with(
    credentials: Credentials,
    configuration: HostConfiguration,
    limits: TimeLimits,
    stop: Box<Stop>,
) -> Registry {
    Registry::with(true, credentials, configuration, limits, stop).unwrap()
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

pub(crate) fn descriptor(bytes: &[u8]) -> Descriptor {
    let media_type = "application/vnd.oci.image.layer.v1.tar".to_owned();
    Descriptor { digest: digest_of(bytes), size: bytes.len() as u64, media_type }
}

/// Bytes that cannot be compressed. They depend on the seed.
pub(crate) fn noise(count: usize, seed: u64) -> Vec<u8> {
    let block = |number: usize| <[u8; 32]>::from(Sha256::digest(format!("{seed} {number}")));
    let mut all: Vec<u8> = (0..count.div_ceil(32)).flat_map(block).collect();
    all.truncate(count);
    all
}
