//! Clients that wait for an image: the listener sends them each change of its queue entry.
//!
//! Each client gets whole lines, and never an older entry after a newer one. A client that reads
//! slowly misses entries: at most one line is buffered for it, and the newest entry is sent next.

use super::Limits;
use super::connection::{Connection, Input};
use crate::demand::news::Publisher;
use rustix::event::{PollFd, PollFlags};
use sifcache_core::queue::{self, Entry, State};
use sifcache_core::reference::Reference;
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All clients that wait for an image.
#[derive(Debug)]
pub(super) struct Subscribers {
    publisher: Publisher,
    /// Becomes readable after each change.
    wakeups: UnixStream,
    all: Vec<Subscriber>,
}

/// Whose client it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// The address that stands for its host.
    pub(super) host: IpAddr,
    /// The user, as munge says.
    pub(super) uid: u32,
}

#[derive(Debug)]
struct Subscriber {
    connection: Connection,
    client: Client,
    /// The printed reference of the image.
    reference: String,
    /// The entry that was sent last.
    sent: Option<Arc<Entry>>,
    /// The part of the last line that was not sent yet.
    rest: Vec<u8>,
    /// How long the connection is kept without a line.
    idle: Duration,
    /// When the connection ends if no more lines are sent.
    until: Instant,
    /// When the connection ends in any case.
    end: Instant,
}

impl Subscribers {
    /// No clients.
    ///
    /// # Errors
    /// There are too many open files.
    pub(super) fn new() -> io::Result<Self> {
        let (publisher, wakeups) = Publisher::open()?;
        Ok(Self { publisher, wakeups, all: Vec::new() })
    }

    /// Where the filler publishes.
    pub(super) fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Notes that an image is requested again: [`Publisher::forget_done`].
    pub(super) fn forget_done(&self, reference: &Reference) {
        self.publisher.forget_done(reference);
    }

    /// Whether the limits allow no further client of this host and user.
    pub(super) fn is_full(&self, Client { host, uid }: Client, limits: &Limits) -> bool {
        let clients = || self.all.iter().map(|one| one.client);
        self.all.len() >= limits.subscribers
            || clients().filter(|one| one.host == host).count() >= limits.subscribers_of_host
            || clients().filter(|one| one.uid == uid).count() >= limits.subscribers_of_user
    }

    /// Answers a client, and sends it the entry of the image, if there is one.
    pub(super) fn add(
        &mut self,
        mut connection: Connection,
        client: Client,
        reference: &Reference,
        limits: &Limits,
    ) {
        let now = Instant::now();
        let rest = connection.keep();
        let mut subscriber = Subscriber {
            connection,
            client,
            reference: reference.to_string(),
            sent: None,
            rest,
            idle: limits.idle,
            until: now + limits.idle,
            end: now + limits.subscription,
        };
        if subscriber.send(&self.publisher) {
            self.all.push(subscriber);
        }
    }

    /// The descriptors to wait for: the socket for wakeups, and then the connections.
    pub(super) fn sources(&self) -> impl Iterator<Item = PollFd<'_>> {
        let wakeups = PollFd::new(&self.wakeups, PollFlags::IN);
        std::iter::once(wakeups).chain(self.all.iter().map(|one| {
            let output = if one.rest.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            PollFd::new(&one.connection.stream, PollFlags::IN | output)
        }))
    }

    /// Sends the news, and drops the clients that have disconnected or got their last line. `ready`
    /// states for each of [`Self::sources`] whether it is ready. Returns whether there was news.
    pub(super) fn serve(&mut self, ready: &[bool]) -> bool {
        let mut ready = ready.iter().copied().chain(std::iter::repeat(false));
        let is_news = ready.next().unwrap_or_default() && self.take_wakeups();
        let (now, publisher) = (Instant::now(), &self.publisher);
        self.all.retain_mut(|one| {
            let is_ready = ready.next().unwrap_or_default();
            let has_gone = is_ready && one.connection.read() == Input::Ended;
            let stays = !has_gone && now < one.until.min(one.end);
            stays && (!(is_ready || is_news) || one.send(publisher))
        });
        is_news
    }

    /// Sends the last news before the listener ends.
    pub(super) fn finish(&mut self) {
        self.all.retain_mut(|one| one.send(&self.publisher));
    }

    /// Empties the socket for wakeups. Returns whether there were any.
    fn take_wakeups(&mut self) -> bool {
        let mut bytes = [0; 512];
        let mut was_woken = false;
        while self.wakeups.read(&mut bytes).is_ok_and(|length| length > 0) {
            was_woken = true;
        }
        was_woken
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The bytes that are buffered for all clients.
    #[cfg(test)]
    pub(super) fn unsent(&self) -> usize {
        self.all.iter().map(|one| one.rest.len()).sum()
    }
}

impl Subscriber {
    /// Sends as much as the client accepts without blocking. `false` if the connection has to be
    /// closed: the image was added, or the client has disconnected.
    fn send(&mut self, publisher: &Publisher) -> bool {
        loop {
            match self.flush() {
                Ok(()) => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
            if self.sent.as_ref().is_some_and(|entry| entry.state == State::Done) {
                return false;
            }
            let Some(entry) = publisher.entry(&self.reference) else { return true };
            if self.sent.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, &entry)) {
                return true;
            }
            let line = format!("{entry}\n");
            // Readers ignore longer lines.
            if line.len() <= queue::MAX_SIZE {
                self.rest = line.into_bytes();
            }
            self.sent = Some(entry);
        }
    }

    /// Sends the rest of the last line.
    fn flush(&mut self) -> io::Result<()> {
        while !self.rest.is_empty() {
            match self.connection.stream.write(&self.rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => drop(self.rest.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.until = Instant::now() + self.idle;
        }
        Ok(())
    }
}
