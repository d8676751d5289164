//! How launches inside a job script come to the shim, and how its traces go away.
//!
//! The plugin changes the environment of a task, and what the task starts inherits it:
//!
//! | `nested=` | variable | gets |
//! | --- | --- | --- |
//! | `path` | `PATH` | the directories of the shims in front: [`shims`] |
//! | `preload` | `LD_PRELOAD` | the interposer at the end |
//! | both | [`SETTINGS`] | the plugin's arguments, for the shim |
//!
//! What is put in can be taken out again to the byte, so that a runtime and what runs in
//! its container see the environment that there would be without us.
//! Nothing here touches a file system or an environment: callers apply the [`Change`]s.

pub mod shims;

use crate::settings::Nested;

/// Where the shim and the interposer are installed; `SIFCACHE_LIBEXECDIR` at build time
/// says otherwise.
pub const DIRECTORY: &str = match option_env!("SIFCACHE_LIBEXECDIR") {
    Some(directory) => directory,
    None => "/usr/libexec/sifcache",
};

// `PATH` and `LD_PRELOAD` have no way to write such a character.
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
/// The directory of the shims in [`DIRECTORY`], and how the names of all others begin:
/// [`shims`].
pub const SHIMS: &str = "bin";
/// File name of the interposer in [`DIRECTORY`].
pub const INTERPOSER: &str = "libsifcache_preload.so";

/// The variable with the plugin's arguments, separated by blanks.
///
/// The runtimes do not pass on what begins with `SINGULARITY_`, so a container cannot see
/// it even where a runtime was started without the shim.
pub const SETTINGS: &str = "SINGULARITY_SIFCACHE";
/// The variable in which the interposer hands the path of the runtime to the shim.
pub const RUNTIME: &str = "SINGULARITY_SIFCACHE_RUNTIME";

/// As long as Slurm lets `NAME=VALUE` be, with its null byte, in bytes: one byte less than the
/// kernel, `MAX_ARG_STRLEN` in linux/binfmts.h. It tells the user if somebody asks for more.
const LONGEST: usize = 32 * 4096 - 1;

/// The full path of something in [`DIRECTORY`].
#[must_use]
pub fn installed(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

/// One variable to be set, or to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its name.
    pub name: &'static str,
    /// Its new value; none removes it.
    pub value: Option<Vec<u8>>,
}

/// What makes an environment lead launches to the shim. `shims` are the directories for
/// `PATH`, `settings` are the plugin's arguments; `get` gives the value of a variable.
///
/// With [`Nested::Off`] it is what takes every trace of us out.
#[must_use]
pub fn changes(
    nested: Nested,
    shims: &[String],
    settings: &[u8],
    get: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Vec<Change> {
    let (path, preload) = ("PATH", "LD_PRELOAD");
    let wanted = match nested {
        Nested::Path => vec![
            (path, get(path).and_then(|old| in_front(&old, shims))),
            (SETTINGS, Some(settings.to_vec())),
        ],
        Nested::Preload => vec![
            (preload, Some(at_the_end(get(preload), &installed(INTERPOSER)))),
            (SETTINGS, Some(settings.to_vec())),
        ],
        Nested::Off => vec![
            (path, get(path).and_then(|old| without_shims(&old))),
            (preload, get(preload).and_then(|old| without_library(&old, &installed(INTERPOSER)))),
            (SETTINGS, None),
            (RUNTIME, None),
        ],
    };
    let fits = |name: &str, value: &Option<Vec<u8>>| {
        value.as_ref().is_none_or(|value| name.len() + value.len() + 2 <= LONGEST)
    };
    // Half of a way would be a runtime that finds no settings, or settings for nobody.
    if !wanted.iter().all(|(name, value)| fits(name, value)) {
        return Vec::new();
    }
    wanted
        .into_iter()
        .filter(|(name, value)| get(name) != *value)
        .map(|(name, value)| Change { name, value })
        .collect()
}

/// `PATH` with these directories in front, and no other shims. An unset `PATH` stays unset:
/// with these alone no program would be found.
fn in_front(path: &[u8], shims: &[String]) -> Option<Vec<u8>> {
    if shims.is_empty() {
        return without_shims(path);
    }
    let rest = without_shims(path).unwrap_or_default();
    Some([shims.join(":").as_bytes(), b":", &rest].concat())
}

/// `PATH` without any directory of shims; none if that was all.
///
/// An empty value is not nothing: it stands for the working directory.
#[must_use]
pub fn without_shims(path: &[u8]) -> Option<Vec<u8>> {
    let rest: Vec<&[u8]> =
        path.split(|byte| *byte == b':').filter(|entry| !is_shims(entry)).collect();
    (!rest.is_empty()).then(|| rest.join(&b':'))
}

/// Whether an entry of `PATH` is a directory of shims, whatever slashes are at its end.
#[must_use]
pub fn is_shims(entry: &[u8]) -> bool {
    let end = entry.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let name = entry.get(..end).unwrap_or_default();
    let name = name.strip_prefix(DIRECTORY.as_bytes()).and_then(|name| name.strip_prefix(b"/"));
    match name.and_then(|name| name.strip_prefix(SHIMS.as_bytes())) {
        Some([]) => true,
        Some([b'-', rest @ ..]) => !rest.is_empty() && !rest.contains(&b'/'),
        _ => false,
    }
}

/// The characters between the libraries of `LD_PRELOAD`: ld.so(8).
fn separates(byte: u8) -> bool {
    matches!(byte, b':' | b' ')
}

/// `LD_PRELOAD` with `library` after what a user has put there.
fn at_the_end(preload: Option<Vec<u8>>, library: &str) -> Vec<u8> {
    match preload {
        Some(old) if place(&old, library).is_some() => old,
        Some(old) => [&old, b":".as_slice(), library.as_bytes()].concat(),
        None => library.as_bytes().to_vec(),
    }
}

/// `LD_PRELOAD` without `library` and the separator that came with it; none if that
/// was all.
fn without_library(preload: &[u8], library: &str) -> Option<Vec<u8>> {
    let Some(start) = place(preload, library) else { return Some(preload.to_vec()) };
    let (before, rest) = preload.split_at_checked(start)?;
    let after = rest.get(library.len()..).unwrap_or_default();
    match (before.split_last(), after.split_first()) {
        (Some((_, before)), _) => Some([before, after].concat()),
        (None, Some((_, after))) => Some(after.to_vec()),
        (None, None) => None,
    }
}

/// Where `library` stands as a word of its own.
fn place(preload: &[u8], library: &str) -> Option<usize> {
    let mut start = 0;
    for word in preload.split(|byte| separates(*byte)) {
        if word == library.as_bytes() {
            return Some(start);
        }
        start += word.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests;
