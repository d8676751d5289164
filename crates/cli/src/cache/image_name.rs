//! Converts references to file names and back.

use crate::error::Failure;
use sifcache_core::candidate;
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::Reference;

/// The suffix that `singularity pull` and users append.
const SUFFIX: &str = ".sif";

/// Suffixes of files that a program is still writing, or that a user has set aside. A valid
/// reference could end with one of them, but in practice none does.
const LEFTOVERS: [&str; 8] =
    [".tmp", ".part", ".partial", ".filepart", ".old", ".bak", ".orig", ".new"];

/// Parses a reference as users type it: with or without `docker://`.
///
/// # Errors
/// If the reference is invalid or its transport is not docker.
pub(crate) fn parse(text: &str) -> Result<Reference, Failure> {
    let bare = Transport::Docker.name_in(text).unwrap_or(text);
    if let Some((scheme, _)) = bare.split_once("://") {
        return Err(Failure::Transport { text: text.to_owned(), scheme: scheme.to_owned() });
    }
    Reference::parse(bare.as_bytes())
        .map_err(|error| Failure::Reference { text: text.to_owned(), error })
}

/// The short name, which users type and which is the usual file name. The tag is omitted if there
/// is a digest, because the tag would name another file.
pub(crate) fn short(reference: &Reference) -> String {
    with_end(reference.short_repository(), reference)
}

/// Like [`short`], but with the registry and the whole repository.
pub(crate) fn full(reference: &Reference) -> String {
    with_end(reference.full_repository(), reference)
}

fn with_end(repository: String, reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("{repository}@{digest}"),
        (None, Some(tag)) => format!("{repository}:{tag}"),
        (None, None) => repository,
    }
}

/// The short name of the same repository with this digest.
pub(crate) fn with_digest(reference: &Reference, digest: &str) -> String {
    format!("{}@{digest}", reference.short_repository())
}

/// The reference that leads a job to the file called `name`, if there is one.
pub(crate) fn reference(name: &str) -> Option<Reference> {
    let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
    if is_leftover(stem) {
        return None;
    }
    let parsed = [stem, name].iter().find_map(|text| Reference::parse(text.as_bytes()).ok())?;
    // The reference as typed is itself a candidate, but not if it has both a tag and a digest.
    let leads_there = parsed.digest().is_none()
        || candidate::names(&parsed).iter().any(|candidate| candidate == name);
    leads_there.then_some(parsed)
}

/// Whether the name shows that the file is unfinished or was set aside.
pub(crate) fn is_leftover(name: &str) -> bool {
    let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
    stem.contains(".sif.") || LEFTOVERS.iter().any(|ending| stem.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::{parse, reference, short, with_digest};

    fn shown(name: &str) -> Option<String> {
        reference(name).map(|reference| short(&reference))
    }

    #[test]
    fn file_names_map_to_references() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let (pinned, both) = (format!("o/i@{digest}"), format!("o/i:1@{digest}"));
        for (name, expected) in [
            ("ubuntu", Some("ubuntu:latest")),
            ("ubuntu.sif", Some("ubuntu:latest")),
            ("ubuntu:22.04.sif", Some("ubuntu:22.04")),
            ("docker.io/library/ubuntu:22.04", Some("ubuntu:22.04")),
            ("quay.io/o/i:1", Some("quay.io/o/i:1")),
            ("o/i:1.0", Some("o/i:1.0")),
            (pinned.as_str(), Some(pinned.as_str())),
            (both.as_str(), None),
            ("foo.sif.tmp", None),
            ("foo:1.sif.part", None),
            ("foo:1.bak", None),
            ("o/.i:1.sif.Ab12Cd", None),
            ("Foo.sif", None),
            ("o/README.md", None),
            ("o/i:1 (copy)", None),
            ("o/i:", None),
        ] {
            assert_eq!(shown(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn references_are_parsed_as_users_type_them() {
        assert_eq!(short(&parse("docker://ubuntu").unwrap()), "ubuntu:latest");
        let reference = parse("quay.io/o/i:1").unwrap();
        assert_eq!(with_digest(&reference, "sha256:0f"), "quay.io/o/i@sha256:0f");
        for (wrong, message) in [
            ("library://a/b", "library://a/b: images of library:// have no name in the cache"),
            (
                "Foo",
                "'Foo' is not a valid image reference: its path is not lower-case words joined by . _ __ - or /",
            ),
            ("", "'' is not a valid image reference: it is empty"),
        ] {
            assert_eq!(parse(wrong).unwrap_err().to_string(), message);
        }
    }
}
