//! The settings in effect: those of `--root`, else the site's own.

use crate::cache::store;
use crate::error::Failure;
use crate::options::{Site, Untrusted};
use crate::ui::stderr;
use sifcache_core::layout::{ForeignRoot, Layout};
use sifcache_core::settings::{self, Settings};
use sifcache_plugstack as plugstack;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The settings for this run.
///
/// # Errors
/// The settings are invalid or missing, or cannot be read.
pub(crate) fn settings(site: &Site) -> Result<Settings, Failure> {
    match &site.root {
        Some(root) => from_root(root, site.untrusted),
        None => from_plugstack(site.plugstack.as_deref()),
    }
}

/// The settings, or `None` if this host has none, because the logs of a cluster can also be read on a
/// host without access to its cache.
///
/// # Errors
/// The settings exist, but are invalid or cannot be read.
pub(crate) fn settings_if_any(site: &Site) -> Result<Option<Settings>, Failure> {
    use plugstack::Error::{NoLine, NotFound};
    match settings(site) {
        Err(Failure::Plugstack(NotFound(_) | NoLine(_))) => Ok(None),
        other => other.map(Some),
    }
}

/// The image root to change: `--into`, else the last one.
///
/// # Errors
/// `--into` is not one of the image roots, so jobs would not look there.
pub(crate) fn target(settings: &Settings, into: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(into) = into else { return own(settings, settings.image_roots.last()) };
    let into = plain(into)?;
    if settings.image_roots.contains(&into) {
        return Ok(into);
    }
    Err(Failure::not_in_own_root("--into ", into, settings))
}

/// Fails if none of the image roots exists: a misspelt name must not look like an empty cache. Of
/// several roots, a host may lack some; a message names those of `--root`.
///
/// # Errors
/// No image root exists.
pub(crate) fn require_roots(site: &Site, settings: &Settings) -> Result<(), Failure> {
    let absence = |(root, _): (&Path, _)| Some((root.to_owned(), store::absence(root)?));
    let absent: Vec<_> = settings.search_path().filter_map(absence).collect();
    let are_all = absent.len() == settings.search_path().count();
    match (absent.is_empty(), Failure::AbsentRoots(absent)) {
        (false, failure) if are_all => return Err(failure),
        (false, failure) if site.root.is_some() => stderr::message(&failure.to_string()),
        _ => {}
    }
    Ok(())
}

/// Like [`require_roots`], for a command that also works on a host without the site's image roots.
///
/// # Errors
/// No directory of `--root` exists.
pub(crate) fn require_given(site: &Site, settings: &Settings) -> Result<(), Failure> {
    if site.root.is_some() { require_roots(site, settings) } else { Ok(()) }
}

/// Returns `root`, one of the image roots of sifcache's own layout, if the site has such roots.
///
/// # Errors
/// All image roots are filled by other tools.
pub(crate) fn own(settings: &Settings, root: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    root.cloned().ok_or_else(|| {
        let foreign = settings.foreign_roots.first();
        let word = |root: &ForeignRoot| format!("{}={}", root.layout, root.path.display());
        Failure::NoOwnRoot(foreign.map(word).unwrap_or_default())
    })
}

fn from_root(root: &OsStr, untrusted: Untrusted) -> Result<Settings, Failure> {
    let image_root = format!("image_root={}", absolute(root)?).into_bytes();
    let mut settings = Settings::parse(&[image_root]).map_err(Failure::Root)?;
    settings.untrusted = match untrusted {
        Untrusted::Refuse => settings::Untrusted::Refuse,
        Untrusted::Accept => settings::Untrusted::Accept,
    };
    Ok(settings)
}

/// One image root, escaped for use as the value of `--root`.
pub(crate) fn root_word(root: &Path) -> OsString {
    let escape = |text: &str| settings::escape_root(text).into();
    // Settings are UTF-8 text, so every root in them is UTF-8 as well.
    root.to_str().map_or_else(|| root.into(), escape)
}

/// The value of `--root` with each directory made absolute: unlike plugstack.conf, a command line has
/// a working directory that relative paths refer to. If the whole value names an existing directory,
/// it is one root, even with a colon in its name.
///
/// # Errors
/// The working directory is not known.
pub(crate) fn absolute(root: &OsStr) -> io::Result<String> {
    let text = root.to_string_lossy();
    let directories = match Path::new(root).is_dir() {
        true => vec![text.into_owned()],
        false => settings::split_roots(&text),
    };
    let mut roots: Vec<String> = Vec::with_capacity(directories.len());
    for directory in directories {
        let (prefix, path) = match Layout::split(&directory) {
            Some((layout, path)) => (format!("{layout}="), path),
            None => (String::new(), directory.as_str()),
        };
        roots.push(match path {
            "" => directory,
            _ => {
                let path = without_parents(Path::new(path))?;
                format!("{prefix}{}", settings::escape_root(&path.to_string_lossy()))
            }
        });
    }
    Ok(roots.join(":"))
}

/// An absolute path. One with `..`, which a setting must not have, is resolved if it exists.
fn without_parents(path: &Path) -> io::Result<PathBuf> {
    match has_parents(path) {
        true => fs::canonicalize(path).or_else(|_| std::path::absolute(path)),
        false => std::path::absolute(path),
    }
}

/// An absolute path without `.`, `..` and repeated slashes, so that its components can be compared
/// with those of another one. If it has `..`, the links on the way to its last component are
/// followed, as the kernel does. A path whose directory does not exist keeps its `..`.
///
/// # Errors
/// The working directory is not known.
pub(crate) fn plain(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let real = match (has_parents(&absolute), absolute.parent(), absolute.file_name()) {
        (false, ..) => None,
        (true, Some(parent), Some(name)) => fs::canonicalize(parent).map(|at| at.join(name)).ok(),
        (true, ..) => fs::canonicalize(&absolute).ok(),
    };
    Ok(real.unwrap_or(absolute).components().collect())
}

/// Whether the path has `..`.
pub(crate) fn has_parents(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

fn from_plugstack(path: Option<&Path>) -> Result<Settings, Failure> {
    let path = path.map_or_else(plugstack::locate, |path| Ok(path.to_owned()));
    let line = path.and_then(|path| plugstack::line(&path)).map_err(Failure::Plugstack)?;
    Settings::parse(&line.arguments).map_err(|error| Failure::Settings { file: line.file, error })
}

#[cfg(test)]
mod tests {
    use super::{from_root, root_word};
    use crate::options::Untrusted;
    use sifcache_core::layout::Layout;
    use std::path::{Path, PathBuf};

    /// One host formats a root, and another host parses it as the same root, even if the directory
    /// does not exist on that host.
    #[test]
    fn an_escaped_root_is_parsed_as_one_root() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("a:b");
        std::fs::create_dir(&there).unwrap();
        let others = ["/local/sif", "/none/a:b", "/none/:", "/none/a:b:c/d e", "/none/b\\c"];
        for root in others.map(PathBuf::from).iter().chain([&there]) {
            let settings = from_root(&root_word(root), Untrusted::Accept).unwrap();
            assert_eq!(settings.image_roots, [root.as_path()], "{}", root.display());
        }
        let two = from_root("/a\\:b:/c".as_ref(), Untrusted::Accept).unwrap();
        assert_eq!(two.image_roots, ["/a:b", "/c"].map(Path::new));
    }

    /// In plugstack.conf, `..` is an error, but people type `--root ../sif`.
    #[test]
    fn a_root_in_a_parent_directory_is_resolved() {
        let directory = tempfile::tempdir().unwrap();
        let top = std::fs::canonicalize(directory.path()).unwrap();
        std::fs::create_dir_all(top.join("a/b")).unwrap();
        let parse = |root: PathBuf| from_root(root.as_os_str(), Untrusted::Accept);
        let settings = parse(top.join("a/b/../../a")).unwrap();
        assert_eq!(settings.image_roots, [top.join("a")]);
        let error = parse(top.join("none/../a")).unwrap_err().to_string();
        assert!(error.contains("none/../a"), "{error}");
    }

    #[test]
    fn the_root_of_another_tool_is_made_absolute() {
        let settings = from_root("galaxy=depot:pulls=/p\\:q".as_ref(), Untrusted::Accept).unwrap();
        let here = std::env::current_dir().unwrap();
        let expected = [(here.join("depot"), Layout::Galaxy), ("/p:q".into(), Layout::Pulls)];
        let foreign = settings.foreign_roots.iter();
        assert!(foreign.map(|root| (root.path.clone(), root.layout)).eq(expected));
        assert!(settings.image_roots.is_empty());
        assert!(from_root("galaxy=".as_ref(), Untrusted::Accept).is_err());
        let target = super::target(&settings, None).unwrap_err().to_string();
        assert!(
            target.ends_with(
                "image_root=/local/sif:galaxy=DEPOT"
                    .replace("DEPOT", &here.join("depot").display().to_string())
                    .as_str()
            ),
            "{target}"
        );
        let into = super::target(&settings, Some(Path::new("/p:q"))).unwrap_err().to_string();
        assert!(into.starts_with("--into /p:q: image_root=pulls=/p:q is filled"), "{into}");
    }
}
