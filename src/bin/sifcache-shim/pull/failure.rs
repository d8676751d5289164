//! The runtime's message about a copy that failed.

use sifcache_core::image_uri::Transport;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The first release of SingularityCE that names both files.
const NAMES_FILES: u32 = 4;

/// The message for a copy of `image` to `target` that failed for `reason`. `release` is the one of
/// Singularity, if it would have made the copy.
pub(super) fn message(
    transport: Transport,
    release: &dyn Fn() -> Option<u32>,
    (image, target): (&Path, &Path),
    reason: &str,
) -> String {
    let start = work(transport);
    let files = match transport {
        Transport::Docker if release() >= Some(NAMES_FILES) => {
            format!(" (from {} to {})", quoted(image), quoted(target))
        }
        _ => String::new(),
    };
    format!("{start}: error copying image out of cache{files}: {reason}")
}

/// The start of the runtime's message about a failure.
fn work(transport: Transport) -> &'static str {
    match transport {
        Transport::Docker => "While making image from oci registry",
        Transport::Oras => "While pulling image from oci registry",
        Transport::Library => "While pulling library image",
        Transport::Https | Transport::Http => "While pulling from image from http(s)",
    }
}

/// A path as Go's `%q` prints it.
fn quoted(path: &Path) -> String {
    let mut text = String::from('"');
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            let _ = match character {
                '"' | '\\' => write!(text, "\\{character}"),
                '\n' => write!(text, "\\n"),
                '\r' => write!(text, "\\r"),
                '\t' => write!(text, "\\t"),
                '\x07' => write!(text, "\\a"),
                '\x08' => write!(text, "\\b"),
                '\x0b' => write!(text, "\\v"),
                '\x0c' => write!(text, "\\f"),
                ' '..='~' => write!(text, "{character}"),
                '\0'..='\x7f' => write!(text, "\\x{:02x}", u32::from(character)),
                _ if is_printable(character) => write!(text, "{character}"),
                '\u{80}'..='\u{ffff}' => write!(text, "\\u{:04x}", u32::from(character)),
                _ => write!(text, "\\U{:08x}", u32::from(character)),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

/// Whether Go prints a character as it is. Rust escapes the same ones, except for combining marks at
/// the start of a string.
fn is_printable(character: char) -> bool {
    let mut text = String::from('a');
    text.push(character);
    text.escape_debug().eq(text.chars())
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    #[test]
    fn paths_are_quoted_as_in_go() {
        for (path, expected) in [
            (b"a/b c:1" as &[u8], r#""a/b c:1""#),
            (b"\"\\", r#""\"\\""#),
            (b"\n\t\x01\x7f", r#""\n\t\x01\x7f""#),
            ("\u{fc} e\u{301} \u{1f600}".as_bytes(), "\"\u{fc} e\u{301} \u{1f600}\""),
            (
                "\u{85}\u{a0}\u{ad}\u{200b}\u{2028}".as_bytes(),
                r#""\u0085\u00a0\u00ad\u200b\u2028""#,
            ),
            ("\u{feff}\u{e000}\u{e0001}".as_bytes(), r#""\ufeff\ue000\U000e0001""#),
            (b"a\xffb", r#""a\xffb""#),
        ] {
            assert_eq!(quoted(Path::new(OsStr::from_bytes(path))), expected, "{path:?}");
        }
    }
}
