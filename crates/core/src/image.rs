//! The checks that make a candidate an image.

use crate::settings::Untrusted;
use crate::sif;
use crate::sif::descriptors::{self, Problem, RootFileSystem};
use crate::trust::{self, Distrust, Place, Stop};
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a candidate turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// An image.
    Image,
    /// Nobody looked, because an image was found before.
    NotTried,
    /// There is no such file.
    Absent,
    /// Said of an image root: it is not there, as where a file system is not mounted.
    NoRoot,
    /// Said of an image root: nobody knows, because it has not answered in time.
    NoAnswer,
    /// A link that leads nowhere.
    DanglingLink,
    /// Something else than a regular file, and what.
    NotAFile(&'static str),
    /// The user may not read it.
    Unreadable,
    /// An ordinary user could have written it.
    Untrusted(Distrust),
    /// A file of no bytes.
    Empty,
    /// No SIF file.
    NotSif,
    /// A SIF file of a version that we do not know.
    UnknownVersion,
    /// A SIF file for another architecture, and which.
    WrongArchitecture(&'static str),
    /// A SIF file whose table of descriptors cannot be right.
    BadTable,
    /// A SIF file with something else in it than a root file system: data or an overlay.
    NoRootFileSystem,
    /// A SIF file with the blobs of an OCI image.
    OciSif,
    /// A SIF file with a root file system that needs a key.
    Encrypted,
    /// A SIF file with a root file system that the runtimes do not mount, and its code.
    UnknownFileSystem(i32),
    /// Shorter than its header says: a copy that is still going on or was cut. Bytes.
    Truncated {
        /// The size that the file has.
        size: u64,
        /// The size that the header asks for.
        needed: u64,
    },
    /// The file system answered with this errno.
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
            Self::Failed(_) => "io-error",
        }
    }

    /// Whether something is there that was refused.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Image | Self::NotTried | Self::Absent) && !self.is_of_root()
    }

    /// Whether it is said of an image root, in the place of its candidates.
    #[must_use]
    pub fn is_of_root(&self) -> bool {
        matches!(self, Self::NoRoot | Self::NoAnswer)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image => f.write_str("an image"),
            Self::NotTried => f.write_str("not tried"),
            Self::Absent => f.write_str("not there"),
            Self::NoRoot => f.write_str("no such image root"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::DanglingLink => f.write_str("a link that leads nowhere"),
            Self::NotAFile(kind) => write!(f, "a {kind}, not a file"),
            Self::Unreadable => f.write_str("not readable for this user"),
            Self::Untrusted(distrust) => write!(f, "not trusted: {distrust}"),
            Self::Empty => f.write_str("an empty file"),
            Self::NotSif => f.write_str("not a SIF file"),
            Self::UnknownVersion => f.write_str("a SIF file of an unknown version"),
            Self::WrongArchitecture(theirs) => {
                write!(f, "for {theirs}, this host is {}", sif::host_architecture())
            }
            Self::BadTable => f.write_str("a SIF file with an invalid descriptor table"),
            Self::NoRootFileSystem => f.write_str("a SIF file without a root file system"),
            Self::OciSif => f.write_str("an OCI-SIF file, which only --oci starts"),
            Self::Encrypted => f.write_str("encrypted: the runtime needs its key"),
            Self::UnknownFileSystem(code) => {
                write!(f, "a SIF file with a root file system of type {code}, which is not mounted")
            }
            Self::Truncated { size, needed } => {
                write!(f, "cut short or still being copied: {size} of {needed} bytes")
            }
            Self::Failed(errno) => write!(f, "{}", io::Error::from_raw_os_error(*errno)),
        }
    }
}

/// An image root with what the walk to it gave, made once for all its candidates.
pub struct Root<'a> {
    path: &'a Path,
    entered: Option<Result<Place, State>>,
}

impl<'a> Root<'a> {
    /// Goes to the root; with [`Untrusted::Accept`] nobody cares how.
    #[must_use]
    pub fn enter(path: &'a Path, untrusted: Untrusted) -> Self {
        let entered = match untrusted {
            Untrusted::Accept => None,
            Untrusted::Refuse => Some(trust::enter(path).map_err(State::from)),
        };
        Self { path, entered }
    }

    /// Why nothing under this root can be an image, if that is so: said of the root
    /// itself, also where the candidates are not there.
    #[must_use]
    pub fn problem(&self) -> Option<State> {
        match &self.entered {
            Some(Err(state)) => Some(state.clone()),
            Some(Ok(place)) => trust::distrust(place).map(State::Untrusted),
            None => stat(self.path).err(),
        }
    }

    /// Whether there is no such root at all.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let gone = |state: &State| matches!(state, State::Absent | State::DanglingLink);
        match &self.entered {
            Some(entered) => entered.as_ref().is_err_and(gone),
            None => stat(self.path).is_err_and(|state| gone(&state)),
        }
    }

    /// Where the candidate called `name` is.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Checks the candidate called `name`.
    #[must_use]
    pub fn check(&self, name: &str) -> State {
        let path = self.join(name);
        let metadata = match &self.entered {
            None => stat(&path),
            Some(Ok(place)) => trust::find(place, name).map_err(State::from),
            Some(Err(state)) => return state.clone(),
        };
        let checked = metadata.and_then(|m| regular(&m)).and_then(|()| content(&path));
        checked.err().unwrap_or(State::Image)
    }
}

/// Opening something else could block or have an effect, so this comes before.
fn regular(metadata: &Metadata) -> Result<(), State> {
    if metadata.is_file() { Ok(()) } else { Err(State::NotAFile(trust::kind(metadata))) }
}

fn stat(path: &Path) -> Result<Metadata, State> {
    fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => State::DanglingLink,
        _ => State::from(error),
    })
}

/// Opens it and compares it with this host.
fn content(path: &Path) -> Result<(), State> {
    // In case the file has become a fifo meanwhile, opening must not wait.
    let mut file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    match inspect(&mut file, metadata.len())?.architecture {
        host if host == sif::host_architecture() => Ok(()),
        theirs => Err(State::WrongArchitecture(theirs)),
    }
}

/// What is in a SIF file that a runtime can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Go's name of the architecture that it is for.
    pub architecture: &'static str,
    /// The partition with its root file system.
    pub root: RootFileSystem,
}

/// Reads header and descriptor table of a file of this size, from its start: with one system
/// call, if the table is where the runtimes put it, else with two.
///
/// # Errors
/// Why no runtime can start it.
pub fn inspect(file: &mut File, size: u64) -> Result<Content, State> {
    let mut start = [0; sif::USUAL_TABLE_END];
    let start = beginning(file, size, &mut start)?;
    let header = start.first_chunk().ok_or(State::NotSif)?;
    let header = sif::parse(header).map_err(|error| match error {
        sif::Error::Version => State::UnknownVersion,
        sif::Error::NotSif | sif::Error::Offsets => State::NotSif,
    })?;
    let is_known = header.architecture != sif::UNKNOWN_ARCHITECTURE;
    if is_known && header.architecture != sif::host_architecture() {
        return Err(State::WrongArchitecture(header.architecture));
    }
    let (from, length) = header.table.range()?;
    let table_end = from.saturating_add(length as u64);
    complete(size, header.data_end.max(table_end))?;
    let usual = usize::try_from(from).ok().and_then(|from| start.get(from..)?.get(..length));
    let elsewhere = match usual {
        Some(_) => Vec::new(),
        None => elsewhere(file, from, length)?,
    };
    let table = usual.unwrap_or(&elsewhere);
    let root = descriptors::root_file_system(table)?;
    complete(size, root.end())?;
    let architecture = match root.architecture {
        sif::UNKNOWN_ARCHITECTURE => header.architecture,
        of_partition => of_partition,
    };
    Ok(Content { architecture, root })
}

fn complete(size: u64, needed: u64) -> Result<(), State> {
    if needed > size { Err(State::Truncated { size, needed }) } else { Ok(()) }
}

/// The first bytes of the file, as many as it has and `buffer` holds.
fn beginning<'b>(file: &mut File, size: u64, buffer: &'b mut [u8]) -> Result<&'b [u8], State> {
    if size == 0 {
        return Err(State::Empty);
    }
    let length = usize::try_from(size).unwrap_or(usize::MAX).min(buffer.len());
    let buffer = buffer.get_mut(..length).unwrap_or_default();
    match file.read_exact(buffer) {
        Ok(()) => Ok(buffer),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(State::NotSif),
        Err(error) => Err(State::from(error)),
    }
}

/// A table that is not where it usually is. Its length has been limited.
fn elsewhere(file: &File, from: u64, length: usize) -> Result<Vec<u8>, State> {
    let mut table = Vec::new();
    table.try_reserve_exact(length).map_err(|_| State::Failed(libc::ENOMEM))?;
    table.resize(length, 0);
    file.read_exact_at(&mut table, from)?;
    Ok(table)
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
            Stop::Distrust(distrust) => Self::Untrusted(distrust),
            Stop::Io(error) => Self::from(error),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
