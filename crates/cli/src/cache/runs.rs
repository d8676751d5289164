//! The last run of each command that changes an image root, and how it ended:
//! `ROOT/.sifcache/runs/COMMAND.json`.
//!
//! The records are for `sifcache metrics`. A command never fails because its record cannot be
//! written.

use crate::cache::store::{STATE, directory, metadata, path_trust};
use crate::error::Failure;
use crate::exit::Exit;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of the records below the hidden directory.
const DIRECTORY: &str = "runs";
/// The version of the format.
const VERSION: u32 = 1;

/// A command whose runs are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Add,
    Refresh,
    Gc,
    Fill,
}

impl Command {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Add, Self::Refresh, Self::Gc, Self::Fill];

    /// The name of the subcommand.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Refresh => "refresh",
            Self::Gc => "gc",
            Self::Fill => "fill",
        }
    }
}

/// The last run of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    version: u32,
    /// When it ended.
    pub(crate) ended: Timestamp,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// Its exit status.
    pub(crate) exit: u8,
    /// When a run last ended with status 0.
    pub(crate) succeeded: Option<Timestamp>,
    /// Of `refresh`: which tags were compared with their registries, and when.
    #[serde(default)]
    pub(crate) tags: Tags,
}

/// When tags were last compared with their registries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tags {
    /// The start of the last `refresh --all`.
    all: Option<Timestamp>,
    /// The names of the images that it could not compare or replace, each with the time of another
    /// run that did; `None` if there was no such run.
    without: BTreeMap<String, Option<Timestamp>>,
}

impl Tags {
    /// The start of the last `refresh --all`, if there was one.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        self.all
    }

    /// When `refresh` last compared the image of these names, if it did.
    pub(crate) fn checked<'a>(
        &self,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Option<Timestamp> {
        names.find_map(|name| self.without.get(name)).copied().unwrap_or(self.all)
    }

    /// After a `refresh` of the images of these names that began at `begun` and succeeded.
    pub(crate) fn after_some(
        mut self,
        begun: Timestamp,
        names: impl Iterator<Item = String>,
    ) -> Self {
        self.without.extend(names.map(|name| (name, Some(begun))));
        self
    }

    /// After a `refresh --all` that began at `begun` and failed for the images of these names.
    pub(crate) fn after(&self, begun: Timestamp, failed: impl Iterator<Item = String>) -> Self {
        let known = |name: String| {
            let checked = self.checked(std::iter::once(name.as_str()));
            (name, checked)
        };
        Self { all: Some(begun), without: failed.map(known).collect() }
    }
}

/// A run that has not ended.
#[derive(Debug)]
pub(crate) struct Begun {
    root: PathBuf,
    command: Command,
    at: Timestamp,
}

impl Begun {
    /// A run that begins now.
    pub(crate) fn now(root: &Path, command: Command) -> Self {
        Self { root: root.to_owned(), command, at: Timestamp::now() }
    }

    /// Records the end of the run, if the caller may write to the image root. Returns the result.
    pub(crate) fn end(&self, result: Result<Exit, Failure>) -> Result<Exit, Failure> {
        self.end_with(result, &|tags| tags)
    }

    /// Like [`Self::end`], with changes to what is known about tags.
    pub(crate) fn end_with(
        &self,
        result: Result<Exit, Failure>,
        change: &dyn Fn(Tags) -> Tags,
    ) -> Result<Exit, Failure> {
        let exit = result.as_ref().map_or_else(Failure::exit, |exit| *exit);
        // Nothing depends on the record.
        let _ = self.record(exit, change);
        result
    }

    /// When the run began.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    fn record(&self, exit: Exit, change: &dyn Fn(Tags) -> Tags) -> io::Result<()> {
        let path = path(&self.root, self.command);
        let parent = path.parent().unwrap_or(&self.root);
        if path_trust::at(parent).is_some() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        directory::make(&self.root, parent)?;
        let before = load(&self.root, self.command)?;
        let ended = Timestamp::now();
        let succeeded = match exit == Exit::OK {
            true => Some(ended),
            false => before.as_ref().and_then(|before| before.succeeded),
        };
        let seconds = ended.duration_since(self.at).as_secs_f64().max(0.0);
        let tags = change(before.map(|before| before.tags).unwrap_or_default());
        let run = Run { version: VERSION, ended, seconds, exit: exit.code(), succeeded, tags };
        metadata::write_below(&self.root, &path, &serde_json::to_vec(&run)?)
    }
}

/// The last run of a command in an image root; `None` if there is no valid record of one.
///
/// # Errors
/// There is a record, but it cannot be read.
pub(crate) fn load(root: &Path, command: Command) -> io::Result<Option<Run>> {
    let bytes = match metadata::read(&path(root, command)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let run = serde_json::from_slice::<Run>(&bytes).ok();
    Ok(run.filter(|run| run.version == VERSION))
}

fn path(root: &Path, command: Command) -> PathBuf {
    root.join(STATE).join(DIRECTORY).join(format!("{}.json", command.word()))
}

#[cfg(test)]
mod tests {
    use super::{Begun, Command, Tags, load};
    use crate::cache::store::tests::store;
    use crate::error::Failure;
    use crate::exit::Exit;
    use jiff::Timestamp;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_last_success_survives_a_failure() {
        let (_directory, store) = store();
        assert_eq!(load(store.root(), Command::Gc).unwrap(), None);
        let begun = Begun::now(store.root(), Command::Gc);
        assert_eq!(begun.end(Ok(Exit::OK)).unwrap(), Exit::OK);
        let first = load(store.root(), Command::Gc).unwrap().unwrap();
        assert_eq!((first.exit, first.succeeded), (0, Some(first.ended)));
        assert!(first.ended >= begun.at() && first.seconds >= 0.0);
        let failed = begun.end(Err(Failure::NoLog));
        assert!(matches!(failed, Err(Failure::NoLog)));
        let second = load(store.root(), Command::Gc).unwrap().unwrap();
        assert_eq!((second.exit, second.succeeded), (69, first.succeeded));
        assert!(second.ended >= first.ended);
        assert_eq!(load(store.root(), Command::Add).unwrap(), None);
    }

    #[test]
    fn a_damaged_record_is_replaced() {
        let (_directory, store) = store();
        let begun = Begun::now(store.root(), Command::Add);
        begun.end(Ok(Exit::OK)).unwrap();
        let path = store.state().join("runs/add.json");
        let whole = fs::read_to_string(&path).unwrap();
        for text in ["", "{", &whole.replace("\"version\":1", "\"version\":9")] {
            fs::write(&path, text).unwrap();
            assert_eq!(load(store.root(), Command::Add).unwrap(), None, "{text}");
            begun.end(Ok(Exit::PROBLEMS)).unwrap();
            assert_eq!(load(store.root(), Command::Add).unwrap().unwrap().exit, 1);
        }
    }

    /// Another user could replace the directory with a link to other files.
    #[test]
    fn nothing_is_written_where_others_can_write() {
        let (_directory, store) = store();
        let runs = store.state().join("runs");
        fs::create_dir(&runs).unwrap();
        fs::set_permissions(&runs, Permissions::from_mode(0o777)).unwrap();
        let begun = Begun::now(store.root(), Command::Fill);
        assert_eq!(begun.end(Ok(Exit::OK)).unwrap(), Exit::OK);
        assert_eq!(fs::read_dir(&runs).unwrap().count(), 0);
        let gone = Begun::now(&store.path("none"), Command::Fill);
        assert_eq!(gone.end(Ok(Exit::OK)).unwrap(), Exit::OK);
    }

    #[test]
    fn a_tag_that_fails_keeps_its_time() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let one = |text: &str| std::iter::once(text.to_owned());
        let checked = |tags: &Tags, name| tags.checked(std::iter::once(name));
        let tags = Tags::default().after(at(10), one("new"));
        assert_eq!(checked(&tags, "new"), None);
        assert_eq!(checked(&tags, "o/i:1"), Some(at(10)));
        let tags = tags.after(at(20), one("o/i:1"));
        assert_eq!(checked(&tags, "o/i:1"), Some(at(10)));
        assert_eq!(checked(&tags, "new"), Some(at(20)));
        let tags = tags.after(at(30), one("o/i:1"));
        assert_eq!(checked(&tags, "o/i:1"), Some(at(10)));
        let tags = tags.after(at(40), std::iter::empty());
        assert_eq!(checked(&tags, "o/i:1"), Some(at(40)));
        assert_eq!(tags.last(), Some(at(40)));
    }

    #[test]
    fn a_tag_that_was_refreshed_alone_has_its_own_time() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let one = |text: &str| std::iter::once(text.to_owned());
        let checked = |tags: &Tags, name| tags.checked(std::iter::once(name));
        let tags = Tags::default().after(at(10), one("new")).after_some(at(15), one("new"));
        assert_eq!((checked(&tags, "new"), checked(&tags, "o/i:1")), (Some(at(15)), Some(at(10))));
        assert_eq!(tags.last(), Some(at(10)));
        let tags = tags.after(at(20), one("new"));
        assert_eq!(checked(&tags, "new"), Some(at(15)));
        let tags = tags.after(at(30), std::iter::empty());
        assert_eq!(checked(&tags, "new"), Some(at(30)));
    }
}
