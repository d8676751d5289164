//! The checks that decide whether a candidate is a valid image.

pub(crate) mod by_descriptor;
pub(crate) mod cached;
pub(crate) mod origin;
mod state;
mod steps;
pub(crate) mod visit;

pub use state::State;

use self::origin::Origin;
use crate::reference::Reference;
use crate::settings::Untrusted;
use crate::sif;
use crate::sif::descriptors::{self, RootFileSystem};
use crate::trust::{self, Place};
use std::borrow::Cow;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
/// This takes one read system call if the descriptors are where the runtimes put them, otherwise two.
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
    let mut start = [0; sif::USUAL_START];
    let start = read_start(file, size, &mut start)?;
    let elsewhere = |from, length| read_table(file, from, length);
    let (content, table) = examine(start, size, accept, &elsewhere)?;
    origin.map_or(Ok(()), |origin| origin::check(file, &table, origin))?;
    Ok(content)
}

/// Examines the bytes at the start of a file of `size` bytes. Returns its content and descriptor
/// table; `elsewhere` reads the table if it is not among these bytes.
fn examine<'b>(
    start: &'b [u8],
    size: u64,
    accept: &dyn Fn(&'static str) -> Result<(), State>,
    elsewhere: &dyn Fn(u64, usize) -> Result<Vec<u8>, State>,
) -> Result<(Content, Cow<'b, [u8]>), State> {
    let header = parse(start.first_chunk().ok_or(State::NotSif)?)?;
    if header.architecture != sif::UNKNOWN_ARCHITECTURE {
        accept(header.architecture)?;
    }
    let (from, length) = header.table.range()?;
    let table_end = from.saturating_add(length as u64);
    check_size(size, header.data_end.max(table_end))?;
    let rest = usize::try_from(from).ok().and_then(|from| start.get(from..)).unwrap_or_default();
    let usual = rest.get(..length).or(header.table.is_complete(rest).then_some(rest));
    let table = match usual {
        Some(table) => Cow::Borrowed(table),
        None => Cow::Owned(elsewhere(from, length)?),
    };
    let root = descriptors::root_file_system(&table)?;
    check_size(size, root.end())?;
    let architecture = match root.architecture {
        sif::UNKNOWN_ARCHITECTURE => header.architecture,
        of_partition => of_partition,
    };
    accept(architecture)?;
    Ok((Content { architecture, root }, table))
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

#[cfg(test)]
pub(crate) mod tests;
