//! Tests whether the file system of an image root supports hard links and locks, which the command
//! needs.

use super::finding::Finding;
use super::host::Host;
use crate::cache::store::scratch::Scratch;
use crate::cache::store::{self, directory, lock, path_trust};
use crate::ui::escape::escape_for_terminal;
use rustix::fs::{StatVfsMountFlags, statvfs};
use std::fs;
use std::io;
use std::path::Path;

/// Tries hard links and locks with temporary files, which are removed again.
pub(crate) fn check(host: &Host, root: &Path) -> Finding {
    let name = escape_for_terminal(root);
    if !host.is_root() {
        let why = format!("{name}: hard links and locks are only tested as root");
        return Finding::skipped("links", why);
    }
    let path = host.path(root);
    if statvfs(&path).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return Finding::skipped("links", format!("{name}: mounted read-only here"));
    }
    if let Some(reason) = path_trust::at(&path.join(store::STATE).join("tmp")) {
        let why = format!("{name}: not tested: {}", path_trust::describe(&reason));
        return Finding::skipped("links", why);
    }
    let was_there = path.join(store::STATE).exists();
    let tried = attempt(&path);
    if !was_there {
        directory::tidy(&path, &path.join(store::STATE).join("tmp/x"));
    }
    match tried {
        Ok((true, true)) => Finding::ok("links", format!("{name}: hard links and locks work")),
        Ok((false, _)) => Finding::warn("links", format!("{name}: hard links do not work"))
            .advice("`sifcache add` needs them; put the image root on another file system"),
        Ok((true, false)) => Finding::warn("links", format!("{name}: locks do not work")).advice(
            "run `sifcache add` and `refresh` on one host at a time, or mount it with support for \
             locks",
        ),
        Err(error) => Finding::note("links", format!("{name}: root cannot write there: {error}"))
            .advice("fill it on a host where its owner can write"),
    }
}

/// Whether hard links work, and whether locks work.
fn attempt(root: &Path) -> io::Result<(bool, bool)> {
    let parent = root.join(store::STATE).join("tmp");
    directory::make(root, &parent)?;
    let scratch = Scratch::new(&parent)?;
    let (one, other) = (scratch.path("one"), scratch.path("other"));
    fs::write(&one, "")?;
    let links = fs::hard_link(&one, &other).is_ok();
    let locks = lock::work(scratch.directory())?;
    Ok((links, locks))
}
