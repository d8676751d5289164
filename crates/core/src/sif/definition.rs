//! The definition in a SIF file: what the file was built from.
//!
//! ```text
//! bootstrap: docker
//! from: alpine:3.20
//! ```
//!
//! A pull writes only these two keys. A definition with sections (`%post`) or with a second stage
//! describes an image that differs from the one that it names.

use crate::reference::Reference;

/// The reference in a definition that contains nothing else, as a pull writes it. `None` for any
/// other definition.
#[must_use]
pub fn pulled(definition: &str) -> Option<Reference> {
    let (mut bootstrap, mut from, mut registry, mut namespace) = (None, None, None, None);
    for line in definition.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(':')?;
        let field = match key.trim().to_ascii_lowercase().as_str() {
            "bootstrap" => &mut bootstrap,
            "from" => &mut from,
            "registry" => &mut registry,
            "namespace" => &mut namespace,
            _ => return None,
        };
        // A repeated key begins another build stage.
        if field.replace(value.trim()).is_some() {
            return None;
        }
    }
    if bootstrap != Some("docker") {
        return None;
    }
    // A missing image is refused here, because otherwise the registry or the namespace would be
    // taken for the image.
    let from = from.map(|from: &str| from.strip_prefix("//").unwrap_or(from));
    let from = from.filter(|from| !from.is_empty())?;
    let parts = [registry, namespace, Some(from)];
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Reference::parse(parts.join("/").as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::pulled;

    #[test]
    fn only_plain_docker_definitions_contain_a_reference() {
        let shown = |text: &str| pulled(text).map(|reference| reference.to_string());
        for (text, expected) in [
            ("Bootstrap: docker\nFrom: quay.io/o/i:1", "quay.io/o/i:1"),
            ("# x\n bootstrap : docker\r\nfrom: 127.0.0.1:5000/o/i:1\r\n", "127.0.0.1:5000/o/i:1"),
            ("bootstrap: docker\nregistry: h.io:5000\nnamespace: o\nfrom: i:1", "h.io:5000/o/i:1"),
            ("bootstrap: docker\nfrom: //o/i", "docker.io/o/i:latest"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "bootstrap: docker",
            "bootstrap: localimage\nfrom: /x.sif",
            "bootstrap: library\nfrom: alpine:3.20",
            "bootstrap: docker\nfrom: alpine:3.20\n%post\n apk add x",
            "bootstrap: docker\nfrom: alpine:3.20\nstage: one",
            "bootstrap: docker\nfrom: a\nbootstrap: docker\nfrom: b",
            "bootstrap: docker\nfrom: ../../etc/passwd",
            "bootstrap: docker\nfrom: a\u{1b}[2J",
            "bootstrap: docker\nnamespace: quay.io/o/i:1\nfrom:",
            "bootstrap: docker\nregistry: o/i\nfrom: //",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
