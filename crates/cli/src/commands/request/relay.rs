//! `request --send-only --news`: passes on what the filler says about an image to the processes of
//! this user on this host that wait for it.
//!
//! ```text
//! listener of `sifcache fill` ──TCP──▶ this process ──local socket──▶ waiting processes
//! ```
//!
//! Both sides get the lines of [`Entry`]. The waiting processes then open no queue files, and learn
//! within milliseconds that the image was added. When this process ends, they continue with the queue
//! files, so it ends whenever something is not as expected.

use crate::demand::subscription::Subscription;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{socket_acceptconn, socket_peercred};
use rustix::net::{SendFlags, send};
use rustix::process::getuid;
use sifcache_core::queue::Entry;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

/// The last entry is repeated after this time: a waiting process that hears nothing for two seconds
/// asks the file server.
const REPEAT: Duration = Duration::from_secs(1);
/// How long this process goes on without a waiting process.
const IDLE: Duration = Duration::from_secs(5);
/// A filler that sends nothing for this time is not running. It sends an entry every 8 seconds.
const SILENCE: Duration = Duration::from_secs(20);
/// The maximum number of waiting processes.
const MOST: usize = 4096;

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
    let now = Instant::now();
    let mut relay =
        Relay { listener, news, waiting: Vec::new(), last: None, used: now, heard: now, told: now };
    while relay.step().is_ok_and(|goes_on| goes_on) {}
}

struct Relay {
    listener: UnixListener,
    news: Subscription,
    waiting: Vec<UnixStream>,
    /// The last entry.
    last: Option<Entry>,
    /// When a process was last waiting, the filler last sent something, and an entry was last passed
    /// on.
    used: Instant,
    heard: Instant,
    told: Instant,
}

impl Relay {
    /// Waits for the next event and handles it. Whether this goes on.
    fn step(&mut self) -> io::Result<bool> {
        self.wait_for_event()?;
        let now = Instant::now();
        let before = self.waiting.len();
        self.accept();
        let is_open = self.hear(now)?;
        if self.waiting.len() > before || now >= self.told + REPEAT {
            self.tell(now);
        }
        if !self.waiting.is_empty() {
            self.used = now;
        }
        Ok(is_open && now < self.used + IDLE && now < self.heard + SILENCE)
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
    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let is_own = socket_peercred(&stream).is_ok_and(|peer| peer.uid == getuid());
            if is_own && self.waiting.len() < MOST {
                self.waiting.push(stream);
            }
        }
    }

    /// Reads the entries that have arrived, and passes on the last one. Whether more may follow.
    fn hear(&mut self, now: Instant) -> io::Result<bool> {
        let (entry, is_open) = self.news.read()?;
        if let Some(entry) = entry {
            self.heard = now;
            self.last = Some(entry);
            self.tell(now);
        }
        Ok(is_open)
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
