//! Follows the queue entry of an image, until there is a result.

use sifcache_core::queue::{self, Entry, State};
use sifcache_core::reference::Reference;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for the first answer of a filler.
pub(crate) const FIRST_SIGN: Duration = Duration::from_secs(2);
/// A filler that does not change an entry for this time is not running.
const ALIVE: Duration = Duration::from_secs(30);
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
    /// The last entry, and when it was first seen.
    last: Option<(Entry, Instant)>,
}

impl Follow {
    /// Reads the entry from before the request, which has to follow at once.
    pub(crate) fn new(root: &Path, reference: &Reference, now: Instant) -> Self {
        let (file, reference) = (root.join(queue::file(reference)), reference.to_string());
        let before = read(&file, &reference);
        Self { file, reference, before, start: now, last: None }
    }

    /// Reads the entry again.
    pub(crate) fn look(&mut self, now: Instant) -> Sign {
        let Some(entry) = read(&self.file, &self.reference) else {
            return match self.last {
                // The filler removes old entries.
                Some(_) => Sign::NoFiller("the entry in the queue is gone"),
                None if now.duration_since(self.start) < FIRST_SIGN => Sign::Waiting,
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
            _ if is_old && now.duration_since(self.start) < FIRST_SIGN => Sign::Waiting,
            State::Refused => Sign::Refused(entry.reason),
            State::Failed => Sign::Failed(entry.reason),
            State::Done if age < VISIBLE => Sign::Done,
            State::Done => Sign::Failed(
                "the filler has added it, but it is not found on this host: see `sifcache explain`"
                    .to_owned(),
            ),
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
    use sifcache_core::queue::{self, Entry, State};
    use sifcache_core::reference::Reference;
    use std::fs;
    use std::path::Path;
    use std::time::{Duration, Instant};

    fn reference() -> Reference {
        Reference::parse(b"o/i:1").unwrap()
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
}
