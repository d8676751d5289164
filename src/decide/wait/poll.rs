//! Access to the file server. It may hang, so a helper process does the work, as for lookups.

use super::watch::Seen;
use crate::spank::within;
use sifcache_core::decision::Decision;
use sifcache_core::queue::{Entry, MAX_SIZE};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Reads an entry, which may be new. Without a `timeout`, this waits for the file server without
/// limit.
pub(super) fn entry(file: &Path, is_new: bool, timeout: Option<Duration>) -> Seen {
    let read = || {
        let mut entry = read(file);
        if entry.is_none() && is_new {
            // An NFS client remembers for up to a minute that a file does not exist. When a process
            // opens the directory, the client checks whether the directory has changed.
            let _ = file.parent().map(File::open);
            entry = read(file);
        }
        entry.map_or(Seen::Nothing, Seen::Entry)
    };
    let Some(timeout) = timeout else { return read() };
    let (mut seen, _) = within(timeout, &|report: &mut dyn FnMut(Seen)| report(read()));
    seen.pop().unwrap_or(Seen::NoAnswer)
}

fn read(file: &Path) -> Option<Entry> {
    // A FIFO must not block this process.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file).ok()?;
    let opened = opened.metadata().is_ok_and(|metadata| metadata.is_file()).then_some(opened)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_SIZE).ok()?.checked_add(1)?;
    opened.take(limit).read_to_end(&mut bytes).ok()?;
    Entry::parse(&bytes)
}

/// Opens the directories that may hold the image of `decision` under `root`. The lookup that follows
/// then finds a new name even if an NFS client remembers that it does not exist.
pub(super) fn refresh(root: &Path, decision: &Decision, timeout: Option<Duration>) {
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
