//! The part of a lookup that the kernel answers from its caches.
//!
//! A helper process protects a launch from a file server that does not answer, but its start and its
//! end take longer than the whole lookup. It is not needed for an image root on a disk of the node
//! whose names and first pages are cached: the calls of this module fail instead of waiting for a
//! file server. They give an answer only if the result is certain; in every other case, the helper
//! process decides.
//!
//! Even to open a cached file, NFS queries its server, and cluster file systems such as GFS2 take a
//! lock. So the root must be on a file system of which this is not true.

use super::by_descriptor::{Attributed, DIRECTORY, Directory, Found, SystemCalls, Tree};
use super::by_descriptor::{is_absent, plain};
use super::{State, examine, is_for};
use crate::attributes::Attributes;
use crate::settings::Untrusted;
use crate::sif;
use crate::trust;
use std::ffi::{CStr, CString, c_int};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// System calls that answer from the kernel's caches, and fail instead of waiting for a file server.
#[derive(Debug, Clone, Copy)]
pub struct CachedCalls {
    /// Opens the file with this absolute path: openat2(2) with `RESOLVE_CACHED`.
    pub open: fn(path: &CStr, flags: c_int) -> io::Result<File>,
    /// Opens a file in a directory and reads attributes. The former must also refuse to leave the
    /// file system of the directory: `RESOLVE_NO_XDEV`.
    pub relative: SystemCalls,
    /// The attributes of an open directory. An error unless its file system opens cached files without
    /// waiting, and is on a disk of this node.
    pub local_attributes: fn(directory: &File) -> io::Result<Attributes>,
    /// Reads the start of a file: preadv2(2) with `RWF_NOWAIT`.
    pub read_start: fn(file: &File, buffer: &mut [u8]) -> io::Result<usize>,
}

/// The result for an image root.
pub(crate) enum Entered {
    Root(Cached),
    /// The root does not exist.
    Missing,
}

/// An image root on a disk of this node.
pub(crate) struct Cached {
    tree: Tree,
    calls: CachedCalls,
}

impl Cached {
    /// Opens the image root and, with [`Untrusted::Refuse`], checks the path to it. `None` if the
    /// helper process has to decide.
    pub(crate) fn enter(path: &Path, untrusted: Untrusted, calls: CachedCalls) -> Option<Entered> {
        let path = plain(path)?;
        let attributes: Attributed = calls.relative.known_attributes;
        let is_passable = |directory: &Path| {
            let opened = open(directory, calls);
            opened.and_then(|file| attributes(&file)).is_ok_and(|found| trust::lets_pass(&found))
        };
        // The root comes first: on a file server, nothing else is tried.
        let root = match open(&path, calls) {
            Ok(file) => Some(Directory::known(&(calls.local_attributes)(&file).ok()?, file)),
            Err(error) if is_absent(&error) => None,
            Err(_) => return None,
        };
        if untrusted == Untrusted::Refuse && !path.ancestors().skip(1).all(is_passable) {
            return None;
        }
        let Some(root) = root else { return Some(Entered::Missing) };
        let tree = Tree::new(root, untrusted, calls.relative, attributes);
        Some(Entered::Root(Self { tree, calls }))
    }

    /// The state of the candidate `name` if it is an image or does not exist. `None` if the helper
    /// process has to decide.
    pub(crate) fn check(&mut self, name: &str) -> Option<State> {
        match self.tree.find(name) {
            Found::Absent => Some(State::Absent),
            Found::File(file, size) => self.is_image(&file, size).then_some(State::Image),
            Found::Unclear => None,
        }
    }

    fn is_image(&self, file: &File, size: u64) -> bool {
        let mut start = [0; sif::USUAL_START];
        let Ok(length) = (self.calls.read_start)(file, &mut start) else { return false };
        let accept = |theirs| is_for(sif::host_architecture(), theirs);
        let elsewhere = |_, _| Err(State::NotTried);
        examine(start.get(..length).unwrap_or_default(), size, &accept, &elsewhere).is_ok()
    }
}

fn open(directory: &Path, calls: CachedCalls) -> io::Result<File> {
    (calls.open)(&CString::new(directory.as_os_str().as_bytes())?, DIRECTORY)
}
