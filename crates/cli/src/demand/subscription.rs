//! The client's side of news: entries about one image, from the filler's listener.

use crate::demand::ask::{LIMIT, Route, send, signed};
use crate::demand::message::{Answer, MAX_ANSWER, Payload};
use crate::error::Failure;
use sifcache_core::queue::{self, Entry};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Filler;
use sifcache_munge::Munge;
use std::io::{self, Read as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

impl Route {
    /// News about an image that was requested on this route. `None` for a log, or if the listener
    /// sends none. A name server or a munged that does not answer delays the command by at most
    /// [`LIMIT`].
    pub(crate) fn news(&self, reference: &Reference) -> Option<Subscription> {
        let Self::Listener { filler, munge } = self else { return None };
        let (sender, receiver) = channel();
        let (filler, munge, reference) = (filler.clone(), Arc::clone(munge), reference.clone());
        thread::spawn(move || sender.send(Subscription::start(&filler, &munge, &reference)));
        receiver.recv_timeout(LIMIT).ok()?.ok()?
    }
}

/// A stream of entries about one image.
#[derive(Debug)]
pub(crate) struct Subscription {
    stream: TcpStream,
    /// The printed reference of the image.
    reference: String,
    /// The incomplete line at the end of the received bytes.
    rest: Vec<u8>,
}

impl Subscription {
    /// Requests news from the listener. `None` if it sends none, because it is busy or of an older
    /// release.
    ///
    /// # Errors
    /// It cannot be queried.
    pub(crate) fn start(
        filler: &Filler,
        munge: &Munge,
        reference: &Reference,
    ) -> Result<Option<Self>, Failure> {
        let line = signed(munge, &Payload::News(reference.clone()))?;
        let failed = |error: io::Error| Failure::Filler {
            address: filler.to_string(),
            problem: error.to_string(),
        };
        let mut stream = send(filler, &line, Instant::now() + LIMIT).map_err(failed)?;
        let mut answer = Vec::new();
        // Byte by byte, because the news follows in the same stream.
        while answer.last() != Some(&b'\n') && answer.len() < MAX_ANSWER {
            let mut byte = [0];
            stream.read_exact(&mut byte).map_err(failed)?;
            answer.extend(byte);
        }
        stream.set_nonblocking(true).map_err(failed)?;
        let is_accepted = Answer::parse(&answer) == Some(Answer::Accepted);
        Ok(is_accepted.then(|| Self::new(stream, reference)))
    }

    /// The news in this stream, which has to be non-blocking.
    pub(crate) fn new(stream: TcpStream, reference: &Reference) -> Self {
        Self { stream, reference: reference.to_string(), rest: Vec::new() }
    }

    /// The connection, to wait for news.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The last entry that has arrived, and whether more may follow. Does not wait.
    ///
    /// # Errors
    /// The connection is broken, or the other side does not send entries of this image.
    pub(crate) fn read(&mut self) -> io::Result<(Option<Entry>, bool)> {
        let mut chunk = [0; queue::MAX_SIZE];
        let mut last = None;
        loop {
            let length = match self.stream.read(&mut chunk) {
                Ok(0) => return Ok((last, false)),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((last, true)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.rest.extend_from_slice(chunk.get(..length).unwrap_or_default());
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let entry = Entry::parse(&line).filter(|one| one.reference == self.reference);
                last = Some(entry.ok_or(io::ErrorKind::InvalidData)?);
            }
            if self.rest.len() > queue::MAX_SIZE {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Subscription;
    use sifcache_core::queue::{Entry, MAX_SIZE, State};
    use sifcache_core::reference::Reference;
    use std::io::{ErrorKind, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    fn entry(reference: &str, beat: u64) -> Entry {
        let (reason, users) = (String::new(), None);
        let (size, received, seconds_left, ahead) = (9, 3, None, 0);
        let (reference, state) = (reference.to_owned(), State::Pulling);
        Entry { reference, state, size, received, seconds_left, ahead, users, beat, reason }
    }

    fn pair() -> (TcpStream, Subscription) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let reference = Reference::parse(b"o/i:1").unwrap();
        (listener.accept().unwrap().0, Subscription::new(stream, &reference))
    }

    /// What is read next, except for nothing.
    fn next(subscription: &mut Subscription) -> Result<(Option<Entry>, bool), ErrorKind> {
        let start = Instant::now();
        loop {
            match subscription.read() {
                Ok((None, true)) if start.elapsed() < Duration::from_secs(60) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                other => return other.map_err(|error| error.kind()),
            }
        }
    }

    #[test]
    fn the_last_entry_counts_and_may_arrive_in_pieces() {
        let (mut filler, mut news) = pair();
        assert_eq!(news.read().unwrap(), (None, true));
        let [first, second] = [1, 2].map(|beat| entry("docker.io/o/i:1", beat));
        let text = format!("{first}\n{second}\nrefer");
        filler.write_all(text.as_bytes()).unwrap();
        assert_eq!(next(&mut news), Ok((Some(second.clone()), true)));
        filler.write_all(format!("{first}\n").strip_prefix("refer").unwrap().as_bytes()).unwrap();
        assert_eq!(next(&mut news), Ok((Some(first), true)));
        filler.write_all(format!("{second}\n").as_bytes()).unwrap();
        drop(filler);
        let mut all = next(&mut news).unwrap();
        // The end may arrive later than the entry.
        if all.1 {
            assert_eq!(next(&mut news), Ok((None, false)));
            all.1 = false;
        }
        assert_eq!(all, (Some(second), false));
    }

    #[test]
    fn anything_else_is_an_error() {
        let other = format!("{}\n", entry("docker.io/o/i:2", 1));
        let long = "x".repeat(MAX_SIZE + 1);
        for text in ["\n", "nonsense\n", &other, &long] {
            let (mut filler, mut news) = pair();
            filler.write_all(text.as_bytes()).unwrap();
            assert_eq!(next(&mut news), Err(ErrorKind::InvalidData), "{text}");
        }
    }
}
