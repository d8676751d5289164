//! `request --send-only --news`: passes on what the filler says about an image to the processes of
//! this user on this host that wait for it.
//!
//! ```text
//! listener of `sifcache fill` ──TCP──▶ this process ──local socket──▶ waiting processes
//! ```
//!
//! Both sides get the lines of [`Entry`]. The waiting processes then open no queue files, and learn
//! within milliseconds that the image was added. When this process ends, they continue with the queue
//! files, so it ends whenever something is not as expected. It also ends with a final entry: as long as
//! it runs, no other process of the user requests the image.

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

/// The last entry is repeated after this time: a waiting process that hears nothing for two seconds
/// asks the file server.
const REPEAT: Duration = Duration::from_secs(1);
/// How long to wait for the first waiting process.
const FIRST: Duration = Duration::from_secs(5);
/// A filler that sends nothing for this time is not running. It sends an entry every 8 seconds.
const SILENCE: Duration = Duration::from_secs(20);
/// The maximum number of waiting processes.
const MOST: usize = 4096;
/// The number of connections of other users that are accepted. They can only disturb.
const STRANGERS: u32 = 100;

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
    /// Whether a process has waited, and the number of connections of other users.
    was_used: bool,
    strangers: u32,
    /// The last entry.
    last: Option<Entry>,
    /// When this began, the filler last sent something, and an entry was last passed on.
    begun: Instant,
    heard: Instant,
    told: Instant,
}

impl Relay {
    fn new(listener: UnixListener, news: Subscription, now: Instant) -> Self {
        let (waiting, last) = (Vec::new(), None);
        let (was_used, strangers) = (false, 0);
        let (begun, heard, told) = (now, now, now);
        Self { listener, news, waiting, was_used, strangers, last, begun, heard, told }
    }

    /// Waits for the next event and handles it. Whether this goes on.
    fn step(&mut self) -> io::Result<bool> {
        self.wait_for_event()?;
        let now = Instant::now();
        let before = self.waiting.len();
        self.accept()?;
        let is_open = self.hear(now)?;
        let is_new = self.heard == now || self.waiting.len() > before;
        if is_new || now >= self.told + REPEAT {
            self.tell(now);
        }
        self.was_used |= !self.waiting.is_empty();
        let is_needed = match self.was_used {
            true => !self.waiting.is_empty(),
            false => now < self.begun + FIRST,
        };
        Ok(is_open && is_needed && now < self.heard + SILENCE)
    }

    /// Waits for at most [`REPEAT`], and drops processes that have ended.
    fn wait_for_event(&mut self) -> io::Result<()> {
        let mut all = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(self.news.stream(), PollFlags::IN),
        ];
        // They send nothing; the end of a connection is always reported.
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
                false => self.strangers += 1,
            }
            if self.waiting.len() > MOST || self.strangers > STRANGERS {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
        }
    }

    /// Reads the entries that have arrived, of which the last one counts. Whether more may follow.
    fn hear(&mut self, now: Instant) -> io::Result<bool> {
        let (entry, is_open) = self.news.read()?;
        let Some(entry) = entry else { return Ok(is_open) };
        let is_final = !matches!(entry.state, State::Queued | State::Pulling);
        self.heard = now;
        self.last = Some(entry);
        Ok(is_open && !is_final)
    }

    /// Sends the last entry to all. One that reads too slowly continues with the queue files.
    fn tell(&mut self, now: Instant) {
        self.told = now;
        let Some(entry) = &self.last else { return };
        let line = format!("{entry}\n");
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        self.waiting.retain(|one| send(one, line.as_bytes(), flags) == Ok(line.len()));
    }
}

#[cfg(test)]
mod tests;
