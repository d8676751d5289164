//! The state file: the counters, and how far each log was read. Both are one file, which is replaced
//! as a whole. So they always agree, and a run that is killed at any point neither repeats nor loses
//! a line.

use super::counters::Counters;
use super::replace;
use crate::cache::store::lock::Lock;
use crate::demand::source::Cursor;
use crate::error::Failure;
use crate::system::replace::hidden;
use crate::ui::escape::escape_for_terminal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The default path.
pub(crate) const FILE: &str = "/var/lib/sifcache/metrics.json";
/// The version of the format.
const VERSION: u32 = 1;
/// The maximum size of the file in bytes; it is far smaller.
const MAX_SIZE: u64 = 64 << 20;

/// The saved state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    version: u32,
    /// When the counters began at zero.
    pub(crate) start: Timestamp,
    /// The logs that `--log` has named. They are read again if there is no `--log`.
    #[serde(default)]
    pub(crate) named: Vec<PathBuf>,
    /// The position in each log, by its name.
    pub(crate) logs: BTreeMap<String, Place>,
    pub(crate) counters: Counters,
}

/// The position in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Earlier lines do not count.
    pub(crate) begin: Timestamp,
    /// `None` if it could not be read so far.
    pub(crate) cursor: Option<Cursor>,
}

impl Saved {
    /// The state before the first run.
    pub(crate) fn new(start: Timestamp) -> Self {
        let (version, named) = (VERSION, Vec::new());
        Self { version, start, named, logs: BTreeMap::new(), counters: Counters::default() }
    }
}

/// The content of the state file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    Saved(Box<Saved>),
    /// This is the first run.
    Nothing,
    /// The saved state is lost; the value is a message about this.
    Damaged(String),
}

/// The state file, locked.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    _lock: Lock,
}

impl State {
    /// Locks the state file; waits for another run to end.
    ///
    /// # Errors
    /// The directory cannot be written, or a signal asked the command to end.
    pub(crate) fn lock(path: &Path) -> Result<Self, Failure> {
        let path = std::path::absolute(path)?;
        let failed = |error| failed(&path, error);
        if let Some(directory) = path.parent() {
            match DirBuilder::new().mode(0o755).create(directory) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => result.map_err(failed)?,
            }
        }
        let name = hidden(&path, "lock");
        let lock = replace::lock(&name, &failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// Reads the saved state. A damaged file is renamed.
    ///
    /// # Errors
    /// The file exists, but cannot be read. Its counters may still be valid.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let bytes = match read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Loaded::Nothing),
            bytes => bytes.map_err(|error| Failure::Read {
                prefix: "--state: ",
                name: escape_for_terminal(&self.path),
                error,
            })?,
        };
        Ok(parse(&bytes).unwrap_or_else(|error| {
            let aside = self.path.with_extension("damaged");
            let moved = match fs::rename(&self.path, &aside) {
                Ok(()) => format!("it is now {}", escape_for_terminal(&aside)),
                Err(error) => format!("it cannot be renamed: {error}"),
            };
            let path = escape_for_terminal(&self.path);
            let now = "the counters begin at zero now; if you selected logs, give --log again";
            Loaded::Damaged(format!("{path} is damaged ({error}); {moved}, and {now}"))
        }))
    }

    /// Saves atomically.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn save(&self, saved: &Saved) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(saved).map_err(|error| Failure::Io(error.into()))?;
        replace::replace_locked(&self.path, &bytes, 0o600)
            .map_err(|error| failed(&self.path, error))
    }
}

fn failed(path: &Path, error: io::Error) -> Failure {
    Failure::MetricsState { path: path.to_owned(), error }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> io::Result<Loaded> {
    let saved: Saved = serde_json::from_slice(bytes)?;
    match saved.version {
        VERSION => Ok(Loaded::Saved(Box::new(saved))),
        version => Err(io::Error::other(format!("it has version {version}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Loaded, Place, Saved, State};
    use crate::demand::source::Cursor;
    use crate::error::Failure;
    use jiff::Timestamp;
    use std::fs;
    use std::path::Path;

    fn saved() -> Saved {
        let mut saved = Saved::new(Timestamp::from_second(1000).unwrap());
        saved.counters.add_problems(1, 2, 3);
        saved.named.push("/var/log/slurm".into());
        let cursor = Some(serde_json::from_str::<Cursor>("7").unwrap());
        saved.logs.insert("journal".to_owned(), Place { begin: saved.start, cursor });
        saved
    }

    #[test]
    fn the_state_survives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/metrics.json");
        let state = State::lock(&path).unwrap();
        assert_eq!(state.load().unwrap(), Loaded::Nothing);
        state.save(&saved()).unwrap();
        drop(state);
        assert_eq!(State::lock(&path).unwrap().load().unwrap(), Loaded::Saved(Box::new(saved())));
        let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn a_damaged_state_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metrics.json");
        let state = State::lock(&path).unwrap();
        state.save(&saved()).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        for text in ["", "{", "{\"version\":1}", &whole.replace("\"version\":1", "\"version\":9")] {
            fs::write(&path, text).unwrap();
            let Loaded::Damaged(message) = state.load().unwrap() else { panic!("{text}") };
            assert!(message.contains("is damaged"), "{message}");
            assert!(message.contains("give --log again"), "{message}");
            assert_eq!(fs::read_to_string(path.with_extension("damaged")).unwrap(), text);
            assert_eq!(state.load().unwrap(), Loaded::Nothing);
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made() {
        let failure = State::lock(Path::new("/proc/none/metrics.json")).unwrap_err();
        assert!(matches!(failure, Failure::MetricsState { .. }), "{failure}");
        assert!(failure.to_string().contains("--no-counters"), "{failure}");
    }
}
