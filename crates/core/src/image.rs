//! The checks that decide whether a candidate is a valid image.

pub(crate) mod by_descriptor;
pub(crate) mod origin;
mod steps;
pub(crate) mod visit;

use self::origin::Origin;
use crate::reference::Reference;
use crate::settings::Untrusted;
use crate::sif;
use crate::sif::descriptors::{self, Problem, RootFileSystem};
use crate::trust::{self, Place, Stop, UntrustedReason};
use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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

/// An image root and the result of the walk to it, which is performed once for all its candidates.
#[derive(Debug)]
pub struct Root<'a> {
    path: Cow<'a, Path>,
    entered: Option<Result<Place, State>>,
}

impl<'a> Root<'a> {
    /// Walks to the root and checks who can write the directories on the path. With
    /// [`Untrusted::Accept`], there is no walk and no such check.
    #[must_use]
    pub fn enter(path: &'a Path, untrusted: Untrusted) -> Self {
        let entered = match untrusted {
            Untrusted::Accept => None,
            Untrusted::Refuse => Some(trust::enter(path).map_err(State::from)),
        };
        Self { path: Cow::Borrowed(path), entered }
    }

    /// Why no file under this root can be an image; `None` if the root is usable. This checks the
    /// root itself, so a problem is found even if none of its candidates exist.
    #[must_use]
    pub fn problem(&self) -> Option<State> {
        match &self.entered {
            Some(Err(state)) => Some(state.clone()),
            Some(Ok(place)) => trust::untrusted_reason(place).map(State::Untrusted),
            None => stat(&self.path).err(),
        }
    }

    /// Whether the root does not exist, or is a dangling link.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let is_absent = |state: &State| matches!(state, State::Absent | State::DanglingLink);
        match &self.entered {
            Some(entered) => entered.as_ref().is_err_and(is_absent),
            None => stat(&self.path).is_err_and(|state| is_absent(&state)),
        }
    }

    /// The path of the candidate `name`.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Checks the candidate `name`.
    #[must_use]
    pub fn check(&self, name: &str) -> State {
        self.check_origin(name, None)
    }

    /// Checks the candidate `name`, and that it records an accepted origin if `origin` is given.
    pub(crate) fn check_origin(&self, name: &str, origin: Option<Origin<'_>>) -> State {
        let checked = self.locate(name).and_then(|metadata| check_regular(&metadata));
        let checked = checked.and_then(|()| check_content(&self.join(name), origin));
        checked.err().unwrap_or(State::Image)
    }
}

/// Checks that a candidate is a regular file. This is checked before the file is opened, because
/// opening another type of file could block or have side effects.
fn check_regular(metadata: &Metadata) -> Result<(), State> {
    if metadata.is_file() { Ok(()) } else { Err(State::NotAFile(trust::kind(metadata))) }
}

fn stat(path: &Path) -> Result<Metadata, State> {
    fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => State::DanglingLink,
        _ => State::from(error),
    })
}

/// Opens the file and checks that it contains an image for this host, of this origin.
fn check_content(path: &Path, origin: Option<Origin<'_>>) -> Result<(), State> {
    // The file may have been replaced by a fifo since the check; opening a fifo must not block.
    let mut file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let metadata = file.metadata()?;
    check_regular(&metadata).and_then(|()| check_opened(&mut file, metadata.len(), origin))
}

fn check_opened(file: &mut File, size: u64, origin: Option<Origin<'_>>) -> Result<(), State> {
    read(file, size, &|theirs| is_for(sif::host_architecture(), theirs), origin).map(drop)
}

fn is_for(wanted: &str, theirs: &'static str) -> Result<(), State> {
    if theirs == wanted { Ok(()) } else { Err(State::WrongArchitecture(theirs)) }
}

/// The content of a SIF file that a runtime can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Go's name of the architecture of the image.
    pub architecture: &'static str,
    /// The partition with the root file system.
    pub root: RootFileSystem,
}

/// Reads the header and the descriptor table of a file. `size` is the size of the file in bytes,
/// and the current position must be the start of the file.
///
/// This takes one read system call if the table is where the runtimes put it, otherwise two.
///
/// # Errors
/// The file cannot be read, or no runtime can start it on a node of any architecture. The
/// [`State`] is the reason.
pub fn inspect(file: &mut File, size: u64) -> Result<Content, State> {
    read(file, size, &|_| Ok(()), None)
}

/// Does the same as [`inspect`], for nodes of one architecture. `architecture` is Go's name of it.
///
/// # Errors
/// The file cannot be read, or no runtime can start it on these nodes. The [`State`] is the reason.
pub fn inspect_for(file: &mut File, size: u64, architecture: &str) -> Result<Content, State> {
    read(file, size, &|theirs| is_for(architecture, theirs), None)
}

/// The bytes of the descriptor table of a SIF file, for [`descriptors::in_use`].
///
/// # Errors
/// The file cannot be read, is not a SIF file, or has an invalid table.
pub fn descriptor_table(file: &File) -> Result<Vec<u8>, State> {
    let mut header = [0; sif::HEADER];
    file.read_exact_at(&mut header, 0)?;
    let (from, length) = parse(&header)?.table.range()?;
    read_table(file, from, length)
}

/// The reference that a SIF file was pulled from, if the file records it.
#[must_use]
pub fn recorded_origin(file: &File) -> Option<Reference> {
    let table = descriptor_table(file).ok()?;
    origin::recorded(file, &table).ok()?
}

fn parse(header: &[u8; sif::HEADER]) -> Result<sif::Header, State> {
    sif::parse(header).map_err(|error| match error {
        sif::Error::Version => State::UnknownVersion,
        sif::Error::NotSif | sif::Error::Offsets => State::NotSif,
    })
}

/// Calls `accept` with the architecture of the header and with that of the partition.
fn read(
    file: &mut File,
    size: u64,
    accept: &dyn Fn(&'static str) -> Result<(), State>,
    origin: Option<Origin<'_>>,
) -> Result<Content, State> {
    let mut start = [0; sif::USUAL_TABLE_END];
    let start = read_start(file, size, &mut start)?;
    let header = parse(start.first_chunk().ok_or(State::NotSif)?)?;
    if header.architecture != sif::UNKNOWN_ARCHITECTURE {
        accept(header.architecture)?;
    }
    let (from, length) = header.table.range()?;
    let table_end = from.saturating_add(length as u64);
    check_size(size, header.data_end.max(table_end))?;
    let usual = usize::try_from(from).ok().and_then(|from| start.get(from..)?.get(..length));
    let other = match usual {
        Some(_) => Vec::new(),
        None => read_table(file, from, length)?,
    };
    let table = usual.unwrap_or(&other);
    let root = descriptors::root_file_system(table)?;
    check_size(size, root.end())?;
    let architecture = match root.architecture {
        sif::UNKNOWN_ARCHITECTURE => header.architecture,
        of_partition => of_partition,
    };
    accept(architecture)?;
    origin.map_or(Ok(()), |origin| origin::check(file, table, origin))?;
    Ok(Content { architecture, root })
}

fn check_size(size: u64, needed: u64) -> Result<(), State> {
    if needed > size { Err(State::Truncated { size, needed }) } else { Ok(()) }
}

/// Reads the first bytes of the file: all `size` of them, or as many as fit in `buffer`.
fn read_start<'b>(file: &mut File, size: u64, buffer: &'b mut [u8]) -> Result<&'b [u8], State> {
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

/// Reads a table at any place in the file. The caller has limited `length`.
fn read_table(file: &File, from: u64, length: usize) -> Result<Vec<u8>, State> {
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
            Stop::Untrusted(reason) => Self::Untrusted(reason),
            Stop::Io(error) => Self::from(error),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
