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

/// Parses a reference as users type it: with its transport, or without `docker://`.
///
/// # Errors
/// The reference is invalid, or images of its transport have no names.
pub(crate) fn parse(text: &str) -> Result<Reference, Failure> {
    let named = Transport::ALL.iter().find_map(|one| Some((*one, one.name_in(text)?)));
    let (transport, name) = named.unwrap_or((Transport::Docker, text));
    if let Some((scheme, _)) = name.split_once("://").filter(|_| !transport.is_web()) {
        return Err(Failure::Transport { text: text.to_owned(), scheme: scheme.to_owned() });
    }
    // A URL that is not valid may contain a password.
    let shown = if transport.is_web() { transport.uri("...") } else { text.to_owned() };
    Reference::parse_for(transport, name.as_bytes())
        .map_err(|error| Failure::Reference { text: shown, error })
}

/// The usual file name of the image, relative to an image root.
pub(crate) fn file(reference: &Reference) -> String {
    candidate::usual(reference)
}

/// The usual file name of the image with this digest.
pub(crate) fn file_with_digest(reference: &Reference, digest: &str) -> String {
    format!("{}@{digest}", candidate::repository(reference))
}

/// The short name, which users type. For docker it is also the usual file name; for other
/// transports it begins with the transport. The tag is omitted if there is a digest, because the
/// tag would name another file.
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
    let is_web = Transport::of_file(name).0.is_web();
    // The suffix is part of a URL.
    let stem = if is_web { name } else { name.strip_suffix(SUFFIX).unwrap_or(name) };
    if !is_web && is_leftover(stem) {
        return None;
    }
    let parsed = [stem, name].iter().find_map(|text| candidate::reference(text).ok())?;
    // The docker reference as typed is itself a candidate, but not if it has both a tag and a
    // digest. The names of the other transports have to be in normal form.
    let leads_there = (parsed.digest().is_none() && parsed.transport() == Transport::Docker)
        || candidate::names(&parsed).iter().any(|candidate| candidate == name);
    leads_there.then_some(parsed)
}

/// The references that lead to the files of these names: those with a tag first, then those with a
/// digest.
pub(crate) fn references<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Reference> {
    let mut all: Vec<Reference> = names.filter_map(reference).collect();
    all.sort_by_key(|reference| reference.digest().is_some());
    all
}

/// What users type to get the file of these names: its `reference` in short form; or, if jobs look up
/// no such name for that, the name itself. A file `ubuntu` is found for `docker://ubuntu`, but not for
/// `docker://ubuntu:latest`.
pub(crate) fn typed<'a>(reference: &'a str, files: impl Iterator<Item = &'a str>) -> &'a str {
    let Ok(wanted) = parse(reference) else { return reference };
    let candidates = candidate::names(&wanted);
    let mut instead = None;
    for file in files {
        if candidates.iter().any(|candidate| candidate == file) {
            return reference;
        }
        let stem = file.strip_suffix(SUFFIX).unwrap_or(file);
        let leads_there = |parsed: &Reference| {
            short(parsed) == reference && candidate::names(parsed).iter().any(|name| name == file)
        };
        if instead.is_none() && parse(stem).is_ok_and(|parsed| leads_there(&parsed)) {
            instead = Some(stem);
        }
    }
    instead.unwrap_or(reference)
}

/// Whether the name shows that the file is unfinished or was set aside.
pub(crate) fn is_leftover(name: &str) -> bool {
    let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
    stem.contains(".sif.") || LEFTOVERS.iter().any(|ending| stem.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::{file, file_with_digest, parse, reference, short, typed, with_digest};

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
            ("_oras/ghcr.io/o/i:1", Some("oras://ghcr.io/o/i:1")),
            ("_oras/ghcr.io/o/i:1.sif", Some("oras://ghcr.io/o/i:1")),
            ("_oras/ghcr.io/o/i", None),
            ("_oras/o/i:1", None),
            ("_oras/ghcr.io/o/i:1.sif.tmp", None),
            ("_library/e/c/i:1", Some("library://e/c/i:1")),
            ("_https/h.io/d/i.sif", Some("https://h.io/d/i.sif")),
            ("_https/h.io/d/i.old", Some("https://h.io/d/i.old")),
            ("_https/H.io/d/i.sif", None),
            ("_https/i.sif", None),
            ("_https/h.io/i.sif?download=1", None),
            ("_shub/o/i:1", None),
        ] {
            assert_eq!(shown(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_file_is_named_so_that_jobs_find_it() {
        for (reference, files, expected) in [
            ("ubuntu:latest", &["ubuntu"][..], "ubuntu"),
            ("ubuntu:latest", &["ubuntu.sif"], "ubuntu"),
            ("ubuntu:latest", &["ubuntu", "ubuntu:latest"], "ubuntu:latest"),
            ("ubuntu:latest", &["docker.io/library/ubuntu"], "docker.io/library/ubuntu"),
            ("ubuntu:latest", &["docker.io/library/ubuntu:latest.sif"], "ubuntu:latest"),
            ("quay.io/o/i:latest", &["o/x", "quay.io/o/i.sif"], "quay.io/o/i"),
            ("o/i:1", &["o/i:1"], "o/i:1"),
            (
                "oras://ghcr.io/o/i:latest",
                &["_oras/ghcr.io/o/i:latest"],
                "oras://ghcr.io/o/i:latest",
            ),
            ("https://h.io/d/i.sif", &["_https/h.io/d/i.sif"], "https://h.io/d/i.sif"),
        ] {
            assert_eq!(typed(reference, files.iter().copied()), expected, "{reference} {files:?}");
        }
    }

    #[test]
    fn references_are_parsed_as_users_type_them() {
        assert_eq!(short(&parse("docker://ubuntu").unwrap()), "ubuntu:latest");
        let reference = parse("quay.io/o/i:1").unwrap();
        assert_eq!(with_digest(&reference, "sha256:0f"), "quay.io/o/i@sha256:0f");
        for (text, name, printed) in [
            ("docker://quay.io/o/i:1", "quay.io/o/i:1", "quay.io/o/i:1"),
            ("oras://h.io/i", "_oras/h.io/i:latest", "oras://h.io/i:latest"),
            ("library://i", "_library/i:latest", "library://i:latest"),
            ("https://H.io/a?download=1", "_https/h.io/a", "https://h.io/a"),
        ] {
            let reference = parse(text).unwrap();
            assert_eq!(
                (file(&reference), short(&reference)),
                (name.to_owned(), printed.to_owned())
            );
        }
        let oras = parse("oras://h.io/i:1").unwrap();
        assert_eq!(with_digest(&oras, "sha256:0f"), "oras://h.io/i@sha256:0f");
        assert_eq!(file_with_digest(&oras, "sha256:0f"), "_oras/h.io/i@sha256:0f");
        for (wrong, message) in [
            ("shub://a/b", "shub://a/b: images of shub:// have no name in the cache"),
            (
                "docker://oras://h.io/b",
                "docker://oras://h.io/b: images of oras:// have no name in the cache",
            ),
            (
                "https://user:s3cret@h.io/a",
                "'https://...' is not a valid image reference: it contains a user name",
            ),
            (
                "http://h.io/a?token=s3cret",
                "'http://...' is not a valid image reference: it has a query other than ?download=1",
            ),
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
