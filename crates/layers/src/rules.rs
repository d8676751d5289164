//! The rules by which a runtime turns a merged tree into the root file system of a SIF file.
//!
//! They depend on the runtime's version and on the user, so they are not derived from a version: a
//! small image with probes shows which of them apply (the command's `pull/native/template`).
//!
//! A runtime works in two steps, and changes some files in between: it unpacks the layers
//! ([`Rules::unpacked`]), adds its own files, and packs the result with mksquashfs
//! ([`Rules::packed`]).

mod attributes;
mod owners;
mod packed;
mod unpacked;

use crate::error::Reason;
use crate::merge::Merged;
use crate::sink::ContentSink;

/// What the runtime does with owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// As in the layers.
    Kept,
    /// All files belong to 0:0.
    Root {
        /// Whether the owner of files and directories is kept in `user.rootlesscontainers`.
        recorded: bool,
    },
}

/// What the runtime keeps of extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attributes {
    /// All except `security.selinux` and `system.nfs4_acl`.
    All,
    /// Only `user.*`, on files and directories that their owner may read and write. The kernel
    /// refuses the others to an ordinary user.
    User,
    /// None, for example because the temporary directory cannot store them.
    None,
}

/// How the runtime treats files that an ordinary user cannot create or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// As in the layers.
    Kept,
    /// An empty regular file with the same mode, or an empty directory.
    Emptied,
    /// Missing.
    LeftOut,
}

/// The time of a directory that has an entry in a layer and, before or after it, loses a name to a
/// whiteout of the same layer. (The directory of the whiteout itself keeps its time.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removals {
    /// The time of the removal.
    Now,
    /// The time before, as umoci 0.6 restores it for an ordinary user.
    Restored,
    /// Unknown: such a tree is refused.
    Unknown,
}

/// How one runtime, run by one user, turns a merged tree into the root file system of a SIF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Owners of all files.
    pub owners: Owners,
    /// Extended attributes.
    pub attributes: Attributes,
    /// Block and character devices.
    pub devices: Treatment,
    /// Regular files that their owner may not read.
    pub unreadable_files: Treatment,
    /// Directories that their owner may not read.
    pub unreadable_directories: Treatment,
    /// Directories that their owner may read but not enter.
    pub unsearchable_directories: Treatment,
    /// Permissions of parent directories without an entry of their own.
    pub implied_mode: u16,
    /// The time of directories after a removal.
    pub removals: Removals,
}

impl Rules {
    /// The rules of Apptainer 1.4.5 for root, found by running it.
    pub const ROOT: Self = Self {
        owners: Owners::Kept,
        attributes: Attributes::All,
        devices: Treatment::Kept,
        unreadable_files: Treatment::Kept,
        unreadable_directories: Treatment::Kept,
        unsearchable_directories: Treatment::Kept,
        implied_mode: 0o775,
        removals: Removals::Now,
    };

    /// The rules of Apptainer 1.4.5 in Debian (with umoci 0.6) for an ordinary user, found by running it.
    pub const USER: Self = Self {
        owners: Owners::Root { recorded: true },
        attributes: Attributes::User,
        devices: Treatment::Emptied,
        unreadable_files: Treatment::Emptied,
        unreadable_directories: Treatment::LeftOut,
        unsearchable_directories: Treatment::Emptied,
        implied_mode: 0o775,
        removals: Removals::Restored,
    };

    /// Applies [`unpacked`](Self::unpacked) and [`packed`](Self::packed).
    ///
    /// # Errors
    ///
    /// See [`unpacked`](Self::unpacked).
    pub fn apply<S: ContentSink>(&self, merged: &mut Merged, sink: &mut S) -> Result<(), Reason> {
        self.unpacked(merged, sink)?;
        self.packed(&mut merged.tree, sink);
        Ok(())
    }
}
