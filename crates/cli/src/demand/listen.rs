//! The listener of `sifcache fill --listen`: requests over TCP, signed by munge.
//!
//! It serves sites without central logs. [`message`] describes the message. Everything is bounded:
//! the size and the duration of each connection, the number of connections, the requests of each
//! user and each host in a minute, and the memory for all of these. One thread serves all clients
//! with non-blocking sockets, so a slow client does not delay another one.
//!
//! The connection of a client that asks for news stays open, and the client gets each change of its
//! image's queue entry: [`subscribers`]. The filler publishes the entries through a [`Publisher`],
//! which wakes the thread.

mod connection;
mod rate;
mod subscribers;

use crate::demand::message::{self, Answer, Payload};
use crate::demand::news::Publisher;
use crate::demand::request::Request;
use crate::error::Failure;
use connection::{Connection, Input};
use jiff::Timestamp;
use rate::Rate;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Filler;
use sifcache_munge::{Decoded, Error, Munge};
use std::io;
use std::net::{IpAddr, Ipv6Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use subscribers::{Client, Subscribers};

/// Seconds after which a client may try again if munge does not work on this host.
const MUNGE_BUSY: u32 = 10;
/// The number of requests that wait for their receiver, from which on clients are told to try again.
const BACKLOG: usize = 10_000;
/// Seconds after which these clients may try again.
const BACKLOG_BUSY: u32 = 5;
/// Seconds after which a client may try again if too many clients wait for news.
const NEWS_BUSY: u32 = 30;
/// How long [`Listener::run`] serves clients before it checks whether it has to end.
const ROUND: Duration = Duration::from_secs(1);
/// The same while requests wait for their receiver.
const RETRY: Duration = Duration::from_millis(20);
/// The pause after an error of accept(2), such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Checks credentials; tests use another implementation.
pub(crate) trait Verify: Send {
    /// The content of a valid credential.
    ///
    /// # Errors
    /// See [`Error`].
    fn verify(&self, credential: &str) -> Result<Decoded, Error>;
}

impl Verify for Munge {
    fn verify(&self, credential: &str) -> Result<Decoded, Error> {
        self.decode(credential)
    }
}

/// The limits of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The time after which a connection is closed.
    pub(crate) time: Duration,
    /// The number of connections at a time.
    pub(crate) connections: usize,
    /// The number of different images of a user in a minute. Repetitions do not count, because all
    /// nodes of a large job may ask for the same images.
    pub(crate) per_user: u32,
    /// The number of messages from a host in a minute, valid or not.
    pub(crate) per_host: u32,
    /// The number of clients that wait for news. They do not count as connections.
    pub(crate) subscribers: usize,
    /// The number of those from one host.
    pub(crate) subscribers_of_host: usize,
    /// The number of those of one user, so that a job on many nodes leaves places to others.
    pub(crate) subscribers_of_user: usize,
    /// How long such a connection is kept without news. An image that is queued or pulled has news at
    /// least every 9 seconds.
    pub(crate) idle: Duration,
    /// How long such a connection is kept in any case.
    pub(crate) subscription: Duration,
}

impl Limits {
    /// The limits in use.
    pub(crate) const DEFAULT: Self = Self {
        time: Duration::from_secs(5),
        connections: 64,
        per_user: 300,
        per_host: 3_000,
        subscribers: 512,
        subscribers_of_host: 64,
        subscribers_of_user: 256,
        idle: Duration::from_secs(60),
        subscription: Duration::from_secs(24 * 3600),
    };
}

/// How many messages had which result.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Requests that were passed on, and checks.
    pub(crate) accepted: u64,
    /// Requests for news that were accepted.
    pub(crate) news: u64,
    /// Messages that were refused.
    pub(crate) refused: u64,
    /// Messages that were answered with `busy`.
    pub(crate) busy: u64,
    /// Connections that were closed without a complete message.
    pub(crate) closed: u64,
}

/// The result of passing on a batch of requests.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The receiver has taken it.
    Taken,
    /// The receiver is busy.
    Full(Vec<Request>),
    /// The receiver has ended.
    Closed,
}

/// What to do for a valid message.
enum Action {
    /// Only answer it.
    Check,
    /// Pass on a request for an image.
    Image(Request),
    /// Send news about an image to this client.
    News(Client, Reference),
}

/// The listener.
pub(crate) struct Listener {
    socket: TcpListener,
    verify: Box<dyn Verify>,
    limits: Limits,
    /// The oldest connection is the first.
    connections: Vec<Connection>,
    subscribers: Subscribers,
    users: Rate<u32>,
    hosts: Rate<IpAddr>,
    counters: Counters,
    /// Whether too many requests wait for their receiver.
    is_full: bool,
}

impl Listener {
    /// Listens on this address. libmunge has to be installed; `munged` may be started later.
    ///
    /// # Errors
    /// The address is not available, or libmunge cannot be loaded.
    pub(crate) fn bind(address: &Filler) -> Result<Self, Failure> {
        let munge = Munge::load().map_err(|error| Failure::Munge { option: "--listen", error })?;
        Self::with(address, Box::new(munge), Limits::DEFAULT)
    }

    fn with(address: &Filler, verify: Box<dyn Verify>, limits: Limits) -> Result<Self, Failure> {
        let open = || {
            let socket = TcpListener::bind((address.host.as_str(), address.port))?;
            socket.set_nonblocking(true)?;
            Ok((socket, Subscribers::new()?))
        };
        let failed = |error| Failure::Listen { address: address.to_string(), error };
        let now = Instant::now();
        let (socket, subscribers) = open().map_err(failed)?;
        Ok(Self {
            socket,
            subscribers,
            verify,
            limits,
            connections: Vec::with_capacity(limits.connections),
            users: Rate::new(limits.per_user, now),
            hosts: Rate::new(limits.per_host, now),
            counters: Counters::default(),
            is_full: false,
        })
    }

    /// The publisher through which the filler sends news to the clients.
    pub(crate) fn publisher(&self) -> Publisher {
        self.subscribers.publisher()
    }

    /// Serves clients until `stop` is set, which it notices within [`ROUND`], or at once after
    /// [`Publisher::wake`]. `deliver` passes requests on, and must not wait: while the receiver is
    /// busy, the listener keeps the requests, and goes on to serve clients.
    pub(crate) fn run(mut self, stop: &AtomicBool, deliver: impl Fn(Vec<Request>) -> Delivery) {
        let mut waiting = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let wait = if waiting.is_empty() { ROUND } else { RETRY };
            waiting.extend(self.next(wait));
            if !waiting.is_empty() {
                match deliver(std::mem::take(&mut waiting)) {
                    Delivery::Taken => {}
                    Delivery::Full(requests) => waiting = requests,
                    Delivery::Closed => break,
                }
            }
            self.is_full = waiting.len() >= BACKLOG;
        }
        self.subscribers.finish();
    }

    /// Serves clients until at least one request has arrived, news was sent, or `wait` is over.
    /// Clients are only served during this call, so call it in a loop.
    pub(crate) fn next(&mut self, wait: Duration) -> Vec<Request> {
        let end = Instant::now() + wait;
        let mut requests = Vec::new();
        loop {
            let deadlines = self.connections.iter().map(|connection| connection.deadline);
            let until = deadlines.fold(end, Instant::min);
            let ready = self.ready(until.saturating_duration_since(Instant::now()));
            let (connections, subscribers) =
                ready.split_at_checked(self.connections.len()).unwrap_or_default();
            let is_news = self.subscribers.serve(subscribers);
            requests.extend(self.serve(connections));
            self.accept();
            let now = Instant::now();
            self.close(|connection| connection.deadline <= now);
            if !requests.is_empty() || is_news || now >= end {
                return requests;
            }
        }
    }

    /// The results of all messages so far.
    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// Waits until a client connects, a connection is ready, or there is news. Returns for each of the
    /// connections whether it is ready, and then for each of the sources of [`Subscribers`].
    fn ready(&self, wait: Duration) -> Vec<bool> {
        let mut all: Vec<PollFd<'_>> = vec![PollFd::new(&self.socket, PollFlags::IN)];
        let streams = self.connections.iter().map(|connection| &connection.stream);
        all.extend(streams.map(|stream| PollFd::new(stream, PollFlags::IN)));
        all.extend(self.subscribers.sources());
        let wait = Timespec::try_from(wait).ok();
        // After an error, such as an interruption by a signal, nothing is ready.
        match poll(&mut all, wait.as_ref()) {
            Ok(_) => all.iter().skip(1).map(|one| !one.revents().is_empty()).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Reads the connections that are ready, and answers complete messages.
    fn serve(&mut self, ready: &[bool]) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut kept = Vec::with_capacity(self.limits.connections);
        let ready = ready.iter().copied().chain(std::iter::repeat(false));
        for (mut connection, is_ready) in
            std::mem::take(&mut self.connections).into_iter().zip(ready)
        {
            let input = if is_ready { connection.read() } else { Input::Pending };
            let stays = match input {
                Input::Pending => true,
                Input::Ended => {
                    self.counters.closed += u64::from(!connection.is_answered());
                    false
                }
                Input::Line(line) => match self.judge(&line, connection.peer) {
                    Ok(Action::News(client, reference)) => {
                        self.counters.news += 1;
                        self.subscribers.add(connection, client, &reference, &self.limits);
                        continue;
                    }
                    Ok(Action::Check) => connection.answer(&self.count(Answer::Accepted)),
                    Ok(Action::Image(request)) => {
                        requests.push(request);
                        connection.answer(&self.count(Answer::Accepted))
                    }
                    Err(answer) => connection.answer(&self.count(answer)),
                },
            };
            if stays {
                kept.push(connection);
            }
        }
        self.connections = kept;
        requests
    }

    /// What to do for a message, or the answer that refuses it.
    fn judge(&mut self, line: &[u8], peer: IpAddr) -> Result<Action, Answer> {
        let now = Instant::now();
        self.hosts.take(host(peer), now).map_err(Answer::Busy)?;
        if self.is_full {
            return Err(Answer::Busy(BACKLOG_BUSY));
        }
        let credential = message::parse_request(line).map_err(Answer::Refused)?;
        let decoded = self.verify.verify(credential).map_err(|error| match error.is_local() {
            true => Answer::Busy(MUNGE_BUSY),
            false => Answer::Refused(error.to_string()),
        })?;
        let payload = message::parse_payload(&decoded.payload).map_err(Answer::Refused)?;
        let (reference, is_news) = match payload {
            Payload::Check => return Ok(Action::Check),
            Payload::Request(reference) => (reference, false),
            Payload::News(reference) => (reference, true),
        };
        let client = Client { host: host(peer), uid: decoded.uid };
        if is_news && self.subscribers.is_full(client, &self.limits) {
            return Err(Answer::Busy(NEWS_BUSY));
        }
        // A message for news about an image that the user has just requested does not count again.
        self.users.take_once(decoded.uid, &reference.to_string(), now).map_err(Answer::Busy)?;
        if is_news {
            return Ok(Action::News(client, reference));
        }
        self.subscribers.forget_done(&reference);
        let address = decoded.address;
        let is_known = !address.is_unspecified() && !address.is_loopback();
        Ok(Action::Image(Request {
            reference,
            asker: Some(decoded.uid),
            host: if is_known { address.to_string() } else { peer.to_string() },
            time: Timestamp::now(),
        }))
    }

    fn count(&mut self, answer: Answer) -> Answer {
        let counter = match answer {
            Answer::Accepted => &mut self.counters.accepted,
            Answer::Refused(_) => &mut self.counters.refused,
            Answer::Busy(_) => &mut self.counters.busy,
        };
        *counter += 1;
        answer
    }

    /// Accepts all clients that wait, but no more than the number of connections, so that a flood
    /// does not keep the other connections from being read.
    fn accept(&mut self) {
        for _ in 0..self.limits.connections {
            match self.socket.accept() {
                Ok((stream, peer)) => {
                    if let Ok(connection) = Connection::new(stream, peer, self.limits.time) {
                        self.make_room();
                        self.connections.push(connection);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return thread::sleep(PAUSE),
            }
        }
    }

    /// Closes a connection if no more are allowed: one that was answered, or else the oldest one of
    /// the host that has the most.
    fn make_room(&mut self) {
        if self.connections.len() < self.limits.connections {
            return;
        }
        let of_host = |connection: &Connection| {
            let same = |other: &&Connection| host(other.peer) == host(connection.peer);
            self.connections.iter().filter(same).count()
        };
        let most = self.connections.iter().map(of_host).max().unwrap_or(0);
        let victim = self.connections.iter().position(Connection::is_answered);
        let oldest = || self.connections.iter().position(|one| of_host(one) == most);
        if let Some(victim) = victim.or_else(oldest) {
            let connection = self.connections.remove(victim);
            self.counters.closed += u64::from(!connection.is_answered());
        }
    }

    fn close(&mut self, is_over: impl Fn(&Connection) -> bool) {
        let over = self.connections.iter().filter(|one| is_over(one) && !one.is_answered()).count();
        self.counters.closed += over as u64;
        self.connections.retain(|connection| !is_over(connection));
    }
}

/// The address by which a host is counted. A host with IPv6 usually has a network of 64 bits for
/// itself, so only the first half of its address counts.
fn host(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests;
