//! A minimal registry with canned answers.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A client's request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The first two words of the request: `HEAD /v2/o/i/manifests/1`
    pub(super) line: String,
    pub(super) headers: HashMap<String, String>,
}

/// The response to a request.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Response {
    pub(super) fn new(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The reaction to a request.
pub(super) enum Deed {
    Answer(Response),
    /// Closes the connection.
    Hangup,
    /// Sends nothing.
    Silence,
    #[allow(dead_code, reason = "only tests of the program use it")]
    /// Sends the headers and this number of bytes of the body, and nothing more.
    Stall(Response, usize),
}

type Handler = dyn Fn(&Request) -> Deed + Send + Sync;

/// A server that runs until the test ends.
pub(super) struct Server {
    pub(super) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(super) fn new(handler: impl Fn(&Request) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, handler): (_, Arc<Handler>) = (Arc::clone(&requests), Arc::new(handler));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (log, handler) = (Arc::clone(&log), Arc::clone(&handler));
                thread::spawn(move || serve(stream.unwrap(), &log, &*handler));
            }
        });
        Self { address, requests }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The method and path of all requests.
    pub(super) fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Request>>, handler: &Handler) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    // Closes the connection if the client starts TLS.
    while reader.fill_buf().ok()?.first()?.is_ascii_uppercase() {
        let request = read(&mut reader)?;
        let head = request.line.starts_with("HEAD ");
        log.lock().unwrap().push(request.clone());
        match handler(&request) {
            Deed::Answer(response) => write(&stream, &response, head)?,
            Deed::Hangup => return None,
            Deed::Silence => thread::sleep(Duration::from_secs(60)),
            Deed::Stall(response, bytes) => {
                let mut text = head_of(&response);
                text += response.body.get(..bytes).unwrap_or_default();
                (&stream).write_all(text.as_bytes()).ok()?;
                thread::sleep(Duration::from_secs(60));
            }
        }
    }
    None
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = reader.by_ref().lines().map_while(Result::ok);
    let first = lines.next()?;
    let line = first.strip_suffix(" HTTP/1.1")?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_lowercase(), value.to_owned()))
    });
    Some(Request { line, headers: headers.collect() })
}

fn write(mut stream: &TcpStream, response: &Response, head: bool) -> Option<()> {
    let mut text = head_of(response);
    text += if head { "" } else { &response.body };
    stream.write_all(text.as_bytes()).ok()
}

/// The status line and the headers. The length is that of the body, unless there is another one.
fn head_of(response: &Response) -> String {
    let mut text = format!("HTTP/1.1 {} x\r\n", response.status);
    if !response.headers.iter().any(|(name, _)| *name == "Content-Length") {
        text += &format!("Content-Length: {}\r\n", response.body.len());
    }
    for (name, value) in &response.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}
