//! The file names under which the image of a reference may be stored, in lookup order.
//!
//! A reference with a tag has these names: the reference exactly as typed, its short name, and its
//! full name. A reference with a digest has these names: the path with the digest, then the
//! registry and path with the digest. A file named after a tag is never used for a digest. Each
//! name is looked up without and then with the suffix `.sif`.

use crate::reference::Reference;

/// The suffix that `singularity pull` and people append to the name of an image file.
const SUFFIX: &str = ".sif";

/// The file names relative to an image root, in lookup order and without duplicates.
///
/// Every name is made from the text of a reference or from its normal form. By the grammar of
/// [`Reference`], no name is absolute, and none has a `..` or an empty component.
#[must_use]
pub fn names(reference: &Reference) -> Vec<String> {
    let stems = stems(reference);
    let mut names: Vec<String> = Vec::with_capacity(stems.len() * 2);
    for stem in stems {
        for name in [stem.clone(), format!("{stem}{SUFFIX}")] {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The names without a suffix, in lookup order. There may be duplicates.
pub(crate) fn stems(reference: &Reference) -> Vec<String> {
    match reference.digest() {
        Some(digest) => digest_stems(reference, digest),
        None => tag_stems(reference, reference.tag().unwrap_or_default()),
    }
}

fn tag_stems(reference: &Reference, tag: &str) -> Vec<String> {
    vec![
        reference.typed().to_owned(),
        format!("{}:{tag}", reference.short_repository()),
        format!("{}:{tag}", reference.full_repository()),
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
    use super::names;
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
}
