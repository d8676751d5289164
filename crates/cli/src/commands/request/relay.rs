//! `request --send-only --news`: passes on what the filler says about an image to the processes of
//! this user on this host that wait for it.
//!
//! ```text
//! listener of `sifcache fill` ──TCP──▶ this process ──local socket──▶ waiting processes
//! ```
//!
//! Both sides get the lines of [`Entry`]. The waiting processes then open no queue files, and get the
//! result within milliseconds. When this process ends, they poll the queue files, so it ends in every
//! unexpected situation. It also ends after a final entry: as long as it runs, no other process of the
//! user requests the image.

use crate::demand::subscription::Subscription;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{socket_acceptconn, socket_peercred};
use rustix::net::{SendFlags, send};
use rustix::process::getuid;
use sifcache_core::queue::{Entry, State};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// The last entry is repeated after this time: a waiting process that receives nothing for two
/// seconds polls the file server.
const REPEAT: Duration = Duration::from_secs(1);
/// How long to wait for the first waiting process.
const FIRST: Duration = Duration::from_secs(5);
/// A filler that sends nothing for this time is not running. It sends an entry every 8 seconds.
const SILENCE: Duration = Duration::from_secs(20);
/// The maximum number of waiting processes.
const MOST: usize = 4096;
/// The number of connections of other users that are accepted before the relay ends. They get no
/// entries.
const MOST_FOREIGN: u32 = 100;

/// The socket of the waiting processes, which is this process's standard input.
///
/// # Errors
/// Standard input is not a socket that listens.
pub(super) fn socket() -> io::Result<UnixListener> {
    let input = io::stdin();
    if !socket_acceptconn(&input)? {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let listener = UnixListener::from(input.as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Passes on news until the filler or all waiting processes have ended.
pub(super) fn run(listener: UnixListener, news: Subscription) {
    let mut relay = Relay::new(listener, news, Instant::now());
    while relay.step().is_ok_and(|goes_on| goes_on) {}
}

struct Relay {
    listener: UnixListener,
    news: Subscription,
    waiting: Vec<UnixStream>,
    /// Whether a process has connected to wait.
    was_used: bool,
    /// The number of connections of other users so far.
    foreign: u32,
    /// The last entry.
    last: Option<Entry>,
    begun: Instant,
    /// When the filler last sent an entry.
    received: Instant,
    /// When an entry was last passed on.
    sent: Instant,
}

impl Relay {
    fn new(listener: UnixListener, news: Subscription, now: Instant) -> Self {
        let (waiting, last) = (Vec::new(), None);
        let (was_used, foreign) = (false, 0);
        let (begun, received, sent) = (now, now, now);
        Self { listener, news, waiting, was_used, foreign, last, begun, received, sent }
    }

    /// Waits for the next event and handles it. Returns whether the relay is still needed.
    fn step(&mut self) -> io::Result<bool> {
        self.wait_for_event()?;
        let now = Instant::now();
        let before = self.waiting.len();
        self.accept()?;
        let is_open = self.receive(now)?;
        let is_new = self.received == now || self.waiting.len() > before;
        if is_new || now >= self.sent + REPEAT {
            self.send_last(now);
        }
        self.was_used |= !self.waiting.is_empty();
        let is_needed = match self.was_used {
            true => !self.waiting.is_empty(),
            false => now < self.begun + FIRST,
        };
        Ok(is_open && is_needed && now < self.received + SILENCE)
    }

    /// Waits for at most [`REPEAT`], and drops processes that have ended.
    fn wait_for_event(&mut self) -> io::Result<()> {
        let mut all = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(self.news.stream(), PollFlags::IN),
        ];
        // The processes send nothing. poll(2) always reports the end of a connection.
        all.extend(self.waiting.iter().map(|one| PollFd::new(one, PollFlags::empty())));
        match poll(&mut all, Timespec::try_from(REPEAT).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ended =
            all.iter().skip(2).map(|one| !one.revents().is_empty()).collect::<Vec<_>>().into_iter();
        self.waiting.retain(|_| !ended.next().unwrap_or(false));
        Ok(())
    }

    /// Accepts the processes of this user.
    ///
    /// # Errors
    /// There are too many connections, or too many of other users.
    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let is_own = socket_peercred(&stream).is_ok_and(|peer| peer.uid == getuid());
            match is_own {
                true => self.waiting.push(stream),
                false => self.foreign += 1,
            }
            if self.waiting.len() > MOST || self.foreign > MOST_FOREIGN {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
        }
    }

    /// Reads the entries that have arrived, of which the last one counts. Returns whether more may
    /// follow.
    fn receive(&mut self, now: Instant) -> io::Result<bool> {
        let (entry, is_open) = self.news.read()?;
        let Some(entry) = entry else { return Ok(is_open) };
        let is_final = !matches!(entry.state, State::Queued | State::Pulling);
        self.received = now;
        self.last = Some(entry);
        Ok(is_open && !is_final)
    }

    /// Sends the last entry to all. A process that reads too slowly is dropped, and polls the queue
    /// files.
    fn send_last(&mut self, now: Instant) {
        self.sent = now;
        let Some(entry) = &self.last else { return };
        let line = format!("{entry}\n");
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        self.waiting.retain(|one| send(one, line.as_bytes(), flags) == Ok(line.len()));
    }
}

#[cfg(test)]
mod tests;
