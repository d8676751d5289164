//! The environment variables that direct launches inside a job script to the shim, and their
//! removal.
//!
//! The plugin changes the environment of a task. The processes that the task starts inherit it:
//!
//! | `nested=` | variable | change |
//! | --- | --- | --- |
//! | `path` | `PATH` | the directories of the shims are added in front: [`shims`] |
//! | `preload` | `LD_PRELOAD` | the interposer is added at the end |
//! | `preload`, `off` | `PATH` | shims that were added on a login node are removed |
//! | `path`, `preload` | [`SETTINGS`] | is set to the plugin's arguments, for the shim |
//!
//! The changes can be undone byte for byte. A runtime and the processes in its container therefore
//! see the same environment as without sifcache.
//! This module does not access a file system or the environment: callers apply each [`Change`].

pub mod shims;

use crate::settings::Nested;
use std::borrow::Cow;

/// The installation directory of the shim and the interposer. Setting `SIFCACHE_LIBEXECDIR` at
/// build time overrides the default.
pub const DIRECTORY: &str = match option_env!("SIFCACHE_LIBEXECDIR") {
    Some(directory) => directory,
    None => "/usr/libexec/sifcache",
};

// `PATH` and `LD_PRELOAD` have no way to escape blanks, ':' or '$'.
const _: () = {
    let mut rest = DIRECTORY.as_bytes();
    assert!(matches!(rest, [b'/', ..]), "SIFCACHE_LIBEXECDIR must be absolute");
    while let [byte, tail @ ..] = rest {
        assert!(
            byte.is_ascii_graphic() && !matches!(byte, b':' | b'$'),
            "SIFCACHE_LIBEXECDIR must not have blanks, ':' or '$'"
        );
        rest = tail;
    }
};

/// File name of the shim in [`DIRECTORY`].
pub const SHIM: &str = "sifcache-shim";
/// The directory of the shims in [`DIRECTORY`]. The names of all other directories of shims are
/// this name followed by `-` and a word: see [`shims`].
pub const SHIMS: &str = "bin";
/// File name of the interposer in [`DIRECTORY`].
pub const INTERPOSER: &str = "libsifcache_preload.so";

/// File name of the link to the command `sifcache` in [`DIRECTORY`]. Through it, the plugin and the
/// shim start the installed command, wherever that is, without a search in `PATH`.
pub const COMMAND: &str = "sifcache";

/// The environment variable with the plugin's arguments, separated by blanks.
///
/// The runtimes do not pass on variables whose name begins with `SINGULARITY_`. A container
/// therefore cannot see this variable, even if its runtime was started without the shim.
pub const SETTINGS: &str = "SINGULARITY_SIFCACHE";
/// The environment variable with which the interposer passes the path of the runtime to the shim.
pub const RUNTIME: &str = "SINGULARITY_SIFCACHE_RUNTIME";

/// The maximum length of `NAME=VALUE` with its null byte that Slurm accepts, in bytes. It is one
/// byte less than the kernel's limit, `MAX_ARG_STRLEN` in linux/binfmts.h. If a plugin sets a
/// longer variable, Slurm reports this to the user.
const MAX_VARIABLE: usize = 32 * 4096 - 1;

/// The full path of the file or directory `name` in [`DIRECTORY`].
#[must_use]
pub fn installed(name: &str) -> String {
    [DIRECTORY, "/", name].concat()
}

/// A change of one environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The name of the variable.
    pub name: &'static str,
    /// The new value; `None` removes the variable.
    pub value: Option<Vec<u8>>,
}

/// The changes that direct launches to the shim. `shims` are the directories for `PATH`,
/// `settings` are the plugin's arguments separated by blanks, and `get` returns the value of a
/// variable.
///
/// With [`Nested::Off`], the changes remove everything that sifcache has added. The result is empty
/// if one of the new values would exceed the length that Slurm accepts.
#[must_use]
pub fn changes(
    nested: Nested,
    shims: &[String],
    settings: &[u8],
    get: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Vec<Change> {
    let (path, preload) = ("PATH", "LD_PRELOAD");
    let library = installed(INTERPOSER);
    let changes = match nested {
        Nested::Path => {
            vec![
                change(get, path, |old| in_front(old?, shims)),
                change(get, SETTINGS, |_| Some(settings.to_vec().into())),
            ]
        }
        Nested::Preload => vec![
            // Login nodes may have the shims in `PATH` although jobs do not use them.
            change(get, path, |old| without_shims(old?)),
            change(get, preload, |old| Some(at_the_end(old, &library))),
            change(get, SETTINGS, |_| Some(settings.to_vec().into())),
        ],
        Nested::Off => vec![
            change(get, path, |old| without_shims(old?)),
            change(get, preload, |old| without_library(old?, &library)),
            change(get, SETTINGS, |_| None),
            change(get, RUNTIME, |_| None),
        ],
    };
    // All or nothing: a shim without settings is useless, and so are settings without a shim.
    let changes: Result<_, TooLong> = changes.into_iter().filter_map(Result::transpose).collect();
    changes.unwrap_or_default()
}

/// Slurm does not accept the new value.
struct TooLong;

/// The change of a variable, whose new value `edit` makes from the old one; `None` if both are equal.
/// Reads the variable once: a search of the whole environment takes most of the time.
fn change(
    get: &dyn Fn(&str) -> Option<Vec<u8>>,
    name: &'static str,
    edit: impl FnOnce(Option<&[u8]>) -> Option<Cow<'_, [u8]>>,
) -> Result<Option<Change>, TooLong> {
    let old = get(name);
    let new = edit(old.as_deref());
    if new.as_ref().is_some_and(|value| name.len() + value.len() + 2 > MAX_VARIABLE) {
        return Err(TooLong);
    }
    let is_changed = new.as_deref() != old.as_deref();
    Ok(is_changed.then(|| Change { name, value: new.map(Cow::into_owned) }))
}

/// `PATH` with the directories `shims` in front and all other directories of shims removed. Callers
/// leave an unset `PATH` unset: if it had only these directories, no other program would be found.
fn in_front<'a>(path: &'a [u8], shims: &[String]) -> Option<Cow<'a, [u8]>> {
    if shims.is_empty() {
        return without_shims(path);
    }
    let rest = without_shims(path).unwrap_or_default();
    Some([shims.join(":").as_bytes(), b":", &rest].concat().into())
}

/// `PATH` without any directory of shims; `None` if it has no other entry.
///
/// An empty `PATH` is returned unchanged, because its one empty entry stands for the working
/// directory.
#[must_use]
pub fn without_shims(path: &[u8]) -> Option<Cow<'_, [u8]>> {
    let entries = || path.split(|byte| *byte == b':');
    // Most tasks inherit no shims.
    if !entries().any(is_shims) {
        return Some(path.into());
    }
    let rest: Vec<&[u8]> = entries().filter(|entry| !is_shims(entry)).collect();
    (!rest.is_empty()).then(|| rest.join(&b':').into())
}

/// Whether an entry of `PATH` is a directory of shims. Slashes at its end are ignored.
#[must_use]
pub fn is_shims(entry: &[u8]) -> bool {
    let Some(name) = entry.strip_prefix(DIRECTORY.as_bytes()) else { return false };
    let end = name.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let name = name.get(..end).unwrap_or_default().strip_prefix(b"/");
    match name.and_then(|name| name.strip_prefix(SHIMS.as_bytes())) {
        Some([]) => true,
        Some([b'-', rest @ ..]) => !rest.is_empty() && !rest.contains(&b'/'),
        _ => false,
    }
}

/// Whether `byte` separates libraries in `LD_PRELOAD`: see ld.so(8).
fn is_separator(byte: u8) -> bool {
    matches!(byte, b':' | b' ')
}

/// `LD_PRELOAD` with `library` after the user's own libraries. A value that already contains
/// `library` is returned unchanged.
fn at_the_end<'a>(preload: Option<&'a [u8]>, library: &str) -> Cow<'a, [u8]> {
    match preload {
        Some(old) if place(old, library).is_some() => old.into(),
        Some(old) => [old, b":".as_slice(), library.as_bytes()].concat().into(),
        None => library.as_bytes().to_vec().into(),
    }
}

/// `LD_PRELOAD` without `library` and the separator that was added with it; `None` if it has no
/// other entry.
fn without_library<'a>(preload: &'a [u8], library: &str) -> Option<Cow<'a, [u8]>> {
    let Some(start) = place(preload, library) else { return Some(preload.into()) };
    let (before, rest) = preload.split_at_checked(start)?;
    let after = rest.get(library.len()..).unwrap_or_default();
    match (before.split_last(), after.split_first()) {
        (Some((_, before)), _) => Some([before, after].concat().into()),
        (None, Some((_, after))) => Some(after.into()),
        (None, None) => None,
    }
}

/// The offset of `library` in `preload`, where it is a complete entry.
fn place(preload: &[u8], library: &str) -> Option<usize> {
    let mut start = 0;
    for word in preload.split(|byte| is_separator(*byte)) {
        if word == library.as_bytes() {
            return Some(start);
        }
        start += word.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests;
