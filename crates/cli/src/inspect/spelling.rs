//! Properties of a file name: which spellings of its reference lead to it, and whether the name is
//! suspicious.

use crate::cache::image_name;
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::Reference;

/// File name suffixes that workflow engines use.
pub(super) const ENGINE_SUFFIXES: [&str; 2] = [".img", ".simg"];

/// Whether all spellings of the reference lead to a file of this name. The short and the full name
/// are looked up for all spellings; the name as typed is only looked up for the spelling that was
/// typed.
pub(super) fn is_universal(reference: &Reference, name: &str) -> bool {
    if reference.transport() != Transport::Docker {
        return true;
    }
    let stem = name.strip_suffix(".sif").unwrap_or(name);
    stem == image_name::short(reference) || stem == image_name::full(reference)
}

/// Whether the name justifies reading the origin from the file: it has no tag, or only one path
/// component.
pub(super) fn is_suspicious(name: &str) -> bool {
    // A pull of another transport records nothing about it, and the image may have any origin.
    if Transport::of_file(name).0 != Transport::Docker {
        return false;
    }
    let stem = stem(name);
    !stem.contains('@') && (!has_tag(stem) || !stem.contains('/'))
}

pub(super) fn has_tag(stem: &str) -> bool {
    stem.rsplit('/').next().is_some_and(|last| last.contains(':'))
}

/// The name without the suffixes of pulls and workflow engines.
pub(super) fn stem(name: &str) -> &str {
    let name = name.strip_suffix(".sif").unwrap_or(name);
    ENGINE_SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}
