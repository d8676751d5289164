//! References to web servers: `HOST[:PORT]/PATH[?download=1]`.
//!
//! The URL identifies the image. A URL can contain credentials, as a user name with a password or
//! in its query, and every valid reference is logged and becomes a file name. Therefore no user
//! name is valid, and no query except `download=1`, which only affects how a browser handles the
//! file. A character that would need an escape in a URL is not valid either.

use super::{Error, name};
use crate::transport::Transport;

/// Maximum length of a component of the path in bytes: that of a file name.
const MAX_COMPONENT: usize = 255;
/// Maximum length of host and path in bytes.
const MAX_URL: usize = 1024;
/// The valid queries.
const QUERIES: [&str; 2] = ["download=1", "download"];

/// Splits a URL without its scheme into the normal form of the host, and the path without the `/`
/// in front.
pub(super) fn split(transport: Transport, text: &[u8]) -> Result<(String, &str), Error> {
    let authority = text.split(|byte| b"/?#".contains(byte)).next().unwrap_or_default();
    // This check comes first, because no other error may print a part of a password.
    if authority.contains(&b'@') {
        return Err(Error::Credentials);
    }
    let text = std::str::from_utf8(text).map_err(|_| Error::Url)?;
    let text = match text.split_once('?') {
        Some((text, query)) if QUERIES.contains(&query) => text,
        Some(_) => return Err(Error::Query),
        None => text,
    };
    let (authority, path) = text.split_once('/').ok_or(Error::Url)?;
    if !name::is_registry(authority) {
        return Err(Error::Registry);
    }
    if !path.split('/').all(is_component) {
        return Err(Error::Url);
    }
    if text.len() > MAX_URL || authority.len() > MAX_COMPONENT {
        return Err(Error::LongUrl);
    }
    Ok((host(transport, authority), path))
}

fn is_component(component: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-:+@,".contains(&byte);
    component.bytes().all(is_plain)
        && component.len() <= MAX_COMPONENT
        && !matches!(component, "" | "." | "..")
}

/// In lower case, and without the port that belongs to the scheme.
fn host(transport: Transport, authority: &str) -> String {
    let port = if transport == Transport::Http { ":80" } else { ":443" };
    let host = authority.strip_suffix(port).unwrap_or(authority);
    host.to_ascii_lowercase()
}
