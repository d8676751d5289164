//! Registry, path and tag of a reference.

use super::{Error, MAX_TAG};

/// Splits `NAME[:TAG]`. A colon before the last `/` belongs to a port.
pub(super) fn split_tag(text: &str) -> Result<(&str, Option<&str>), Error> {
    let after_slash = text.rfind('/').map_or(0, |slash| slash + 1);
    match text.rfind(':') {
        Some(colon) if colon >= after_slash => {
            let (name, tag) = text.split_at(colon);
            let tag = tag.strip_prefix(':').unwrap_or(tag);
            if is_tag(tag) { Ok((name, Some(tag))) } else { Err(Error::Tag) }
        }
        _ => Ok((text, None)),
    }
}

/// Whether `tag` matches `[\w][\w.-]{0,127}`.
pub(crate) fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = tag.bytes();
    tag.len() <= MAX_TAG
        && bytes.next().is_some_and(word)
        && bytes.all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

/// Whether the first component of a name can only be a registry.
pub(super) fn looks_like_registry(first: &str) -> bool {
    first == "localhost" || first.bytes().any(|b| matches!(b, b'.' | b':' | b'A'..=b'Z'))
}

/// Whether the text is `HOST[:PORT]`. HOST is a domain name, an IPv4 address or an IPv6 address in
/// brackets.
pub(super) fn is_registry(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let colon_or_hex = |b: u8| b.is_ascii_hexdigit() || b == b':';
        return !address.is_empty() && address.bytes().all(colon_or_hex) && is_port_suffix(port);
    }
    let (host, port) = text.find(':').map_or((text, ""), |colon| text.split_at(colon));
    host.split('.').all(is_domain_label) && is_port_suffix(port)
}

/// Whether the text is empty, or `:` and digits. As in the distribution project, the number has no
/// upper bound.
fn is_port_suffix(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()),
        None => text.is_empty(),
    }
}

/// Whether the label consists of letters, digits and dashes, without a dash at either end.
fn is_domain_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Whether the path is one or more valid components joined by `/`.
pub(super) fn is_path(path: &str) -> bool {
    path.split('/').all(is_component)
}

/// Whether the component consists of runs of `[a-z0-9]` joined by one `.`, one or two `_`, or any
/// number of `-`.
fn is_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_well = bytes.first().is_some_and(|b| alphanumeric(*b))
        && bytes.last().is_some_and(|b| alphanumeric(*b));
    ends_well
        && bytes
            .split(|b| alphanumeric(*b))
            .all(|separator| matches!(separator, b"" | b"." | b"_" | b"__") || dashes(separator))
}

fn dashes(separator: &[u8]) -> bool {
    separator.iter().all(|b| *b == b'-')
}
