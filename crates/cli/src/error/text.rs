//! Parts of the messages of failures.

use crate::system::file_name;
use crate::ui::escape::escape_for_terminal;
use sifcache_plugstack as plugstack;
use std::io;
use std::path::{Path, PathBuf};

/// A path, escaped for a terminal.
pub(super) fn show(path: &Path) -> String {
    escape_for_terminal(path)
}

/// A text, escaped for a terminal.
pub(super) fn text(text: &str) -> String {
    escape_for_terminal(Path::new(text))
}

/// Paths separated by commas, escaped for a terminal.
pub(super) fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| show(path)).collect::<Vec<_>>().join(", ")
}

/// One line for each image root that does not exist, with what to do.
pub(super) fn absent_roots(roots: &[(PathBuf, String)]) -> String {
    let line =
        |(root, problem): &(PathBuf, String)| format!("image root {}: {problem}", show(root));
    roots.iter().map(line).collect::<Vec<_>>().join("\nsifcache: ")
}

/// The error, with advice if another option avoids it.
pub(super) fn plugstack_error(error: &plugstack::Error) -> String {
    match error {
        plugstack::Error::NotFound(_) => format!(
            "{error}; name the image roots with --root DIR, or the file with --plugstack FILE"
        ),
        plugstack::Error::NoLine(_) => format!("{error}; name the image roots with --root DIR"),
        plugstack::Error::Read(..) | plugstack::Error::LineEnds(_) => error.to_string(),
    }
}

/// The message of [`super::Failure::LongName`].
pub(super) fn long_name(name: &str, bytes: usize) -> String {
    let advice = if name.contains('@') { ": name it by its tag" } else { "" };
    let (name, most) = (text(name), file_name::MAX);
    format!(
        "{name} is not possible, because a file name has at most {most} bytes, not {bytes}{advice}"
    )
}

/// The message of [`super::Failure::NotFoundByJobs`].
pub(super) fn not_found_by_jobs(path: &Path, found: Option<&Path>) -> String {
    let path = show(path);
    match found {
        Some(found) => format!("stored as {path}, but jobs find {} first", show(found)),
        None => format!("stored as {path}, but jobs do not find it: see `sifcache verify`"),
    }
}

/// The remedy for an error while writing to an image root, if there is one.
pub(super) fn write_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; run this as the owner of the image root",
        io::ErrorKind::ReadOnlyFilesystem => "; run this on a host that has it mounted for writing",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; `sifcache gc` can make space, with --keep 0d at once"
        }
        _ => "",
    }
}

/// What to check if the listener cannot use its address.
pub(super) fn listen_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program uses the port: `ss -ltnp` shows it; end it, or choose another port"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 need root: choose a larger one",
        _ => "check that the address is one of this host's",
    }
}

/// The remedy for an error while writing outside of the image roots, if there is one.
pub(super) fn output_advice(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; run this as a user that may write there".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "; its file system is mounted read-only".to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make space on its file system".to_owned()
        }
        io::ErrorKind::NotFound => match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                format!("; create the directory {} first", show(parent))
            }
            _ => String::new(),
        },
        _ => String::new(),
    }
}
