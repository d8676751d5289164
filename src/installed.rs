//! What of the shim is installed on this node.
//!
//! slurmstepd looks once, before it forks the tasks: what a task pays for something that
//! is no launch is not to hold a call on a file system. This is the node's own directory,
//! never an image root.

use once_cell::sync::OnceCell;
use sifcache_core::nested::{INTERPOSER, SHIM, SHIMS, installed};
use std::fs::{self, Metadata};
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

static SHIM_PROGRAM: OnceCell<Option<String>> = OnceCell::new();
static SHIMS_DIRECTORY: OnceCell<Option<String>> = OnceCell::new();
static INTERPOSER_LIBRARY: OnceCell<Option<String>> = OnceCell::new();

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

fn look(
    seen: &OnceCell<Option<String>>,
    name: &str,
    good: fn(&Metadata) -> bool,
) -> Option<String> {
    let path = installed(name);
    let why = || match fs::metadata(&path) {
        Ok(metadata) if good(&metadata) => None,
        Ok(_) => Some(format!("{path} is not what users can use")),
        Err(error) => Some(format!("{path}: {error}")),
    };
    seen.get_or_init(why).clone()
}

fn is_program(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o001 != 0
}

fn is_readable(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}
