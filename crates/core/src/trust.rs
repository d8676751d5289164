//! Who could have chosen what stands under a name: the walk from `/` to an image.
//!
//! Everybody's jobs start what an image root holds, so an image counts only if no
//! ordinary user could have put it there, now or while the look-up runs:
//!
//! * every directory, link and file on the way belongs to root or a system account;
//! * a directory in which a name is *looked up* (the root and below) cannot be
//!   written by its group or by others, because a user could add the name;
//! * a directory that is only *passed* (above the root, or on the way of a link)
//!   may be that if it is sticky, because what is there cannot be replaced then;
//! * the file itself cannot be written so either.
//!
//! An ACL that lets somebody write shows in the group bits and nowhere else in the
//! mode: acl(5), so those bits count for root's own group too.
//! Links are followed by hand, since only so every directory on the way is seen.
//!
//! In a user namespace an owner may have no id. `ids.rs` says when an id is not to be believed.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

pub mod ids;

/// The first user id of ordinary users, as Debian's and RHEL's login.defs set `UID_MIN`.
pub const FIRST_ORDINARY_USER: u32 = 1000;
/// As many links as the kernel follows in one path: path_resolution(7).
const MAX_LINKS: u32 = 40;

const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Whether this id, as it appears here, is that of root or a system account.
#[must_use]
pub fn is_of_system(uid: u32) -> bool {
    uid < FIRST_ORDINARY_USER && !ids::stands_for_others(uid)
}

/// Something on the way that an ordinary user could write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// What could be written.
    pub path: PathBuf,
    /// By whom.
    pub by: Writer,
}

/// Who can write there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Its owner, an ordinary user: the user id.
    Owner(u32),
    /// Its owner, whom this user namespace does not map: the id that stands for all of those.
    Unmapped(u32),
    /// Its group, or whom an ACL names: the group id.
    Group(u32),
    /// Everybody.
    Others,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.by {
            Writer::Owner(uid) => write!(f, "{path} belongs to the ordinary user {uid}"),
            Writer::Unmapped(uid) => {
                write!(
                    f,
                    "{path} belongs to {uid}, as everything whose owner this user namespace does not map"
                )
            }
            Writer::Group(gid) => {
                write!(f, "{path} can be written by the group {gid} or by an ACL")
            }
            Writer::Others => write!(f, "{path} can be written by everybody"),
        }
    }
}

/// Why a walk did not arrive.
#[derive(Debug)]
pub enum Stop {
    /// Nothing has that name.
    Absent,
    /// A link on the way leads nowhere, or in a circle.
    Dangling,
    /// An ordinary user could write something on the way.
    Distrust(Distrust),
    /// The file system said no.
    Io(io::Error),
}

/// A directory that the walk has come to, by its real path.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    metadata: Metadata,
    /// Whose things are trusted beside the system's, if anybody's are.
    friend: Option<u32>,
}

/// Walks to the image root, from `/`.
///
/// # Errors
/// Why the walk did not arrive.
pub fn enter(root: &Path) -> Result<Place, Stop> {
    enter_with(root, None)
}

/// The same for somebody who works there themselves: what belongs to them is as good to
/// them as what belongs to the system.
///
/// # Errors
/// Why the walk did not arrive.
pub fn enter_as(user: u32, root: &Path) -> Result<Place, Stop> {
    enter_with(root, Some(user))
}

fn enter_with(root: &Path, friend: Option<u32>) -> Result<Place, Stop> {
    let steps = root.components().filter_map(normal).map(|name| (name, Step::Passed)).collect();
    walk(Place::top(friend)?, steps)
}

/// Walks on from the image root to the file called `name` under it, and returns
/// what it is. Its type is for the caller to check.
///
/// # Errors
/// Why the walk did not arrive.
pub fn find(root: &Place, name: &str) -> Result<Metadata, Stop> {
    let steps = name.split('/').map(|part| (part.into(), Step::LookedUp)).collect();
    let place = walk(root.clone(), steps)?;
    let distrust = if place.metadata.is_dir() { None } else { place.writer(false) };
    distrust.map_or(Ok(place.metadata), |distrust| Err(Stop::Distrust(distrust)))
}

/// Who could add a name to the image root itself.
#[must_use]
pub fn distrust(root: &Place) -> Option<Distrust> {
    root.writer(false)
}

/// Where the name of the next step comes from.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// From a reference: anybody who can write the directory can make it.
    LookedUp,
    /// From the site's own path or link: it is there already.
    Passed,
}

fn normal(component: Component<'_>) -> Option<OsString> {
    match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    }
}

fn walk(mut place: Place, mut steps: VecDeque<(OsString, Step)>) -> Result<Place, Stop> {
    let mut links = 0;
    while let Some((name, step)) = steps.pop_front() {
        // First whether it is there: what is absent needs nobody's trust.
        let next =
            place.step(&name).map_err(|error| arrival(error, links > 0 && step == Step::Passed))?;
        if let Some(distrust) = place.writer(step == Step::Passed) {
            return Err(Stop::Distrust(distrust));
        }
        if !next.metadata.is_symlink() {
            place = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Stop::Dangling);
        }
        if let Some(distrust) = next.owner() {
            return Err(Stop::Distrust(distrust));
        }
        let target = fs::read_link(&next.path).map_err(Stop::Io)?;
        for part in target.components().filter_map(normal).collect::<Vec<_>>().into_iter().rev() {
            steps.push_front((part, Step::Passed));
        }
        if target.is_absolute() {
            place = Place::top(place.friend)?;
        }
    }
    Ok(place)
}

/// What it means that a step failed; `linked` if a link has led to it.
fn arrival(error: io::Error, linked: bool) -> Stop {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) if linked => Stop::Dangling,
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG) => Stop::Absent,
        _ => Stop::Io(error),
    }
}

impl Place {
    fn step(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.path.join(name);
        let metadata = fs::symlink_metadata(&path)?;
        Ok(Self { path, metadata, friend: self.friend })
    }

    fn top(friend: Option<u32>) -> Result<Self, Stop> {
        let path = PathBuf::from("/");
        let metadata = fs::symlink_metadata(&path).map_err(Stop::Io)?;
        Ok(Self { path, metadata, friend })
    }

    fn owner(&self) -> Option<Distrust> {
        let uid = self.metadata.uid();
        // Before anything else: whoever has no id here appears under that of the others, too.
        if ids::stands_for_others(uid) {
            return Some(self.distrust(Writer::Unmapped(uid)));
        }
        let is_stranger = uid >= FIRST_ORDINARY_USER && Some(uid) != self.friend;
        is_stranger.then(|| self.distrust(Writer::Owner(uid)))
    }

    /// The ordinary user who could write here, if there is one. With `sticky_will_do`
    /// what is there must only be safe from being replaced.
    fn writer(&self, sticky_will_do: bool) -> Option<Distrust> {
        let (mode, gid) = (self.metadata.mode(), self.metadata.gid());
        let fixed = sticky_will_do && mode & STICKY != 0;
        self.owner().or_else(|| match mode {
            _ if fixed => None,
            mode if mode & OTHERS_WRITE != 0 => Some(self.distrust(Writer::Others)),
            mode if mode & GROUP_WRITE != 0 => Some(self.distrust(Writer::Group(gid))),
            _ => None,
        })
    }

    fn distrust(&self, by: Writer) -> Distrust {
        Distrust { path: self.path.clone(), by }
    }
}

/// What people call a thing that is no regular file.
#[must_use]
pub fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    match () {
        () if kind.is_dir() => "directory",
        () if kind.is_fifo() => "fifo",
        () if kind.is_socket() => "socket",
        () if kind.is_block_device() || kind.is_char_device() => "device",
        () => "file",
    }
}

#[cfg(test)]
mod tests;
