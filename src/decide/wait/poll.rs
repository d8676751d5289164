//! Access to the file server. It may hang, so a helper process makes the calls, as in a lookup.

use super::watch::Seen;
use crate::spank::within;
use sifcache_core::decision::Decision;
use sifcache_core::queue::{Entry, MAX_SIZE};
use std::collections::BTreeSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// The polls of one wait. Each of them opens one file or directory.
pub(super) struct Polls<'a> {
    file: &'a Path,
    /// `None` means that a poll waits for the file server without limit.
    timeout: Option<Duration>,
    next: Next,
}

/// What the next poll opens.
///
/// An NFS client may cache for up to a minute that a file does not exist. When a process opens the
/// directory, the client checks whether the directory has changed. So a missing file counts as
/// missing only after the directory was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    File,
    Directory,
    FileAfterDirectory,
}

impl<'a> Polls<'a> {
    /// Polls of the entry in `file`.
    pub(super) fn new(file: &'a Path, timeout: Option<Duration>) -> Self {
        Self { file, timeout, next: Next::File }
    }

    /// One poll. `None` if the next ones have to confirm that there is no entry.
    ///
    /// With `is_late`, a missing file needs no confirmation: the filler's time to answer is over, and
    /// if many processes take turns, further polls would come much later.
    pub(super) fn poll(&mut self, is_late: bool) -> Option<Seen> {
        let (opened, file) = (self.next, self.file);
        let open = move || match opened {
            Next::Directory => {
                let _ = file.parent().map(File::open);
                Seen::Nothing
            }
            Next::File | Next::FileAfterDirectory => read(file).map_or(Seen::Nothing, Seen::Entry),
        };
        let seen = match self.timeout {
            None => open(),
            Some(timeout) => {
                let (mut seen, _) = within(timeout, &|report: &mut dyn FnMut(Seen)| report(open()));
                seen.pop().unwrap_or(Seen::NoAnswer)
            }
        };
        self.next = match (&seen, opened) {
            (Seen::Nothing, Next::Directory) => Next::FileAfterDirectory,
            (Seen::Nothing, _) => Next::Directory,
            _ => Next::File,
        };
        let is_sure = match opened {
            Next::File => is_late,
            Next::Directory => false,
            Next::FileAfterDirectory => true,
        };
        (is_sure || seen != Seen::Nothing).then_some(seen)
    }
}

fn read(file: &Path) -> Option<Entry> {
    // A FIFO must not block this process.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
    let mut opened = OpenOptions::new().read(true).custom_flags(flags).open(file).ok()?;
    let metadata = opened.metadata().ok().filter(Metadata::is_file)?;
    // One system call, because each one may be a request to the file server. The filler replaces
    // the file and never changes it.
    let mut bytes = [0; MAX_SIZE];
    let bytes = bytes.get_mut(..usize::try_from(metadata.len()).ok()?)?;
    opened.read_exact(bytes).ok()?;
    Entry::parse(bytes)
}

/// Opens the directories that may hold the image of `decision` under `root`. The lookup that follows
/// then finds a new name even if an NFS client has cached that it does not exist.
pub(super) fn open_directories(root: &Path, decision: &Decision, timeout: Option<Duration>) {
    let candidates = decision.candidates.iter().filter_map(|one| one.path.parent());
    let below = candidates.filter(|directory| directory.starts_with(root));
    let all: BTreeSet<&Path> = below
        .flat_map(|directory| directory.ancestors().take_while(|one| one.starts_with(root)))
        .collect();
    // A directory precedes those below it in this order.
    let open = |report: &mut dyn FnMut(())| {
        for directory in &all {
            let _ = File::open(directory);
            report(());
        }
    };
    match timeout {
        Some(timeout) => drop(within(timeout, &open)),
        None => open(&mut |()| {}),
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, Polls};
    use crate::decide::wait::example::entry;
    use crate::decide::wait::watch::Seen;
    use sifcache_core::queue::State;
    use std::fs;
    use std::time::Duration;

    /// Each poll opens one thing.
    #[test]
    fn a_missing_file_is_confirmed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("entry");
        for timeout in [None, Some(Duration::from_secs(60))] {
            let mut polls = Polls::new(&file, timeout);
            for (opened, seen) in [
                (Next::File, None),
                (Next::Directory, None),
                (Next::FileAfterDirectory, Some(Seen::Nothing)),
                (Next::Directory, None),
            ] {
                assert_eq!(polls.next, opened);
                assert_eq!(polls.poll(false), seen, "{opened:?}");
            }
            let entry = entry(State::Queued);
            fs::write(&file, format!("{entry}\n")).unwrap();
            for _ in 0..3 {
                assert_eq!(polls.poll(false), Some(Seen::Entry(entry.clone())));
                assert_eq!(polls.next, Next::File);
            }
            fs::remove_file(&file).unwrap();
            assert_eq!(polls.poll(false), None);
            let mut late = Polls::new(&file, timeout);
            assert_eq!(late.poll(true), Some(Seen::Nothing));
            // The second poll does not open the file.
            assert_eq!(late.poll(true), None);
        }
    }
}
