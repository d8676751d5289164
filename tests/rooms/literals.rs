//! The string literals of product code.

use sifcache_core::image_uri::Transport;
use std::fs;
use std::path::Path;

/// The product code below `directory`, without unit tests: for each file its path relative to
/// `top`, and its text.
pub(crate) fn product_code(top: &Path, directory: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(top.join(directory)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("{directory}/{name}");
        if top.join(&path).is_dir() {
            if name != "tests" {
                all.extend(product_code(top, &path));
            }
        } else if name.ends_with(".rs") && !["tests.rs", "test_double.rs"].contains(&&*name) {
            let text = fs::read_to_string(top.join(&path)).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            all.push((path, code.to_owned()));
        }
    }
    all
}

/// The string literals of Rust code, as they are written there.
pub(crate) fn read(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        let raw = rest[..at].ends_with("r#");
        rest = &rest[at..];
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if raw && rest.starts_with('"') {
            let end = rest.find("\"#").unwrap();
            all.push(rest[1..end].to_owned());
            rest = &rest[end + 2..];
        } else if rest.starts_with('"') {
            let end = end(rest, '"').unwrap();
            all.push(rest[1..end].to_owned());
            rest = &rest[end + 1..];
        } else if let Some(after) =
            ["'\"'", "'\\''", "'\\\"'"].iter().find_map(|c| rest.strip_prefix(c))
        {
            rest = after;
        } else {
            rest = &rest[1..];
        }
    }
    all
}

/// The position of the quote that ends a literal.
fn end(literal: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    literal.char_indices().skip(1).find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// Whether a literal contains the scheme of a transport. A help text may show complete URIs, but no
/// code may add a scheme to a name or remove it.
pub(crate) fn spells_transport(literal: &str, in_help: bool) -> bool {
    Transport::ALL.iter().any(|transport| {
        // Text can contain these words with a colon after them.
        let is_word = transport.is_web() || *transport == Transport::Library;
        let scheme = if is_word { transport.uri("") } else { format!("{}:", transport.scheme()) };
        match in_help {
            false => literal.contains(&scheme),
            true => literal.starts_with(&scheme) || literal.contains(&format!("{scheme}//{{")),
        }
    })
}
