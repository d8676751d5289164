//! The rules of a runtime about what a merged tree becomes in a SIF file.
//!
//! They depend on the runtime's version and on the user, so they are not derived from a version:
//! a small image of probes shows which of them apply (the command's `pull/native/template`).

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
    /// Only `user.*`, on files and directories.
    User,
    /// None, for example because the temporary directory cannot store them.
    None,
}

/// What the runtime does with something that an ordinary user cannot create or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// As in the layers.
    Kept,
    /// An empty regular file with the same mode.
    Emptied,
    /// Missing.
    LeftOut,
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
    /// Directories that their owner may not read or enter, with everything below them.
    pub closed_directories: Treatment,
    /// Permissions of parent directories without an entry of their own.
    pub implied_mode: u16,
}
