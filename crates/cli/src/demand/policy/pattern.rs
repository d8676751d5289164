//! Patterns for images: `docker.io/library/*`, `quay.io/**`, `ghcr.io/org/img:1.*`.

use super::wildcard;
use serde::Deserialize;
use sifcache_core::reference::{DEFAULT_REGISTRY, Reference};
use sifcache_core::transport::Transport;
use std::fmt;

/// The port of a registry that names none.
const DEFAULT_PORT: &str = ":443";

/// A pattern for the printed form of references. A pattern without a tag matches all tags and
/// digests of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Pattern {
    /// As in the file.
    text: String,
    /// With the registry in its normal form.
    normal: String,
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match problem(&text) {
            Some(problem) => Err(format!(
                "{:?} is not a valid pattern: {problem}; write it as docker.io/library/*, \
                 quay.io/** or ghcr.io/org/img:1.*",
                text
            )),
            None => {
                let normal = normal(&text);
                Ok(Self { text, normal })
            }
        }
    }
}

/// Why the pattern is invalid; `None` if it is valid.
fn problem(text: &str) -> Option<String> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@+[]*?".contains(&byte);
    if let Some(byte) = text.bytes().find(|byte| !is_allowed(*byte)) {
        return Some(format!("it contains the invalid character '{}'", byte.escape_ascii()));
    }
    let (transport, path) = split(text);
    if let Some((scheme, _)) = path.split_once("://") {
        return Some(format!("{scheme} is not a known transport"));
    }
    let parts: Vec<&str> = path.split('/').collect();
    let first = parts.first().copied().unwrap_or_default();
    if parts.iter().any(|part| part.is_empty()) {
        return Some("a component is empty".to_owned());
    }
    if let Some(part) = parts.iter().find(|part| part.contains("**") && **part != "**") {
        return Some(format!("** must be a whole component, unlike in {part}"));
    }
    let is_registry = first == "localhost" || first.contains(['.', ':', '*', '?']);
    let is_whole = first == "**" || parts.len() > 1;
    (transport != Transport::Library && !(is_registry && is_whole))
        .then(|| "it does not begin with a registry and a slash".to_owned())
}

impl Pattern {
    /// Whether an image of this reference may be added because of this pattern. The tag of a
    /// reference with a digest does not count: the digest alone selects the image.
    pub(super) fn allows(&self, reference: &Reference) -> bool {
        let repository = normal(&reference.full_repository());
        let version = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => format!("{repository}@{digest}"),
            (None, Some(tag)) => format!("{repository}:{tag}"),
            (None, None) => String::new(),
        };
        [repository, version].iter().any(|form| wildcard::path(&self.normal, form))
    }

    /// Whether an image of this reference must not be added because of this pattern, with any part
    /// of the reference.
    pub(super) fn denies(&self, reference: &Reference) -> bool {
        let repository = normal(&reference.full_repository());
        let tag = reference.tag().map(|tag| format!("{repository}:{tag}"));
        let digest = reference.digest().map(|digest| format!("{repository}@{digest}"));
        let printed = normal(&reference.to_string());
        let forms = [Some(repository), tag, digest, Some(printed)];
        forms.iter().flatten().any(|form| wildcard::path(&self.normal, form))
    }

    /// Whether the reference has a digest, and this pattern matches some tag of its repository. The
    /// digest may be the one of such a tag, which only the registry could confirm.
    pub(super) fn may_deny(&self, reference: &Reference) -> bool {
        has_digest(reference)
            && wildcard::path_with_some_tag(&self.normal, &normal(&reference.full_repository()))
    }
}

/// Whether the content of the image is part of the reference. In a library, the hash takes the place
/// of a tag.
fn has_digest(reference: &Reference) -> bool {
    let is_library = reference.transport() == Transport::Library;
    let is_hash = |tag: &str| is_library && tag.starts_with("sha256.");
    reference.digest().is_some() || reference.tag().is_some_and(is_hash)
}

/// Displays the pattern as in the file.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The transport of a printed reference or of a pattern, and the rest.
fn split(text: &str) -> (Transport, &str) {
    let named = |transport: &Transport| Some((*transport, transport.name_in(text)?));
    Transport::ALL.iter().find_map(named).unwrap_or((Transport::Docker, text))
}

/// The text with its registry in the normal form.
fn normal(text: &str) -> String {
    let (transport, name) = split(text);
    let name = match name.split_once('/') {
        Some((host, path)) => format!("{}/{path}", registry(host)),
        None => name.to_owned(),
    };
    match transport {
        Transport::Docker => name,
        other => other.uri(&name),
    }
}

/// The normal form of the reference, if that is another one.
pub(super) fn other_spelling(reference: &Reference) -> Option<String> {
    let text = reference.to_string();
    Some(normal(&text)).filter(|normal| *normal != text)
}

/// The normal form of a registry: host names are not case-sensitive, and the default port may be
/// omitted. Without this, `Quay.io:443` would not be denied with `quay.io`.
pub(super) fn registry(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    match host.strip_suffix(DEFAULT_PORT).unwrap_or(&host) {
        "index.docker.io" => DEFAULT_REGISTRY.to_owned(),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, registry};
    use sifcache_core::reference::Reference;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn pattern(text: &str) -> Pattern {
        Pattern::try_from(text.to_owned()).unwrap()
    }

    fn reference(text: &str) -> Reference {
        Reference::parse_printed(text.as_bytes()).unwrap()
    }

    #[test]
    fn patterns_match_the_printed_form_with_and_without_a_tag() {
        for (text, image, expected) in [
            ("docker.io/library/*", "ubuntu:24.04", true),
            ("docker.io/library/*", "docker.io/library/ubuntu", true),
            ("docker.io/library/*", "o/ubuntu", false),
            ("docker://docker.io/library/ubuntu", "ubuntu", true),
            ("docker.io/library/ubuntu:24.*", "ubuntu:24.04", true),
            ("docker.io/library/ubuntu:24.*", "ubuntu:22.04", false),
            ("quay.io/biocontainers/**", "quay.io/biocontainers/samtools:1.2--h_0", true),
            ("quay.io/biocontainers/**", "quay.io/other/samtools:1.2", false),
            ("quay.io/**", "oras://quay.io/o/i:1", false),
            ("oras://quay.io/**", "oras://quay.io/o/i:1", true),
            ("localhost:5000/**", "localhost:5000/o/i:1", true),
            ("Quay.IO:443/o/*", "quay.io/o/i", true),
            ("quay.io/o/*", "Quay.IO:443/o/i", true),
            ("**", "quay.io/o/i", true),
        ] {
            assert_eq!(pattern(text).allows(&reference(image)), expected, "{text} {image}");
            assert_eq!(pattern(text).denies(&reference(image)), expected, "{text} {image}");
        }
    }

    /// Everybody can write a permitted tag in front of the digest of another image.
    #[test]
    fn the_tag_of_a_reference_with_a_digest_permits_nothing() {
        let image = reference(&format!("ghcr.io/org/img:1.2@{DIGEST}"));
        let tag = pattern("ghcr.io/org/img:1.*");
        assert!(!tag.allows(&image) && tag.denies(&image));
        let all = pattern("ghcr.io/org/img");
        assert!(all.allows(&image) && all.denies(&image));
        let digest = pattern(&format!("ghcr.io/org/img@{DIGEST}"));
        assert!(digest.allows(&image) && digest.denies(&image));
    }

    /// A digest may be that of a denied tag.
    #[test]
    fn a_pattern_of_tags_may_deny_a_digest() {
        let hash = "0".repeat(64);
        let library = format!("library://e/c/i:sha256.{hash}");
        for (text, image, expected) in [
            ("ghcr.io/org/img:1.*", format!("ghcr.io/org/img@{DIGEST}"), true),
            ("ghcr.io/org/img:1.*", format!("GHCR.io:443/org/img:2@{DIGEST}"), true),
            ("ghcr.io/org/*:1", format!("ghcr.io/org/img@{DIGEST}"), true),
            ("docker.io/library/ubuntu:14.04", format!("ubuntu@{DIGEST}"), true),
            ("oras://ghcr.io/org/img:1", format!("oras://ghcr.io/org/img@{DIGEST}"), true),
            ("library://e/c/i:1", library.clone(), true),
            ("library://e/c/i:1", "library://e/c/i:2".to_owned(), false),
            ("ghcr.io/org/img:1.*", "ghcr.io/org/img:2".to_owned(), false),
            ("ghcr.io/org/img:1.*", format!("ghcr.io/org/other@{DIGEST}"), false),
            ("ghcr.io/org/img:1.*", format!("oras://ghcr.io/org/img@{DIGEST}"), false),
            ("ghcr.io/org/img@sha256:00", format!("ghcr.io/org/img@{DIGEST}"), false),
        ] {
            assert_eq!(pattern(text).may_deny(&reference(&image)), expected, "{text} {image}");
        }
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_an_error() {
        for (text, problem) in [
            ("ubuntu", "does not begin with a registry"),
            ("*", "does not begin with a registry"),
            ("library/*", "does not begin with a registry"),
            ("quay.io/a**", "** must be a whole component, unlike in a**"),
            ("quay.io//a", "a component is empty"),
            ("", "a component is empty"),
            ("quay.io/a b", "the invalid character ' '"),
            ("ftp://quay.io/a", "ftp is not a known transport"),
        ] {
            let message = Pattern::try_from(text.to_owned()).unwrap_err();
            assert!(message.contains(problem), "{message}");
        }
    }

    #[test]
    fn a_registry_has_one_normal_form() {
        let forms = ["Docker.IO", "index.docker.io:443", "quay.io:443", "quay.io:5000"];
        let expected = ["docker.io", "docker.io", "quay.io", "quay.io:5000"];
        assert_eq!(forms.map(registry), expected);
    }
}
