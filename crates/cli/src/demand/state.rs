//! The saved state of the filler: its position in the logs, and the schedule.
//!
//! ```text
//! ROOT/.sifcache/fill/
//!   state.json    the cursor of the logs and the schedule
//!   lock          held while a filler runs; it contains the filler's host and process ID
//! ```
//!
//! Cursor and schedule are one file, so that they always agree: a request is either in the schedule,
//! or behind the cursor. A filler that is killed between a pull and the next write finds the image
//! in the cache when it tries the pull again.

use crate::cache::store::lock::Lock;
use crate::cache::store::{STATE, Store, cannot_write, directory, metadata, path_trust};
use crate::demand::schedule::Schedule;
use crate::demand::source::Cursor;
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The directory of the filler below the hidden directory.
const DIRECTORY: &str = "fill";
/// The file with the cursor and the schedule.
const FILE: &str = "state.json";
/// The lock file.
const LOCK: &str = "lock";
/// The version of the file's format.
const VERSION: u32 = 1;
/// The maximum length of the name of a filler, in bytes.
const MAX_HOLDER: u64 = 200;

/// What is saved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    version: u32,
    /// The position in the logs; `None` before the first save.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) schedule: Schedule,
}

impl Saved {
    pub(crate) fn new(cursor: Option<Cursor>, schedule: Schedule) -> Self {
        Self { version: VERSION, cursor, schedule }
    }
}

/// The filler's directory, locked.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    lock: Lock,
}

impl State {
    /// Locks the filler's directory. `wait` makes it wait for another filler to end, and is called
    /// once with the name of that filler.
    ///
    /// # Errors
    /// The directory cannot be used or, without `wait`, another filler runs.
    pub(crate) fn lock(store: &Store, wait: Option<&dyn Fn(&str)>) -> Result<Self, Failure> {
        let directory = store.state().join(DIRECTORY);
        path_trust::refuse(&directory)?;
        let made = directory::make(store.root(), &directory);
        made.map_err(|error| cannot_write(&directory, error))?;
        let path = directory.join(LOCK);
        let lock = match (Lock::take(&path), wait) {
            (Ok(Some(lock)), _) => lock,
            (Ok(None), Some(wait)) => Lock::wait(&path, &|| wait(&holder(&path)))?,
            (Ok(None), None) => {
                let (root, holder) = (store.root().to_owned(), holder(&path));
                return Err(Failure::SecondFiller { root, holder });
            }
            (Err(error), _) => return Err(cannot_write(&path, error)),
        };
        let named = lock.file().set_len(0).and_then(|()| lock.file().write_all(own().as_bytes()));
        named.map_err(|error| cannot_write(&path, error))?;
        Ok(Self { path: directory.join(FILE), lock })
    }

    /// Whether the file system supports locks. If not, a second filler is not noticed.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.lock.is_real()
    }

    /// Reads what was saved. A damaged file is renamed, and the error is a message about it; its
    /// requests are read from the logs again.
    pub(crate) fn load(&self) -> Result<Saved, String> {
        read(&self.path).map_err(|error| {
            let aside = self.path.with_extension("damaged");
            let _ = fs::rename(&self.path, &aside);
            let path = escape_for_terminal(&self.path);
            format!(
                "{path} is damaged ({error}); it is now {}, and the logs are read again",
                escape_for_terminal(&aside)
            )
        })
    }

    /// Saves atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn save(&self, store: &Store, saved: &Saved) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(saved).map_err(|error| Failure::Io(error.into()))?;
        metadata::write(store, &self.path, &bytes).map_err(|error| cannot_write(&self.path, error))
    }
}

/// Reads the state of an image root without its lock. A root without a filler has an empty one.
///
/// # Errors
/// The file cannot be read or is damaged.
pub(crate) fn peek(root: &Path) -> io::Result<Saved> {
    read(&root.join(STATE).join(DIRECTORY).join(FILE))
}

fn read(path: &Path) -> io::Result<Saved> {
    let bytes = match metadata::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
        bytes => bytes?,
    };
    let saved: Saved = serde_json::from_slice(&bytes)?;
    match saved.version {
        VERSION => Ok(saved),
        version => Err(io::Error::other(format!("it has version {version}"))),
    }
}

/// The name of this filler.
fn own() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("process {} on {host}\n", std::process::id())
}

/// The name of the filler that holds the lock.
fn holder(path: &Path) -> String {
    use std::io::Read as _;
    let mut text = String::new();
    let file = fs::File::open(path).map(|file| file.take(MAX_HOLDER));
    let read = file.and_then(|mut file| file.read_to_string(&mut text));
    match text.trim_end() {
        name if read.is_ok() && !name.is_empty() => escape_for_terminal(Path::new(name)),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Saved, State, peek};
    use crate::cache::store::tests::store;
    use crate::demand::request::Request;
    use crate::demand::schedule::Schedule;
    use crate::demand::source::Cursor;
    use crate::error::Failure;
    use jiff::Timestamp;
    use sifcache_core::reference::Reference;
    use std::fs;

    fn saved() -> Saved {
        let mut schedule = Schedule::default();
        let reference = Reference::parse(b"quay.io/o/i:1").unwrap();
        let time = Timestamp::from_second(1000).unwrap();
        let request = Request { reference, asker: Some(1000), host: String::new(), time };
        schedule.ask(request, time);
        Saved::new(Some(serde_json::from_str::<Cursor>("7").unwrap()), schedule)
    }

    #[test]
    fn the_state_survives_and_only_one_filler_runs() {
        let (_directory, store) = store();
        assert_eq!(peek(store.root()).unwrap(), Saved::default());
        let state = State::lock(&store, None).unwrap();
        assert_eq!(state.load(), Ok(Saved::default()));
        state.save(&store, &saved()).unwrap();
        assert_eq!(peek(store.root()).unwrap(), saved());
        let second = State::lock(&store, None).unwrap_err();
        assert!(matches!(second, Failure::SecondFiller { .. }), "{second}");
        let own = format!("process {} on ", std::process::id());
        assert!(second.to_string().contains(&own), "{second}");
        drop(state);
        assert_eq!(State::lock(&store, None).unwrap().load(), Ok(saved()));
    }

    #[test]
    fn a_damaged_state_is_set_aside() {
        let (_directory, store) = store();
        let state = State::lock(&store, None).unwrap();
        state.save(&store, &saved()).unwrap();
        let whole = fs::read_to_string(&state.path).unwrap();
        for text in [
            "",
            "{",
            &whole.replace("quay.io/o/i:1", "Quay/../i"),
            &whole.replace("\"version\":1", "\"version\":9"),
        ] {
            fs::write(&state.path, text).unwrap();
            let message = state.load().unwrap_err();
            assert!(message.contains("is damaged"), "{message}");
            assert_eq!(state.load(), Ok(Saved::default()));
            assert_eq!(fs::read_to_string(state.path.with_extension("damaged")).unwrap(), text);
        }
    }
}
