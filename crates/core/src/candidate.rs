//! The file names under which the image of a reference may be stored, in lookup order.
//!
//! A reference with a tag has these names: the reference exactly as typed, its short name, and its
//! full name. A reference with a digest has these names: the path with the digest, then the
//! registry and path with the digest. A file named after a tag is never used for a digest. Each
//! name is looked up without and then with the suffix `.sif`.
//!
//! A reference of another transport has one name below the directory of its transport: its normal
//! form. A URL is looked up without an added suffix, because the URL with the suffix names another
//! file. No two references with different normal forms have a name in common, except that a tag may
//! itself end with the suffix.

use crate::reference::{Error, Reference};
use crate::transport::Transport;

/// The suffix that `singularity pull` and people append to the name of an image file.
const SUFFIX: &str = ".sif";

/// The file names relative to an image root, in lookup order and without duplicates.
///
/// Every name is made from the text of a reference or from its normal form. By the grammar of
/// [`Reference`], no name is absolute, and none has a `..` or an empty component.
#[must_use]
pub fn names(reference: &Reference) -> Vec<String> {
    let stems = match reference.transport() {
        Transport::Docker => stems(reference),
        Transport::Oras | Transport::Library => vec![usual(reference)],
        Transport::Https | Transport::Http => return vec![usual(reference)],
    };
    let mut names: Vec<String> = Vec::with_capacity(stems.len() * 2);
    for stem in stems {
        let with_suffix = [&stem, SUFFIX].concat();
        for name in [stem, with_suffix] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The names of a docker reference without a suffix, in lookup order. There may be duplicates.
fn stems(reference: &Reference) -> Vec<String> {
    match reference.digest() {
        Some(digest) => digest_stems(reference, digest),
        None => tag_stems(reference, reference.tag().unwrap_or_default()),
    }
}

/// The name that is usual for the image of a reference. The tag is omitted if there is a digest,
/// because the tag would name another file.
#[must_use]
pub fn usual(reference: &Reference) -> String {
    let repository = repository(reference);
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("{repository}@{digest}"),
        (None, Some(tag)) => format!("{repository}:{tag}"),
        (None, None) => repository,
    }
}

/// The usual name without tag and digest.
#[must_use]
pub fn repository(reference: &Reference) -> String {
    match reference.transport().directory() {
        None => reference.short_repository(),
        Some(directory) => format!("{directory}/{}", reference.place()),
    }
}

/// The file names of the repository's tags, up to the tag. A URL has no tag.
#[must_use]
pub fn repositories(reference: &Reference) -> Vec<String> {
    let mut all = match reference.transport() {
        Transport::Docker => vec![reference.short_repository(), reference.full_repository()],
        transport if transport.is_web() => Vec::new(),
        _ => vec![repository(reference)],
    };
    all.dedup();
    all
}

/// The reference whose image may have this file name. A name that is not below the directory of
/// another transport belongs to docker.
///
/// # Errors
/// The name is not one of a reference of its transport.
pub fn reference(name: &str) -> Result<Reference, Error> {
    let (transport, name) = Transport::of_file(name);
    Reference::parse_for(transport, name.as_bytes())
}

fn tag_stems(reference: &Reference, tag: &str) -> Vec<String> {
    vec![
        reference.typed().to_owned(),
        [&reference.short_repository(), ":", tag].concat(),
        [&reference.full_repository(), ":", tag].concat(),
    ]
}

/// The path without the registry comes first, even for a registry other than Docker Hub: a digest
/// identifies the same content in every registry.
fn digest_stems(reference: &Reference, digest: &str) -> Vec<String> {
    let typed = typed_name(reference);
    vec![
        format!("{}@{digest}", typed_path(reference, typed)),
        format!("{}@{digest}", reference.short_repository()),
        format!("{typed}@{digest}"),
        format!("{}@{digest}", reference.full_repository()),
    ]
}

/// The typed text without tag and digest.
fn typed_name(reference: &Reference) -> &str {
    let name = reference.typed().split('@').next().unwrap_or_default();
    match reference.tag() {
        Some(tag) => name.strip_suffix(tag).and_then(|n| n.strip_suffix(':')).unwrap_or(name),
        None => name,
    }
}

/// The typed text without registry, tag and digest: the repository, or its last component if only
/// the normal form has added `library/`.
fn typed_path<'a>(reference: &'a Reference, typed: &str) -> &'a str {
    let repository = reference.repository();
    match repository.strip_prefix("library/") {
        Some(word) if !typed.ends_with(repository) => word,
        _ => repository,
    }
}

#[cfg(test)]
mod tests {
    use super::{names, reference, repositories, usual};
    use crate::image_uri::ImageUri;
    use crate::reference::Reference;

    fn stems(text: &str) -> Vec<String> {
        let all = names(&Reference::parse(text.as_bytes()).unwrap());
        for pair in all.chunks(2) {
            assert!(pair.len() == 2 && pair[1] == format!("{}.sif", pair[0]), "{all:?}");
        }
        all.into_iter().step_by(2).collect()
    }

    #[test]
    fn tags_are_looked_up_as_typed_then_short_then_full() {
        assert_eq!(stems("ubuntu"), ["ubuntu", "ubuntu:latest", "docker.io/library/ubuntu:latest"]);
        assert_eq!(stems("ubuntu:22.04"), ["ubuntu:22.04", "docker.io/library/ubuntu:22.04"]);
        assert_eq!(
            stems("index.docker.io/library/ubuntu:22.04"),
            [
                "index.docker.io/library/ubuntu:22.04",
                "ubuntu:22.04",
                "docker.io/library/ubuntu:22.04"
            ]
        );
        assert_eq!(
            stems("determinedai/environments:cpu"),
            ["determinedai/environments:cpu", "docker.io/determinedai/environments:cpu"]
        );
        assert_eq!(stems("localhost:5000/a"), ["localhost:5000/a", "localhost:5000/a:latest"]);
        assert_eq!(stems("quay.io/o/i:1"), ["quay.io/o/i:1"]);
        // `quay.io/o:1` is not a candidate: it names an image of another registry.
        assert_eq!(stems("docker.io/quay.io/o:1"), ["docker.io/quay.io/o:1"]);
        assert_eq!(stems("library/a/b:1"), ["library/a/b:1", "docker.io/library/a/b:1"]);
    }

    #[test]
    fn digests_never_by_tag() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let with = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("{name}@{digest}")).collect()
        };
        for typed in ["ubuntu", "ubuntu:22.04"] {
            let expected = with(&["ubuntu", "docker.io/library/ubuntu"]);
            assert_eq!(stems(&format!("{typed}@{digest}")), expected);
        }
        assert_eq!(
            stems(&format!("docker.io/library/ubuntu@{digest}")),
            with(&["library/ubuntu", "ubuntu", "docker.io/library/ubuntu"])
        );
        assert_eq!(
            stems(&format!("quay.io:443/o/i:1@{digest}")),
            with(&["o/i", "quay.io:443/o/i"])
        );
    }

    #[test]
    fn other_transports_have_directories_of_their_own() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        for (uri, expected) in [
            ("oras://ghcr.io/o/i", "_oras/ghcr.io/o/i:latest".to_owned()),
            (&format!("oras://h.io/i:1@{digest}"), format!("_oras/h.io/i@{digest}")),
            ("library://alpine", "_library/alpine:latest".to_owned()),
            ("library://h.io/e/c/i:1", "_library/h.io/e/c/i:1".to_owned()),
            ("https://H.io/d/i:1", "_https/h.io/d/i:1".to_owned()),
            ("http://h.io/i.sif?download=1", "_http/h.io/i.sif".to_owned()),
        ] {
            let uri = ImageUri::parse(uri.as_bytes()).unwrap();
            let mut expected = vec![expected];
            if !uri.transport().is_web() {
                expected.push(format!("{}.sif", expected[0]));
            }
            assert_eq!(uri.candidate_names(), expected);
            assert_eq!(usual(uri.reference()), expected[0]);
            let back = reference(&expected[0]).unwrap();
            assert_eq!(usual(&back), expected[0]);
            assert_eq!(back.transport(), uri.transport());
        }
        assert!(reference("_https/h.io").is_err() && reference("_oras/o/i:1").is_err());
        assert_eq!(reference("o/i:1").unwrap().to_string(), "docker.io/o/i:1");
    }

    #[test]
    fn tags_begin_with_the_repository() {
        let of = |uri: &str| repositories(ImageUri::parse(uri.as_bytes()).unwrap().reference());
        assert_eq!(of("docker://o/i:1"), ["o/i", "docker.io/o/i"]);
        assert_eq!(of("docker://q.io/i:1"), ["q.io/i"]);
        assert_eq!(of("oras://h.io/i:1"), ["_oras/h.io/i"]);
        assert_eq!(of("library://e/c/i:1"), ["_library/e/c/i"]);
        assert_eq!(of("https://h.io/i"), [""; 0]);
    }
}
