//! What of the shim is installed on this node.
//!
//! slurmstepd looks once, before it forks the tasks: what a task pays for something that
//! is no launch is not to hold a call on a file system. This is the node's own directory,
//! never an image root.

use once_cell::sync::OnceCell;
use sifcache_core::nested::{INTERPOSER, SHIM, SHIMS, installed};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt;

/// What of the shim can be missing on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The program itself.
    Shim,
    /// The directory for `PATH`.
    Shims,
    /// The library for `LD_PRELOAD`.
    Interposer,
}

/// What was found. Nothing that owns memory: a static is not dropped when the library is
/// unloaded.
#[derive(Clone, Copy)]
enum Seen {
    Good,
    NotUsable,
    Failed(Option<i32>),
}

static SHIM_PROGRAM: OnceCell<Seen> = OnceCell::new();
static SHIMS_DIRECTORY: OnceCell<Seen> = OnceCell::new();
static INTERPOSER_LIBRARY: OnceCell<Seen> = OnceCell::new();

/// Why `part` is missing, if it is.
pub(crate) fn missing(part: Part) -> Option<String> {
    // To the interposer belongs the shim that it starts.
    match part {
        Part::Shim => look(&SHIM_PROGRAM, SHIM, is_program),
        Part::Shims => look(&SHIMS_DIRECTORY, SHIMS, Metadata::is_dir),
        Part::Interposer => {
            look(&INTERPOSER_LIBRARY, INTERPOSER, is_readable).or_else(|| missing(Part::Shim))
        }
    }
}

fn look(seen: &OnceCell<Seen>, name: &str, good: fn(&Metadata) -> bool) -> Option<String> {
    let path = installed(name);
    let first = || match fs::metadata(&path) {
        Ok(metadata) if good(&metadata) => Seen::Good,
        Ok(_) => Seen::NotUsable,
        Err(error) => Seen::Failed(error.raw_os_error()),
    };
    match *seen.get_or_init(first) {
        Seen::Good => None,
        Seen::NotUsable => Some(format!("{path} is not what users can use")),
        Seen::Failed(errno) => {
            let error = errno.map_or(io::ErrorKind::Other.into(), io::Error::from_raw_os_error);
            Some(format!("{path}: {error}"))
        }
    }
}

fn is_program(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o001 != 0
}

fn is_readable(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}
