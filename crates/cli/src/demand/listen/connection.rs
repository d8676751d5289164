//! One connection of a client: bounded in time and in bytes, and never blocking.

use crate::demand::message::{Answer, MAX_REQUEST};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Bytes to read at once.
const CHUNK: usize = 4 << 10;
/// The number of bytes that are read and discarded after the answer. Closing a connection with
/// unread bytes would reset it, and the client could lose the answer.
const MAX_DISCARDED: usize = 64 << 10;

/// A connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: IpAddr,
    /// When the connection is closed, whatever the client does.
    pub(crate) deadline: Instant,
    buffer: Vec<u8>,
    /// Bytes that arrived after the answer; `None` before the answer.
    discarded: Option<usize>,
}

/// The result of reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// More has to arrive.
    Pending,
    /// A line without its line feed, or as many bytes as a line may have.
    Line(Vec<u8>),
    /// The connection has ended.
    Ended,
}

impl Connection {
    /// Starts with a connection that was just accepted.
    ///
    /// # Errors
    /// The connection cannot be made non-blocking.
    pub(crate) fn new(stream: TcpStream, peer: SocketAddr, limit: Duration) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // An IPv4 client of an IPv6 socket counts as the same host.
        let peer = peer.ip().to_canonical();
        let deadline = Instant::now() + limit;
        Ok(Self { stream, peer, deadline, buffer: Vec::new(), discarded: None })
    }

    /// Whether the answer was sent.
    pub(crate) fn is_answered(&self) -> bool {
        self.discarded.is_some()
    }

    /// Reads what has arrived.
    pub(crate) fn read(&mut self) -> Input {
        let mut chunk = [0; CHUNK];
        loop {
            let length = match self.stream.read(&mut chunk) {
                Ok(0) => return Input::Ended,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Input::Pending,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Input::Ended,
            };
            if let Some(discarded) = &mut self.discarded {
                *discarded += length;
                if *discarded > MAX_DISCARDED {
                    return Input::Ended;
                }
                continue;
            }
            self.buffer.extend_from_slice(chunk.get(..length).unwrap_or_default());
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                self.buffer.truncate(end);
                return Input::Line(std::mem::take(&mut self.buffer));
            }
            if self.buffer.len() >= MAX_REQUEST {
                return Input::Line(std::mem::take(&mut self.buffer));
            }
        }
    }

    /// Keeps the connection open, for lines that are sent at once. Returns the answer, which is to
    /// be sent first.
    pub(crate) fn keep(&mut self) -> Vec<u8> {
        self.discarded = Some(0);
        // Without this, a line could wait until the client's host confirms the line before.
        let _ = self.stream.set_nodelay(true);
        format!("{}\n", Answer::Accepted).into_bytes()
    }

    /// Sends the answer, and ends this direction of the connection. The connection remains open
    /// until the client closes it. `false` if the client is not there any more.
    pub(crate) fn answer(&mut self, answer: &Answer) -> bool {
        self.discarded = Some(0);
        let line = format!("{answer}\n");
        // The send buffer is empty, so a short line always fits.
        let sent = self.stream.write(line.as_bytes());
        sent.is_ok_and(|length| length == line.len())
            && self.stream.shutdown(Shutdown::Write).is_ok()
    }
}
