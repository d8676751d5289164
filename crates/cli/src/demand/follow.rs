//! Follows the queue entry of an image, until there is a result: with the news of the filler's
//! listener, or by reading the queue file.

use crate::demand::subscription::Subscription;
use sifcache_core::queue::{self, Entry, State};
use sifcache_core::reference::Reference;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for the first answer of a filler.
pub(crate) const FIRST_SIGN: Duration = Duration::from_secs(2);
/// A filler that does not change an entry for this time is not running.
const ALIVE: Duration = Duration::from_secs(30);
/// A listener that sends nothing for this time is not running. It sends an entry every 8 seconds.
const SILENCE: Duration = Duration::from_secs(20);
/// How long the name of an image may take to become visible on this host, after the filler has
/// created it: NFS clients may cache for up to a minute that a name does not exist.
const VISIBLE: Duration = Duration::from_secs(60);

/// The state of a request, according to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sign {
    /// There is no entry yet, or only one from before the request.
    Waiting,
    /// The image is queued, or being added.
    Working(Entry),
    /// The image should have its name. The caller looks it up.
    Done,
    /// The policy refuses the image: why.
    Refused(String),
    /// The image could not be added: why.
    Failed(String),
    /// No filler answers the request, or the filler has stopped: why.
    NoFiller(&'static str),
}

/// The entry of one image.
#[derive(Debug)]
pub(crate) struct Follow {
    file: PathBuf,
    reference: String,
    /// The entry from before the request.
    before: Option<Entry>,
    start: Instant,
    /// Whether a listener has accepted the request.
    is_accepted: bool,
    news: Option<News>,
    /// Whether the news has ended before the image was added.
    is_lost: bool,
    /// The last entry, and when it was first seen.
    last: Option<(Entry, Instant)>,
}

/// The news of the listener.
#[derive(Debug)]
struct News {
    subscription: Subscription,
    /// The last entry.
    entry: Option<Entry>,
    /// When it arrived; at first, the start.
    received: Instant,
    is_open: bool,
}

impl News {
    /// Reads what has arrived. Returns whether the last entry is still valid.
    fn hear(&mut self, now: Instant) -> bool {
        match self.subscription.read() {
            Ok((entry, is_open)) => {
                if entry.is_some() {
                    (self.entry, self.received) = (entry, now);
                }
                self.is_open = is_open;
            }
            Err(_) => self.is_open = false,
        }
        // The listener ends the connection after this entry.
        let is_done = self.entry.as_ref().is_some_and(|entry| entry.state == State::Done);
        is_done || (self.is_open && now.duration_since(self.received) < SILENCE)
    }
}

impl Follow {
    /// Reads the entry from before the request, which has to follow at once.
    pub(crate) fn new(root: &Path, reference: &Reference, now: Instant) -> Self {
        let (file, reference) = (root.join(queue::file(reference)), reference.to_string());
        let before = read(&file, &reference);
        let (is_accepted, news, is_lost, last) = (false, None, false, None);
        Self { file, reference, before, start: now, is_accepted, news, is_lost, last }
    }

    /// Notes that a listener has accepted the request, and follows its news.
    pub(crate) fn accepted(&mut self, news: Option<Subscription>, now: Instant) {
        (self.start, self.is_accepted) = (now, true);
        self.news = news.map(|subscription| News {
            subscription,
            entry: None,
            received: now,
            is_open: true,
        });
    }

    /// The connection on which news may arrive.
    pub(crate) fn stream(&self) -> Option<&TcpStream> {
        let news = self.news.as_ref().filter(|news| news.is_open)?;
        Some(news.subscription.stream())
    }

    /// Reads the entry again.
    pub(crate) fn look(&mut self, now: Instant) -> Sign {
        let is_early = now.duration_since(self.start) < FIRST_SIGN;
        let Some(entry) = self.entry(now, is_early) else {
            return match self.last {
                Some(_) if self.is_lost => Sign::NoFiller(
                    "the connection to the filler has ended, and the queue has no entry",
                ),
                // The filler removes old entries.
                Some(_) => Sign::NoFiller("the entry in the queue is gone"),
                None if is_early => Sign::Waiting,
                None if self.is_accepted => Sign::NoFiller(
                    "the filler has accepted the request, but reports nothing about it: see its log",
                ),
                None => Sign::NoFiller("no filler has answered within 2 s"),
            };
        };
        let since = match &self.last {
            Some((last, since)) if *last == entry => *since,
            _ => now,
        };
        self.last = Some((entry.clone(), since));
        let age = now.duration_since(since);
        let is_old = self.before.as_ref() == Some(&entry);
        match entry.state {
            State::Queued | State::Pulling if age < ALIVE => Sign::Working(entry),
            State::Queued | State::Pulling => {
                Sign::NoFiller("the filler has not changed the queue for 30 s")
            }
            // The filler needs some time to answer the request.
            _ if is_old && is_early => Sign::Waiting,
            State::Refused => Sign::Refused(entry.reason),
            State::Failed => Sign::Failed(entry.reason),
            State::Done if age < VISIBLE => Sign::Done,
            State::Done => Sign::Failed(
                "the filler has added it, but it is not found on this host: see `sifcache explain`"
                    .to_owned(),
            ),
        }
    }

    /// The last entry of the news; without news, the one in the queue file. The file is not opened
    /// as long as news arrives.
    fn entry(&mut self, now: Instant, is_early: bool) -> Option<Entry> {
        if self.news.as_mut().is_some_and(|news| !news.hear(now)) {
            (self.news, self.is_lost) = (None, true);
        }
        match &self.news {
            Some(News { entry: Some(entry), .. }) => Some(entry.clone()),
            Some(_) if is_early => None,
            _ => read(&self.file, &self.reference),
        }
    }
}

/// The entry for `reference`, if the file has one.
fn read(file: &Path, reference: &str) -> Option<Entry> {
    let entry = match contents(file) {
        // An NFS client may have cached that the file does not exist. Opening its directory makes the
        // client check whether the directory has changed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            File::open(file.parent()?).ok()?;
            contents(file).ok()?
        }
        other => other.ok()?,
    };
    Entry::parse(&entry).filter(|entry| entry.reference == reference)
}

/// The bytes of a file, up to the maximum length of an entry.
pub(crate) fn contents(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(queue::MAX_SIZE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Follow, Sign};
    use crate::demand::subscription::Subscription;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use sifcache_core::queue::{self, Entry, State};
    use sifcache_core::reference::Reference;
    use std::fs;
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
    use std::time::{Duration, Instant};

    fn reference() -> Reference {
        Reference::parse(b"o/i:1").unwrap()
    }

    /// A request that a listener has accepted, and the listener's end of the connection.
    fn with_news(root: &Path, now: Instant) -> (Follow, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut follow = Follow::new(root, &reference(), now);
        follow.accepted(Some(Subscription::new(stream, &reference())), now);
        (follow, listener.accept().unwrap().0)
    }

    /// Sends an entry, and waits until it can be read.
    fn send(filler: &mut TcpStream, follow: &Follow, entry: &Entry) {
        filler.write_all(format!("{entry}\n").as_bytes()).unwrap();
        wait(follow);
    }

    /// Waits for an entry, or for the end of the connection.
    fn wait(follow: &Follow) {
        let news = PollFd::new(follow.stream().unwrap(), PollFlags::IN);
        let long = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert_eq!(poll(&mut [news], Some(&long)), Ok(1));
    }

    fn entry(state: State, beat: u64) -> Entry {
        let reason = "because".to_owned();
        let reference = reference().to_string();
        let (size, received, seconds_left, ahead) = (9, 3, None, 0);
        let users = None;
        Entry { reference, state, size, received, seconds_left, ahead, users, beat, reason }
    }

    fn write(root: &Path, entry: &Entry) {
        let file = root.join(queue::file(&reference()));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{entry}\n")).unwrap();
    }

    #[test]
    fn without_a_filler() {
        let root = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let mut follow = Follow::new(root.path(), &reference(), start);
        assert_eq!(follow.look(start), Sign::Waiting);
        let sign = follow.look(start + Duration::from_secs(2));
        assert_eq!(sign, Sign::NoFiller("no filler has answered within 2 s"));
        // The entry of another image with the same hash is no answer.
        write(root.path(), &Entry { reference: "docker.io/o/j:1".into(), ..entry(State::Done, 1) });
        assert_eq!(follow.look(start), Sign::Waiting);
    }

    #[test]
    fn from_the_queue_to_the_image() {
        let root = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut follow = Follow::new(root.path(), &reference(), start);
        for (second, state) in [(1, State::Queued), (20, State::Pulling), (49, State::Pulling)] {
            let entry = entry(state, second);
            write(root.path(), &entry);
            assert_eq!(follow.look(at(second)), Sign::Working(entry));
        }
        assert!(matches!(follow.look(at(78)), Sign::Working(_)));
        let silent = "the filler has not changed the queue for 30 s";
        assert_eq!(follow.look(at(79)), Sign::NoFiller(silent));
        write(root.path(), &entry(State::Done, 80));
        assert_eq!(follow.look(at(80)), Sign::Done);
        assert_eq!(follow.look(at(139)), Sign::Done);
        assert!(matches!(follow.look(at(140)), Sign::Failed(_)));
        fs::remove_file(root.path().join(queue::file(&reference()))).unwrap();
        assert_eq!(follow.look(at(141)), Sign::NoFiller("the entry in the queue is gone"));
    }

    /// An entry from before the request counts after the time that a filler needs to react.
    #[test]
    fn answers_to_earlier_requests() {
        for (state, expected) in [
            (State::Refused, Sign::Refused("because".to_owned())),
            (State::Failed, Sign::Failed("because".to_owned())),
            (State::Done, Sign::Done),
        ] {
            let root = tempfile::tempdir().unwrap();
            write(root.path(), &entry(state, 1));
            let start = Instant::now();
            let mut follow = Follow::new(root.path(), &reference(), start);
            assert_eq!(follow.look(start), Sign::Waiting);
            assert_eq!(follow.look(start + Duration::from_secs(2)), expected);
            let mut follow = Follow::new(root.path(), &reference(), start);
            write(root.path(), &entry(state, 2));
            assert_eq!(follow.look(start), expected);
        }
    }

    /// News counts, and the queue file is not read.
    #[test]
    fn from_the_news_to_the_image() {
        let root = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut follow, mut filler) = with_news(root.path(), start);
        write(root.path(), &entry(State::Failed, 9));
        assert_eq!(follow.look(start), Sign::Waiting);
        for (second, state) in [(1, State::Queued), (20, State::Pulling), (30, State::Pulling)] {
            let entry = entry(state, second);
            send(&mut filler, &follow, &entry);
            assert_eq!(follow.look(at(second)), Sign::Working(entry));
        }
        send(&mut filler, &follow, &entry(State::Done, 40));
        drop(filler);
        // The connection has ended, but the image may still take time to become visible.
        for second in [40, 60, 99] {
            assert_eq!(follow.look(at(second)), Sign::Done, "{second}");
        }
        assert!(matches!(follow.look(at(100)), Sign::Failed(_)));
    }

    #[test]
    fn without_news_the_queue_file_is_read() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let lost = "the connection to the filler has ended, and the queue has no entry";
        for is_silent in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let (mut follow, mut filler) = with_news(root.path(), start);
            send(&mut filler, &follow, &entry(State::Queued, 1));
            assert_eq!(follow.look(at(1)), Sign::Working(entry(State::Queued, 1)));
            // A listener that is silent is as good as none after some time.
            let second = if is_silent { 21 } else { 2 };
            if !is_silent {
                drop(filler);
                wait(&follow);
            }
            assert!(matches!(follow.look(at(second - 1)), Sign::Working(_)) == is_silent);
            write(root.path(), &entry(State::Refused, 2));
            assert_eq!(follow.look(at(second)), Sign::Refused("because".to_owned()));
            fs::remove_file(root.path().join(queue::file(&reference()))).unwrap();
            assert_eq!(follow.look(at(second)), Sign::NoFiller(lost));
        }
    }

    #[test]
    fn a_listener_that_accepts_and_reports_nothing() {
        let root = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let late = start + Duration::from_secs(2);
        let accepted = |sign| match sign {
            Sign::NoFiller(why) => why.starts_with("the filler has accepted the request"),
            _ => false,
        };
        let (mut follow, _filler) = with_news(root.path(), start);
        assert_eq!(follow.look(start), Sign::Waiting);
        assert!(accepted(follow.look(late)));
        let mut follow = Follow::new(root.path(), &reference(), start);
        follow.accepted(None, start);
        assert!(accepted(follow.look(late)));
        // It has no news, but it writes the queue.
        write(root.path(), &entry(State::Queued, 1));
        assert_eq!(follow.look(late), Sign::Working(entry(State::Queued, 1)));
    }

    /// As in the queue file.
    #[test]
    fn news_from_before_the_request() {
        let root = tempfile::tempdir().unwrap();
        let start = Instant::now();
        write(root.path(), &entry(State::Failed, 1));
        let (mut follow, mut filler) = with_news(root.path(), start);
        send(&mut filler, &follow, &entry(State::Failed, 1));
        assert_eq!(follow.look(start), Sign::Waiting);
        send(&mut filler, &follow, &entry(State::Failed, 2));
        assert_eq!(follow.look(start), Sign::Failed("because".to_owned()));
    }
}
