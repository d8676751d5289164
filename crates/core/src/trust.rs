//! Checks which users could have created or replaced a file, on a walk from `/` to the file.
//!
//! The jobs of all users start the files in an image root. A file is therefore a valid image only
//! if no ordinary user could have put it there, neither before nor during the lookup:
//!
//! * every directory, link and file on the path belongs to root or a system account;
//! * a directory in which a name is *looked up* (the root and below) is not writable by its group
//!   or by others, because such a user could add the name;
//! * a directory that is only *passed* (above the root, or on the path of a link's target) may be
//!   writable if it is sticky, because then its entries cannot be replaced;
//! * the file itself is not writable by its group or by others.
//!
//! An ACL that grants write permission shows only in the group bits of the mode: acl(5). The group
//! bits therefore count even if the group is that of root.
//! The walk resolves links itself, because only then can it check every directory on the path.
//!
//! In a user namespace, an owner may have no ID. `ids.rs` describes when an ID cannot be trusted.

use crate::attributes::Attributes;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

pub mod ids;

/// The lowest user ID of ordinary users: `UID_MIN` in the login.defs of Debian and RHEL.
pub const FIRST_ORDINARY_USER: u32 = 1000;
/// The number of links that the kernel follows in one path: path_resolution(7).
const MAX_LINKS: u32 = 40;

const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Whether this ID, as it appears in this process's user namespace, is that of root or a system
/// account.
#[must_use]
pub fn is_system_account(uid: u32) -> bool {
    uid < FIRST_ORDINARY_USER && !ids::may_be_unmapped(uid)
}

/// A directory, link or file on the path that an ordinary user could write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntrustedReason {
    /// The path of the writable directory, link or file.
    pub path: PathBuf,
    /// The users that could write it.
    pub by: Writer,
}

/// The users that could write a directory, link or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The owner, an ordinary user; the value is the user ID.
    Owner(u32),
    /// The owner, whom this user namespace does not map; the value is the overflow ID.
    Unmapped(u32),
    /// The members of the group, or the users in an ACL; the value is the group ID.
    Group(u32),
    /// All users.
    Others,
}

impl fmt::Display for UntrustedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.by {
            Writer::Owner(uid) => write!(f, "{path} belongs to the ordinary user {uid}"),
            Writer::Unmapped(uid) => {
                write!(
                    f,
                    "{path} belongs to {uid}, the ID of owners that this user namespace does not map"
                )
            }
            Writer::Group(gid) => {
                write!(f, "{path} can be written by the group {gid} or by an ACL")
            }
            Writer::Others => write!(f, "{path} can be written by everybody"),
        }
    }
}

/// Why a walk ended before its destination.
#[derive(Debug)]
pub enum Stop {
    /// A component of the path does not exist.
    Absent,
    /// A link on the path has no target, or the path has more links than the kernel follows.
    Dangling,
    /// An ordinary user could write a directory, link or file on the path.
    Untrusted(UntrustedReason),
    /// A system call failed.
    Io(io::Error),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("it does not exist"),
            Self::Dangling => f.write_str("it leads through a symbolic link without a target"),
            Self::Untrusted(reason) => reason.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Stop {}

/// A directory or file that a walk has reached, with its path without links.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    metadata: Metadata,
    /// The ID of an ordinary user whose files are trusted like those of the system, if any.
    trusted_user: Option<u32>,
}

/// Walks from `/` to the image root.
///
/// # Errors
/// The path does not exist, is not trusted, or cannot be read: see [`Stop`].
pub fn enter(root: &Path) -> Result<Place, Stop> {
    enter_with(root, None)
}

/// Walks from `/` to the image root on behalf of a user who manages it: files that belong to `user`
/// are trusted like those of the system.
///
/// # Errors
/// The path does not exist, is not trusted, or cannot be read: see [`Stop`].
pub fn enter_as(user: u32, root: &Path) -> Result<Place, Stop> {
    enter_with(root, Some(user))
}

fn enter_with(root: &Path, trusted_user: Option<u32>) -> Result<Place, Stop> {
    let steps = root.components().filter_map(normal).map(|name| (name, Step::Passed)).collect();
    walk(Place::top(trusted_user)?, steps)
}

/// Walks from the image root to the file `name` under it, and returns its metadata. The caller must
/// check the file type.
///
/// # Errors
/// The path does not exist, is not trusted, or cannot be read: see [`Stop`].
pub fn find(root: &Place, name: &str) -> Result<Metadata, Stop> {
    let steps = name.split('/').map(|part| (part.into(), Step::LookedUp)).collect();
    let place = walk(root.clone(), steps)?;
    let reason = if place.metadata.is_dir() { None } else { place.writer(false) };
    reason.map_or(Ok(place.metadata), |reason| Err(Stop::Untrusted(reason)))
}

/// Walks from the image root to a directory under it, in which names will be looked up with [`find`].
///
/// # Errors
/// The path does not exist, is not trusted, or cannot be read: see [`Stop`].
pub fn descend(root: &Place, directory: &str) -> Result<Place, Stop> {
    walk(root.clone(), directory.split('/').map(|part| (part.into(), Step::LookedUp)).collect())
}

/// Why the image root itself is not trusted: which users could add a name to it.
#[must_use]
pub fn untrusted_reason(root: &Place) -> Option<UntrustedReason> {
    root.writer(false)
}

/// Whether no ordinary user could have redirected a path that leads through this directory.
pub(crate) fn is_passable(directory: &Place) -> bool {
    directory.writer(true).is_none()
}

/// The same, for the attributes of a directory.
pub(crate) fn lets_pass(attributes: &Attributes) -> bool {
    writer(attributes, None, true).is_none()
}

/// Whether no ordinary user can write a file, or add a name to a directory.
pub(crate) fn is_trusted(attributes: &Attributes) -> bool {
    writer(attributes, None, false).is_none()
}

/// The origin of the name of a step.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// The name comes from a reference: a user who can write the directory could create it.
    LookedUp,
    /// The name comes from the site's path or from a link: it exists already.
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
        // Existence is checked first: an absent name is reported as absent, even in an untrusted
        // directory.
        let behind_link = links > 0 && step == Step::Passed;
        let next = place.step(&name).map_err(|error| step_error(error, behind_link))?;
        if let Some(reason) = place.writer(step == Step::Passed) {
            return Err(Stop::Untrusted(reason));
        }
        if !next.metadata.is_symlink() {
            place = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Stop::Dangling);
        }
        if let Some(reason) = next.owner() {
            return Err(Stop::Untrusted(reason));
        }
        let target = fs::read_link(&next.path).map_err(Stop::Io)?;
        for part in target.components().filter_map(normal).collect::<Vec<_>>().into_iter().rev() {
            steps.push_front((part, Step::Passed));
        }
        if target.is_absolute() {
            place = Place::top(place.trusted_user)?;
        }
    }
    Ok(place)
}

/// Converts the error of a step to the reason why the walk ends. `behind_link` is true if the name
/// comes from a link.
fn step_error(error: io::Error, behind_link: bool) -> Stop {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) if behind_link => Stop::Dangling,
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG) => Stop::Absent,
        _ => Stop::Io(error),
    }
}

impl Place {
    /// The path without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn step(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.path.join(name);
        let metadata = fs::symlink_metadata(&path)?;
        Ok(Self { path, metadata, trusted_user: self.trusted_user })
    }

    fn top(trusted_user: Option<u32>) -> Result<Self, Stop> {
        let path = PathBuf::from("/");
        let metadata = fs::symlink_metadata(&path).map_err(Stop::Io)?;
        Ok(Self { path, metadata, trusted_user })
    }

    fn owner(&self) -> Option<UntrustedReason> {
        owner(&(&self.metadata).into(), self.trusted_user).map(|by| self.untrusted(by))
    }

    /// The ordinary users, if any, who could write this directory, link or file. With
    /// `sticky_suffices`, the mode of a sticky directory is accepted, because its existing entries
    /// cannot be replaced.
    fn writer(&self, sticky_suffices: bool) -> Option<UntrustedReason> {
        writer(&(&self.metadata).into(), self.trusted_user, sticky_suffices)
            .map(|by| self.untrusted(by))
    }

    fn untrusted(&self, by: Writer) -> UntrustedReason {
        UntrustedReason { path: self.path.clone(), by }
    }
}

fn owner(attributes: &Attributes, trusted_user: Option<u32>) -> Option<Writer> {
    let uid = attributes.uid;
    // This check comes first: an owner without an ID in this namespace appears under the overflow
    // ID.
    if ids::may_be_unmapped(uid) {
        return Some(Writer::Unmapped(uid));
    }
    let is_untrusted = uid >= FIRST_ORDINARY_USER && Some(uid) != trusted_user;
    is_untrusted.then_some(Writer::Owner(uid))
}

fn writer(
    attributes: &Attributes,
    trusted_user: Option<u32>,
    sticky_suffices: bool,
) -> Option<Writer> {
    let Attributes { mode, gid, .. } = *attributes;
    let fixed = sticky_suffices && mode & STICKY != 0;
    owner(attributes, trusted_user).or(match mode {
        _ if fixed => None,
        mode if mode & OTHERS_WRITE != 0 => Some(Writer::Others),
        mode if mode & GROUP_WRITE != 0 => Some(Writer::Group(gid)),
        _ => None,
    })
}

/// The common name of a file's type: `file` if it is a regular file.
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
