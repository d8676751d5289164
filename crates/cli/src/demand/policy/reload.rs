//! Reads the policy file again when it has changed. The last valid policy stays in force while the
//! file is missing or invalid.

use super::Policy;
use crate::error::Failure;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file that was changed less than this time before it was read may change again and keep its time
/// stamp.
const GRANULARITY: Duration = Duration::from_secs(2);

/// The policy in force, and the file that it comes from.
#[derive(Debug)]
pub(crate) struct Reloader {
    path: PathBuf,
    policy: Policy,
    stamp: Option<Stamp>,
    /// The last error in the file.
    problem: Option<String>,
}

/// Identifies a version of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The stamp of the file; `None` if there is no reliable one.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let stamp = Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let changed = Duration::from_secs(u64::try_from(metadata.ctime()).ok()?);
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + changed);
        (age.ok()? >= GRANULARITY).then_some(stamp)
    }
}

impl Reloader {
    /// Reads the policy file.
    ///
    /// # Errors
    /// See [`Policy::load`].
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let stamp = Stamp::of(path);
        let policy = Policy::load(path)?;
        Ok(Self { path: path.to_owned(), policy, stamp, problem: None })
    }

    /// The policy in force. If the file has changed, it is read first. The text is a message for
    /// the log: the file is invalid now, or it was and is valid again. It is returned once.
    pub(crate) fn current(&mut self) -> (&Policy, Option<String>) {
        let stamp = Stamp::of(&self.path);
        let message = match stamp.is_some() && stamp == self.stamp {
            true => None,
            false => self.read(),
        };
        self.stamp = stamp;
        (&self.policy, message)
    }

    fn read(&mut self) -> Option<String> {
        match load_file(&self.path) {
            Ok(policy) => {
                let changed = policy != self.policy;
                self.policy = policy;
                let path = self.path.display();
                match self.problem.take() {
                    Some(_) => Some(format!("{path}: it is valid again and in force")),
                    None => changed.then(|| format!("{path}: it was changed and is in force")),
                }
            }
            Err(failure) => {
                let problem = failure.to_string();
                let is_new = self.problem.as_ref() != Some(&problem);
                let message = format!("{problem}; the last valid policy stays in force");
                self.problem = Some(problem);
                is_new.then_some(message)
            }
        }
    }
}

/// Reads a regular file. Reading a FIFO would block the filler until somebody writes to it.
fn load_file(path: &Path) -> Result<Policy, Failure> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => {
            let problem = "it is not a regular file".to_owned();
            Err(Failure::Policy { file: path.to_owned(), problem })
        }
        _ => Policy::load(path),
    }
}

#[cfg(test)]
mod tests {
    use super::Reloader;
    use rustix::fs::{CWD, Mode, mkfifoat};
    use sifcache_core::reference::Reference;
    use std::fs;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    fn allows(reloader: &mut Reloader, image: &str) -> (bool, Option<String>) {
        let reference = Reference::parse(image.as_bytes()).unwrap();
        let (policy, message) = reloader.current();
        (policy.rule(&reference).is_ok(), message)
    }

    #[test]
    fn an_invalid_file_leaves_the_last_policy_in_force_and_is_reported_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fill.toml");
        assert!(Reloader::open(&path).is_err());
        fs::write(&path, "allow = [\"quay.io/**\"]").unwrap();
        let mut reloader = Reloader::open(&path).unwrap();
        assert_eq!(allows(&mut reloader, "quay.io/o/i"), (true, None));

        fs::write(&path, "allow = [\"quay.io/**\"]\nalow = []").unwrap();
        let (allowed, message) = allows(&mut reloader, "quay.io/o/i");
        let message = message.unwrap();
        assert!(allowed && message.contains("line 2: ") && message.contains("alow"), "{message}");
        assert!(message.ends_with("; the last valid policy stays in force"), "{message}");
        assert_eq!(allows(&mut reloader, "quay.io/o/i"), (true, None));

        fs::remove_file(&path).unwrap();
        let (allowed, message) = allows(&mut reloader, "quay.io/o/i");
        assert!(allowed && message.unwrap().contains("there is no policy"));

        // A file of the same size in the same instant is also seen.
        fs::write(&path, "allow = [\"ghcr.io/**\"]").unwrap();
        let (allowed, message) = allows(&mut reloader, "quay.io/o/i");
        assert!(!allowed && message.unwrap().ends_with("it is valid again and in force"));
        fs::write(&path, "allow = [\"quay.io/**\"]").unwrap();
        let (allowed, message) = allows(&mut reloader, "quay.io/o/i");
        assert!(allowed && message.unwrap().ends_with("it was changed and is in force"));
    }
    /// A FIFO without a writer would block whoever opens it.
    #[test]
    fn only_a_regular_file_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fill.toml");
        fs::write(&path, "allow = [\"quay.io/**\"]").unwrap();
        let mut reloader = Reloader::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        mkfifoat(CWD, &path, Mode::RUSR).unwrap();
        let (sent, answers) = mpsc::channel();
        thread::spawn(move || sent.send(allows(&mut reloader, "quay.io/o/i")));
        let (allowed, message) = answers.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(allowed && message.unwrap().contains("it is not a regular file"));
    }
}
