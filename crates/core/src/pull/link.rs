//! `pull=link`: finds the path to which the file of a pull can link.
//!
//! The file that a pull writes has to keep its content. The name of an image with a tag does not,
//! because the tag can move to another image. So a link leads to the image's name by digest, which
//! is a hard link to the same file. `sifcache add`, `import` and `stage` create that name.
//!
//! Only the last image root is linked to. The roots before it may be on the disk of one node, and
//! the link may be used on another node.

use crate::candidate;
use crate::image::State;
use crate::layout::Place;
use crate::lookup::{self, Prober, Searched};
use crate::reference::Reference;
use crate::settings::Settings;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Why a pull is answered with a copy although the site has `pull=link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLinked {
    /// The image has no name by digest.
    NoDigestName,
    /// The last image root has no image of this digest.
    NotInLastRoot,
    /// The file system of the target has no symbolic links.
    NoSymbolicLinks,
    /// The target is a name of the image in an image root, which would become a link to itself.
    TargetIsImage,
}

impl NotLinked {
    /// A stable word for scripts.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::NoDigestName => "no-digest-name",
            Self::NotInLastRoot => "not-in-last-root",
            Self::NoSymbolicLinks => "no-symbolic-links",
            Self::TargetIsImage => "target-is-image",
        }
    }
}

impl fmt::Display for NotLinked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDigestName => "the image has no name by digest",
            Self::NotInLastRoot => "the last image root has no image of this digest",
            Self::NoSymbolicLinks => "the file system of the target has no symbolic links",
            Self::TargetIsImage => "the target is the image in the image root",
        })
    }
}

/// The target for a link in place of `file`. `image` is the hit of a lookup of `reference`.
///
/// # Errors
/// There is no suitable target, so the image has to be copied.
pub fn target(
    image: &Path,
    file: &Path,
    reference: &Reference,
    settings: &Settings,
    prober: &dyn Prober,
) -> Result<PathBuf, NotLinked> {
    let digests = match reference.digest() {
        Some(digest) => vec![digest.to_owned()],
        None => digests(image, reference, &settings.image_roots),
    };
    if digests.is_empty() {
        return Err(NotLinked::NoDigestName);
    }
    let pinned = |digest: &String| {
        let name = format!("{}@{digest}", candidate::repository(reference));
        candidate::reference(&name).ok()
    };
    let pinned: Vec<Reference> = digests.iter().filter_map(pinned).collect();
    let names = || pinned.iter().flat_map(candidate::names).map(Place::File).collect();
    // Roots in the layout of another tool have no names by digest.
    let last = settings.image_roots.last();
    let last: Vec<_> = last.iter().map(|root| Searched { root, places: names() }).collect();
    let found = lookup::search(&last, settings.untrusted, prober);
    let is_image = |candidate: &&lookup::Candidate| candidate.state == State::Image;
    let found = found.into_iter().find(|candidate| is_image(&candidate));
    let path = found.ok_or(NotLinked::NotInLastRoot)?.path;
    // On a file system without hard links, the name by digest is a symbolic link to the name with
    // the tag, and follows the tag.
    let metadata = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file);
    let metadata = metadata.ok_or(NotLinked::NoDigestName)?;
    let is_it = |file: fs::Metadata| (file.dev(), file.ino()) == (metadata.dev(), metadata.ino());
    if fs::symlink_metadata(file).is_ok_and(is_it) {
        return Err(NotLinked::TargetIsImage);
    }
    Ok(path)
}

/// The digests in the names of the image's file, in the image root where it was found.
fn digests(image: &Path, reference: &Reference, roots: &[PathBuf]) -> Vec<String> {
    let Some(root) = roots.iter().find(|root| image.starts_with(root)) else { return Vec::new() };
    let Ok(file) = fs::metadata(image) else { return Vec::new() };
    let mut digests = Vec::new();
    for repository in candidate::repositories(reference) {
        let path = root.join(&repository);
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { continue };
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Some(digest) = digest(&entry.file_name(), name) else { continue };
            let is_it = |other: fs::Metadata| {
                (other.dev(), other.ino()) == (file.dev(), file.ino()) && !digests.contains(&digest)
            };
            // A symbolic link is not followed here, so it is another file.
            if entry.metadata().is_ok_and(is_it) {
                digests.push(digest);
            }
        }
    }
    digests.sort();
    digests
}

/// The digest in the file name `NAME@DIGEST` or `NAME@DIGEST.sif`.
fn digest(file_name: &std::ffi::OsStr, name: &std::ffi::OsStr) -> Option<String> {
    let rest = file_name.to_str()?.strip_prefix(name.to_str()?)?.strip_prefix('@')?;
    Some(rest.strip_suffix(".sif").unwrap_or(rest).to_owned())
}

#[cfg(test)]
mod tests;
