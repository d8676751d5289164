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

/// Whether `part` is there: all that a task pays for.
pub(crate) fn is_there(part: Part) -> bool {
    matches!(look(part).1, Seen::Good)
}

/// Why `part` is missing, if it is.
pub(crate) fn missing(part: Part) -> Option<String> {
    let (name, seen) = look(part);
    let path = installed(name);
    match seen {
        Seen::Good => None,
        Seen::NotUsable => Some(format!("{path} is not what users can use")),
        Seen::Failed(errno) => {
            let error = errno.map_or(io::ErrorKind::Other.into(), io::Error::from_raw_os_error);
            Some(format!("{path}: {error}"))
        }
    }
}

/// What was found, and of what.
fn look(part: Part) -> (&'static str, Seen) {
    match part {
        Part::Shim => once(&SHIM_PROGRAM, SHIM, is_program),
        Part::Shims => once(&SHIMS_DIRECTORY, SHIMS, Metadata::is_dir),
        // To it belongs the shim that it starts.
        Part::Interposer => match once(&INTERPOSER_LIBRARY, INTERPOSER, is_readable) {
            (_, Seen::Good) => look(Part::Shim),
            missing => missing,
        },
    }
}

fn once(
    seen: &OnceCell<Seen>,
    name: &'static str,
    good: fn(&Metadata) -> bool,
) -> (&'static str, Seen) {
    let first = || match fs::metadata(installed(name)) {
        Ok(metadata) if good(&metadata) => Seen::Good,
        Ok(_) => Seen::NotUsable,
        Err(error) => Seen::Failed(error.raw_os_error()),
    };
    (name, *seen.get_or_init(first))
}

fn is_program(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o001 != 0
}

fn is_readable(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}
