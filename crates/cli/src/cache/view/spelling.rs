//! The ways in which users type one reference.

use crate::cache::image_name;
use sifcache_core::reference::{DEFAULT_REGISTRY, DEFAULT_TAG, Reference};

/// All spellings of this reference, each as the parsed text. Users can omit Docker Hub, its
/// `library/`, and the tag `latest`.
pub(crate) fn spellings(reference: &Reference) -> Vec<Reference> {
    let full = reference.full_repository();
    let mut repositories = vec![reference.short_repository()];
    if !repositories.contains(&full) {
        repositories.push(full);
    }
    if reference.registry() == DEFAULT_REGISTRY {
        let repository = reference.repository();
        let more = [
            repository.to_owned(),
            format!("{DEFAULT_REGISTRY}/{}", repository.trim_start_matches("library/")),
        ];
        for one in more {
            if !repositories.contains(&one) {
                repositories.push(one);
            }
        }
    }
    let ends: Vec<String> = match (reference.digest(), reference.tag()) {
        (Some(digest), _) => vec![format!("@{digest}")],
        (None, Some(DEFAULT_TAG)) => vec![String::new(), format!(":{DEFAULT_TAG}")],
        (None, tag) => vec![format!(":{}", tag.unwrap_or_default())],
    };
    let wanted = without_redundant_tag(reference);
    let mut all: Vec<Reference> = Vec::new();
    for repository in &repositories {
        for end in &ends {
            let text = format!("{repository}{end}");
            // Without its registry, a repository can name an image of another registry.
            let parsed = image_name::parse(&text).ok().filter(|one| one.to_string() == wanted);
            let is_new = |one: &Reference| all.iter().all(|other| other.typed() != one.typed());
            if let Some(one) = parsed.filter(is_new) {
                all.push(one);
            }
        }
    }
    all
}

/// The normal form without a tag if there is a digest: the runtimes do not accept both.
fn without_redundant_tag(reference: &Reference) -> String {
    match reference.digest() {
        Some(digest) => format!("{}@{digest}", reference.full_repository()),
        None => reference.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::spellings;
    use crate::cache::image_name;

    #[test]
    fn each_way_to_type_a_reference() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        let pinned = format!("o/i@{digest}");
        let pinned_full = format!("docker.io/o/i@{digest}");
        for (text, expected) in [
            (
                "alpine:3.20",
                vec![
                    "alpine:3.20",
                    "docker.io/library/alpine:3.20",
                    "library/alpine:3.20",
                    "docker.io/alpine:3.20",
                ],
            ),
            ("o/i", vec!["o/i", "o/i:latest", "docker.io/o/i", "docker.io/o/i:latest"]),
            ("docker.io/library/a/b:1", vec!["library/a/b:1", "docker.io/library/a/b:1"]),
            ("quay.io/o/i:1", vec!["quay.io/o/i:1"]),
            // `quay.io/o:1` names an image of another registry.
            ("docker.io/quay.io/o:1", vec!["docker.io/quay.io/o:1"]),
            (pinned.as_str(), vec![pinned.as_str(), pinned_full.as_str()]),
        ] {
            let found = spellings(&image_name::parse(text).unwrap());
            let found: Vec<&str> = found.iter().map(|one| one.typed()).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
