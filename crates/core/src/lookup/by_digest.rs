//! A directory with one image, whose name ends in its digest.

use super::is_same_repository;
use crate::image::State;
use crate::image::visit::Visit;
use crate::layout::ByDigest;
use crate::reference::Reference;
use std::fs;

/// The maximum number of entries that are read from the directory. shpc stores an image and a
/// script there.
const MAX_ENTRIES: usize = 64;

/// Checks the image in the directory. The result has its name relative to the root, if that is
/// known.
pub(super) fn check(root: &mut Visit<'_>, by: &ByDigest<'_>) -> (Option<String>, State) {
    let digest = match by.reference.digest() {
        Some(digest) => digest.to_owned(),
        None => match only(root, by) {
            Ok(digest) => digest,
            Err(state) => return (None, state),
        },
    };
    let name = format!("{}/{}{digest}.sif", by.directory, by.prefix);
    let state = root.check(&name, Some(&|theirs| is_pulled(by.reference, &digest, theirs)));
    (Some(name), state)
}

/// Whether a file that is named after `digest` and records `theirs` is the image of `wanted`.
///
/// The record has the digest, or the tag: a runtime that has pulled the tag before takes the image
/// from its own cache, with the record of the first pull.
fn is_pulled(wanted: &Reference, digest: &str, theirs: &Reference) -> bool {
    let is_tag =
        || (wanted.digest(), theirs.digest()) == (None, None) && wanted.tag() == theirs.tag();
    is_same_repository(wanted, theirs) && (theirs.digest() == Some(digest) || is_tag())
}

/// The digest in the only name of an image in the directory. The check of that image decides
/// whether the directory is trusted.
fn only(root: &Visit<'_>, by: &ByDigest<'_>) -> Result<String, State> {
    let (mut only, mut count) = (None, 0);
    for entry in fs::read_dir(root.join(&by.directory))? {
        let name = entry?.file_name();
        count += 1;
        let digest = name.to_str().and_then(|name| by.digest_in(name)).map(str::to_owned);
        let is_second = digest.is_some() && only.is_some();
        if is_second || count > MAX_ENTRIES {
            return Err(State::SeveralFiles);
        }
        only = digest.or(only);
    }
    only.ok_or(State::Absent)
}
