//! Where the news about an image comes from: one process of a user polls the file server for all
//! of the user's processes on this node that wait for the same image.
//!
//! This process, the leader, listens on a socket and sends the results of its polls to the others,
//! the followers. The name of the socket is abstract, so it needs no file, and the kernel removes it
//! when the leader ends or executes its command. A follower then becomes the leader.
//!
//! Every user of the node can listen on any abstract name. A follower therefore accepts only a
//! leader of its own user, and tries another name otherwise.
//!
//! At a site with a listener, a relay takes the role of the leader: it sends the listener's news and
//! does not poll. When it ends, no process replaces it, and the processes poll.

use super::slot::{MOST, PREFIX, Turns};
use super::watch::{ANSWER, Seen};
use crate::spank::{accept, connect, listen, peer_uid, send};
use sifcache_core::queue::{Entry, MAX_SIZE};
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};
use std::{mem, thread};

/// The number of names that are tried.
const NAMES: u32 = 4;

/// A leader that sends nothing for this time is assumed to be stopped. It skips at most two turns in
/// succession, and has a turn at least once in [`MOST`] slots of 1.1 seconds.
const SILENCE: Duration = Duration::from_secs(4 * MOST);

/// A relay that sends nothing for this time is not used any more. The filler has the same time for
/// its first answer.
const RELAY_SILENCE: Duration = ANSWER;

/// The slots between two polls of a process that is neither leader nor follower, because all names
/// belong to other users.
const ALONE: u64 = 10;

/// The time until the next attempt to lead or follow.
const RETRY: Duration = Duration::from_millis(50);
/// The number of attempts for one name.
const ATTEMPTS: u32 = 20;

/// The number of connections that are accepted at once. Other users can connect, too.
const MOST_CONNECTIONS: u32 = 4096;

/// Polls the file server. `None` if further polls have to confirm the result.
pub(super) type Poll<'a> = &'a mut dyn FnMut() -> Option<Seen>;

/// The news about one image.
pub(super) struct News {
    uid: u32,
    /// Identifies the image.
    key: String,
    /// The index of the socket name in use, below [`NAMES`].
    number: u32,
    attempts: u32,
    turns: Turns,
    /// The name of the relay's socket, until a connection was tried.
    relay: Option<String>,
    role: Role,
}

enum Role {
    None,
    Leader(UnixListener, Vec<UnixStream>),
    /// The connection to a leader, and what was received of the next message.
    Follower(UnixStream, Vec<u8>),
    /// The same with the relay.
    Relayed(UnixStream, Vec<u8>),
}

impl News {
    /// The news for the processes of `uid` about the image that `key` identifies. `relay` is the name
    /// of the relay's socket, if there may be one.
    pub(super) fn new(uid: u32, key: String, relay: Option<String>) -> Self {
        Self { uid, key, number: 0, attempts: 0, turns: Turns::new(), relay, role: Role::None }
    }

    /// Waits for the next news, but not much longer than `limit`.
    pub(super) fn next(&mut self, limit: Duration, poll: Poll<'_>) -> Seen {
        let start = Instant::now();
        loop {
            let left = limit.saturating_sub(start.elapsed());
            if let Some(seen) = self.attempt(left, poll) {
                return seen;
            }
            if left.is_zero() {
                return Seen::Nothing;
            }
        }
    }

    /// One attempt: `None` if there is no news, or if the role has changed.
    fn attempt(&mut self, left: Duration, poll: Poll<'_>) -> Option<Seen> {
        let name = self.name();
        match &mut self.role {
            Role::None if self.number >= NAMES => {
                await_turn(&mut self.turns, &name, ALONE, left);
                let seen = poll();
                self.turns.polled();
                seen
            }
            Role::None => {
                self.take_role(&name);
                None
            }
            Role::Leader(listener, followers) => {
                await_turn(&mut self.turns, &name, 1, left);
                let seen = poll();
                self.turns.polled();
                let seen = seen?;
                accept_own(listener, self.uid, followers);
                let line = line(&seen);
                followers.retain(|follower| send(follower, line.as_bytes()));
                Some(seen)
            }
            Role::Follower(stream, received) => {
                let seen = receive(stream, received, left.min(SILENCE));
                match seen {
                    Ok(Some(seen)) => return Some(seen),
                    // The leader has ended.
                    Ok(None) => {}
                    Err(_) => self.number += 1,
                }
                self.role = Role::None;
                None
            }
            Role::Relayed(stream, received) => {
                let seen = receive(stream, received, left.min(RELAY_SILENCE)).ok().flatten();
                if seen.is_none() {
                    self.role = Role::None;
                }
                seen
            }
        }
    }

    fn name(&self) -> String {
        let Self { uid, key, number, .. } = self;
        format!("{PREFIX}{uid}/{key}/{number}")
    }

    /// Becomes a leader, or else a follower. If neither is possible, the next attempt may use
    /// another name.
    fn take_role(&mut self, name: &str) {
        if let Some(stream) = self.relay.take().and_then(|relay| self.own(&relay).ok().flatten()) {
            self.role = Role::Relayed(stream, Vec::new());
            return;
        }
        let listener = listen(name.as_bytes());
        if listener.is_err() {
            // The process with this name may have polled just before it ends.
            self.turns.see_other();
        }
        self.role = match listener {
            Ok(listener) => Role::Leader(listener, Vec::new()),
            Err(_) => match self.own(name) {
                Ok(Some(stream)) => Role::Follower(stream, Vec::new()),
                Ok(None) => return self.use_next_name(),
                Err(_) => return self.retry(),
            },
        };
        self.attempts = 0;
    }

    /// A connection to this socket; `None` if it belongs to another user.
    fn own(&self, name: &str) -> io::Result<Option<UnixStream>> {
        let stream = connect(name.as_bytes())?;
        Ok((peer_uid(&stream) == Some(self.uid)).then_some(stream))
    }

    /// Waits before the next attempt: the leader has just ended, does not listen yet, or has too many
    /// connections to accept.
    fn retry(&mut self) {
        self.attempts += 1;
        if self.attempts >= ATTEMPTS {
            return self.use_next_name();
        }
        thread::sleep(RETRY);
    }

    fn use_next_name(&mut self) {
        (self.number, self.attempts) = (self.number + 1, 0);
    }
}

/// Accepts the connections of this user's processes. The rest of them are accepted at the next call.
fn accept_own(listener: &UnixListener, uid: u32, followers: &mut Vec<UnixStream>) {
    for _ in 0..MOST_CONNECTIONS {
        let Ok(stream) = accept(listener) else { return };
        if peer_uid(&stream) == Some(uid) {
            followers.push(stream);
        }
    }
}

/// A message: the content of the file, or an empty line.
fn line(seen: &Seen) -> String {
    match seen {
        Seen::Entry(entry) => format!("{entry}\n"),
        Seen::Nothing => "\n".to_owned(),
        Seen::NoAnswer => format!("{NO_ANSWER}\n"),
    }
}

const NO_ANSWER: &str = "no answer";

/// Receives the next message; `None` if the leader has ended.
///
/// # Errors
/// The leader has sent no message within `time`, or something that is not a message.
fn receive(
    stream: &UnixStream,
    received: &mut Vec<u8>,
    time: Duration,
) -> io::Result<Option<Seen>> {
    // The peer has some time also at the end of the wait.
    let time = time.max(RETRY);
    let mut bytes = [0; MAX_SIZE];
    loop {
        let count = match crate::spank::receive(stream, time, &mut bytes) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        received.extend_from_slice(bytes.get(..count).unwrap_or_default());
        if let Some(seen) = take_last(received) {
            return Ok(Some(seen));
        }
        if received.len() > MAX_SIZE {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

/// Removes the complete messages, and returns the last of them.
fn take_last(received: &mut Vec<u8>) -> Option<Seen> {
    let end = received.iter().rposition(|byte| *byte == b'\n')?;
    let rest = received.split_off(end + 1);
    let messages = mem::replace(received, rest);
    let last = messages.split_inclusive(|byte| *byte == b'\n').next_back()?;
    Some(match Entry::parse(last) {
        Some(entry) => Seen::Entry(entry),
        None if last.strip_suffix(b"\n") == Some(NO_ANSWER.as_bytes()) => Seen::NoAnswer,
        None => Seen::Nothing,
    })
}

#[cfg(not(test))]
fn await_turn(turns: &mut Turns, name: &str, least: u64, limit: Duration) {
    turns.await_next(name, least, limit);
}

/// In tests, polls do not take turns.
#[cfg(test)]
fn await_turn(_turns: &mut Turns, _name: &str, _least: u64, limit: Duration) {
    thread::sleep(Duration::from_millis(20).min(limit));
}

#[cfg(test)]
mod tests;
