//! What the check of a candidate found, in words for scripts and for people.

use crate::sif;
use crate::sif::descriptors::Problem;
use crate::trust::{Stop, UntrustedReason};
use std::{fmt, io};

/// The result of checking a candidate, or an image root as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The candidate is a valid image.
    Image,
    /// The candidate was not checked, for example because an image was found before it.
    NotTried,
    /// The candidate does not exist.
    Absent,
    /// The image root does not exist, for example because its file system is not mounted.
    NoRoot,
    /// The image root did not answer within the timeout.
    NoAnswer,
    /// A symbolic link has no target, or the links form a loop.
    DanglingLink,
    /// The candidate is not a regular file; the value is its type, such as `directory`.
    NotAFile(&'static str),
    /// The user has no permission to read the candidate.
    Unreadable,
    /// An ordinary user could have written or replaced the candidate.
    Untrusted(UntrustedReason),
    /// The file has a size of 0 bytes.
    Empty,
    /// The file is not a SIF file.
    NotSif,
    /// The version of the SIF format is not supported.
    UnknownVersion,
    /// The SIF file is for another architecture; the value is Go's name of it.
    WrongArchitecture(&'static str),
    /// The descriptor table of the SIF file is invalid.
    BadTable,
    /// The SIF file does not have exactly one root file system; for example, it contains data or an
    /// overlay instead.
    NoRootFileSystem,
    /// The SIF file contains the blobs of an OCI image instead of a root file system.
    OciSif,
    /// The root file system is encrypted and needs a key.
    Encrypted,
    /// The runtimes do not mount this type of root file system; the value is its code in the SIF
    /// file.
    UnknownFileSystem(i32),
    /// The file is shorter than its header or table requires: a copy is in progress or was cut off.
    Truncated {
        /// The size of the file, in bytes.
        size: u64,
        /// The size that the header or the table requires, in bytes.
        needed: u64,
    },
    /// Other references share the file's name, and the file does not record that it is the result
    /// of a pull.
    NoOrigin,
    /// Other references share the file's name, and the file was pulled from the one given here.
    OtherOrigin(String),
    /// The directory has several files for the tag, or too many entries to read.
    SeveralFiles,
    /// A system call failed with this `errno`.
    Failed(i32),
}

impl State {
    /// A stable word for scripts.
    #[must_use]
    pub fn token(&self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::NotTried => "not-tried",
            Self::Absent => "absent",
            Self::NoRoot => "no-root",
            Self::NoAnswer => "no-answer",
            Self::DanglingLink => "dangling-link",
            Self::NotAFile(_) => "not-a-file",
            Self::Unreadable => "unreadable",
            Self::Untrusted(_) => "untrusted",
            Self::Empty => "empty",
            Self::NotSif => "not-a-sif",
            Self::UnknownVersion => "unknown-sif-version",
            Self::WrongArchitecture(_) => "wrong-architecture",
            Self::BadTable => "bad-descriptors",
            Self::NoRootFileSystem => "no-root-file-system",
            Self::OciSif => "oci-sif",
            Self::Encrypted => "encrypted",
            Self::UnknownFileSystem(_) => "unknown-file-system",
            Self::Truncated { .. } => "truncated",
            Self::NoOrigin => "no-origin",
            Self::OtherOrigin(_) => "other-origin",
            Self::SeveralFiles => "several-files",
            Self::Failed(_) => "io-error",
        }
    }

    /// Whether this state belongs to a candidate that exists but was refused, or that could not be
    /// checked.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Image | Self::NotTried | Self::Absent) && !self.is_root_state()
    }

    /// Whether this state belongs to an image root as a whole rather than to a candidate.
    #[must_use]
    pub fn is_root_state(&self) -> bool {
        matches!(self, Self::NoRoot | Self::NoAnswer)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image => f.write_str("an image"),
            Self::NotTried => f.write_str("not tried"),
            Self::Absent => f.write_str("does not exist"),
            Self::NoRoot => f.write_str("no such image root"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::DanglingLink => f.write_str("a broken symbolic link"),
            Self::NotAFile(kind) => write!(f, "a {kind}, not a regular file"),
            Self::Unreadable => f.write_str("not readable by this user"),
            Self::Untrusted(reason) => write!(f, "not trusted: {reason}"),
            Self::Empty => f.write_str("an empty file"),
            Self::NotSif => f.write_str("not a SIF file"),
            Self::UnknownVersion => f.write_str("a SIF file of an unsupported version"),
            Self::WrongArchitecture(theirs) => {
                let theirs = sif::architecture_in_words(theirs);
                write!(f, "for {theirs}, but this host is {}", sif::host_architecture())
            }
            Self::BadTable => f.write_str("a SIF file with an invalid descriptor table"),
            Self::NoRootFileSystem => f.write_str("a SIF file without a root file system"),
            Self::OciSif => f.write_str("an OCI-SIF file, which runs only with --oci"),
            Self::Encrypted => f.write_str("encrypted: the runtime needs a key"),
            Self::UnknownFileSystem(code) => {
                write!(
                    f,
                    "a SIF file with a root file system of type {code}, which runtimes do not mount"
                )
            }
            Self::Truncated { size, needed } => {
                write!(f, "cut short or still being copied: {size} of {needed} bytes")
            }
            Self::NoOrigin => f.write_str("the file does not record what it was pulled from"),
            Self::OtherOrigin(theirs) => write!(f, "pulled from {theirs}, which has the same name"),
            Self::SeveralFiles => f.write_str("several files for this tag, so none is chosen"),
            Self::Failed(errno) => write!(f, "{}", io::Error::from_raw_os_error(*errno)),
        }
    }
}

impl From<Problem> for State {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::BadTable => Self::BadTable,
            Problem::NoRootFileSystem => Self::NoRootFileSystem,
            Problem::Oci => Self::OciSif,
            Problem::Encrypted => Self::Encrypted,
            Problem::FileSystem(code) => Self::UnknownFileSystem(code),
        }
    }
}

impl From<io::Error> for State {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG) => Self::Absent,
            Some(libc::EACCES | libc::EPERM) => Self::Unreadable,
            Some(libc::ELOOP) => Self::DanglingLink,
            errno => Self::Failed(errno.unwrap_or(libc::EIO)),
        }
    }
}

impl From<Stop> for State {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Absent => Self::Absent,
            Stop::Dangling => Self::DanglingLink,
            Stop::Untrusted(reason) => Self::Untrusted(reason),
            Stop::Io(error) => Self::from(error),
        }
    }
}
