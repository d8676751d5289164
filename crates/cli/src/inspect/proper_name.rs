//! Derives the proper name of a file: the valid image name that is closest to its current name.
//!
//! Only the parts that violate the grammar are changed. A registry is kept as it is, including its
//! port and case, because a launch looks up the registry exactly as the user typed it.

use crate::cache::image_name;
use sifcache_core::reference::Reference;
use std::path::Path;

const SUFFIX: &str = ".sif";

/// The proper name of a file under an image root, or `None` if none can be derived.
pub(crate) fn proper(name: &Path) -> Option<String> {
    let text = name.to_string_lossy();
    let text = text.find(".sif.").map_or(&*text, |end| text.get(..end + 4).unwrap_or(&text));
    let (mut stem, mut suffix) = split_suffix(text);
    while image_name::is_leftover(stem) {
        (stem, suffix) = split_suffix(stem.rsplit_once('.')?.0);
    }
    let (repository, end) = split_end(stem);
    let repository = proper_repository(repository);
    // A name of 64 hexadecimal digits without a tag would be an image ID, but is valid with a tag.
    let ends = if end.is_empty() { vec![end, ":latest".to_owned()] } else { vec![end] };
    let names = ends.iter().map(|end| format!("{repository}{end}{suffix}"));
    names.into_iter().find(|name| image_name::reference(name).is_some())
}

fn split_suffix(text: &str) -> (&str, &'static str) {
    let stem = text.len().checked_sub(SUFFIX.len()).and_then(|end| text.split_at_checked(end));
    match stem {
        Some((stem, suffix)) if suffix.eq_ignore_ascii_case(SUFFIX) => (stem, SUFFIX),
        _ => (text, ""),
    }
}

/// Splits a name before its tag or digest. The second part is corrected to `:TAG`, `@DIGEST` or an
/// empty string.
fn split_end(stem: &str) -> (&str, String) {
    if let Some((name, digest)) = stem.rsplit_once('@')
        && let Some(digest) = proper_digest(digest)
    {
        return (split_tag(name).0, format!("@{digest}"));
    }
    let (repository, tag) = split_tag(stem);
    (repository, tag.and_then(proper_tag).map(|tag| format!(":{tag}")).unwrap_or_default())
}

fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (text, None),
    }
}

/// The digest in a name, converted to lower case. `apptainer pull` writes it as `sha256_HEX`.
fn proper_digest(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let digest = match lower.split_once([':', '_', '-']) {
        Some((algorithm, hex)) => format!("{algorithm}:{hex}"),
        None => return None,
    };
    Reference::parse(format!("x@{digest}").as_bytes()).is_ok().then_some(digest)
}

fn proper_tag(text: &str) -> Option<String> {
    if Reference::parse(format!("x:{text}").as_bytes()).is_ok() {
        return Some(text.to_owned());
    }
    let tag = replace_invalid(text, |c| c.is_ascii_alphanumeric() || "._-".contains(c), "_");
    (!tag.is_empty()).then_some(tag)
}

fn proper_repository(text: &str) -> String {
    let (registry, path) = match text.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest),
        _ => (None, text),
    };
    let mut path: Vec<String> = path.split('/').map(proper_component).collect();
    match (registry, path.first_mut()) {
        (Some(registry), _) => path.insert(0, registry.to_owned()),
        // With a dot before the first slash, it would be taken as a registry, but it is not a valid
        // registry.
        (None, Some(first)) if text.contains('/') => *first = first.replace('.', "-"),
        _ => {}
    }
    path.join("/")
}

/// Whether a first component is meant as a registry and is a valid registry. Upper case alone does
/// not make it a registry: `Lab/Tool` means `lab/tool`.
fn is_registry(first: &str) -> bool {
    let is_meant = first == "localhost" || first.contains(['.', ':']);
    is_meant && Reference::parse(format!("{first}/x").as_bytes()).is_ok()
}

/// A path component: runs of lower-case letters and digits with valid separators between them.
fn proper_component(text: &str) -> String {
    let lower = text.to_lowercase();
    let replaced = replace_invalid(&lower, |c| c.is_ascii_alphanumeric() || "._-".contains(c), "-");
    let mut proper = String::new();
    let mut separator = String::new();
    for c in replaced.chars() {
        if "._-".contains(c) {
            separator.push(c);
            continue;
        }
        let is_legal = matches!(separator.as_str(), "" | "." | "_" | "__")
            || separator.chars().all(|c| c == '-');
        proper.push_str(if is_legal { &separator } else { "-" });
        separator.clear();
        proper.push(c);
    }
    proper
}

/// Replaces each run of invalid characters with `instead`, and removes separators at the ends of
/// the remaining words.
fn replace_invalid(text: &str, is_legal: impl Fn(char) -> bool, instead: &str) -> String {
    let words = text.split(|c| !is_legal(c)).map(|word| word.trim_matches(['.', '_', '-']));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(instead)
}

#[cfg(test)]
mod tests {
    use super::proper;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    #[test]
    fn proper_names_are_derived() {
        for (name, expected) in [
            ("Foo.sif", Some("foo.sif")),
            ("foo.sif.tmp", Some("foo.sif")),
            ("o/foo:1.bak", Some("o/foo:1")),
            ("o/.foo:1.sif.Ab12Cd", Some("o/foo:1.sif")),
            ("o/Foo Bar:RC (copy)", Some("o/foo-bar:RC_copy")),
            ("foo:", Some("foo")),
            ("docker.io/O/I:v1+2", Some("docker.io/o/i:v1_2")),
            ("o/Foo:1.SIF", Some("o/foo:1.sif")),
            ("...", None),
            (".tmp", None),
            ("", None),
        ] {
            assert_eq!(proper(Path::new(name)).as_deref(), expected, "{name}");
        }
        let name = Path::new(OsStr::from_bytes(b"o/caf\xe9:1"));
        assert_eq!(proper(name).as_deref(), Some("o/caf:1"));
    }

    /// A launch looks up names with the registry exactly as the user typed it.
    #[test]
    fn valid_registries_are_kept() {
        for (name, expected) in [
            ("registry.example.org:5000/lab/Tool:v1", "registry.example.org:5000/lab/tool:v1"),
            ("registry.example.org:5000/lab/Tool", "registry.example.org:5000/lab/tool"),
            ("Registry.Example.org/Lab/Tool:V1.sif", "Registry.Example.org/lab/tool:V1.sif"),
            ("HOST:5000/Tool:1", "HOST:5000/tool:1"),
            ("localhost/Tool:1", "localhost/tool:1"),
            ("[2001:db8::1]:5000/a/B:1", "[2001:db8::1]:5000/a/b:1"),
            ("10.0.0.1/A:1", "10.0.0.1/a:1"),
            ("Lab/Tool:v1", "lab/tool:v1"),
            // None of these is a valid registry.
            ("my_host:5000/Tool:1", "my_host-5000/tool:1"),
            ("Foo_x.org/Tool:1", "foo_x-org/tool:1"),
            ("host:port/Tool:1", "host-port/tool:1"),
            (".hidden/Tool:1", "hidden/tool:1"),
        ] {
            assert_eq!(proper(Path::new(name)).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn valid_parts_are_kept() {
        let hex = "0f".repeat(32);
        for (name, expected) in [
            ("o/Foo:_x.-".to_owned(), "o/foo:_x.-".to_owned()),
            ("o/A__b---c".to_owned(), "o/a__b---c".to_owned()),
            ("o/a___b:1".to_owned(), "o/a-b:1".to_owned()),
            ("o/a..b_-c:1".to_owned(), "o/a-b-c:1".to_owned()),
            (format!("o/Foo@sha256:{hex}"), format!("o/foo@sha256:{hex}")),
            (format!("o/foo:1@sha256:{hex}"), format!("o/foo@sha256:{hex}")),
            (format!("h.io:1/O/i:1@SHA256:{hex}.sif"), format!("h.io:1/o/i@sha256:{hex}.sif")),
            (format!("alpine@sha256_{hex}.sif"), format!("alpine@sha256:{hex}.sif")),
            (hex.clone(), format!("{hex}:latest")),
        ] {
            assert_eq!(proper(Path::new(&name)), Some(expected), "{name}");
        }
    }
}
