//! The runtime's message about a copy that failed.

use sifcache_core::command_line::file_name;
use sifcache_core::image_uri::Transport;
use std::ffi::{CStr, OsStr};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The first release of SingularityCE that names both files.
const NAMES_FILES: u32 = 4;

/// The message for a copy of `image` to `target` that failed for `reason`. `runtime` is the program
/// that would have made the copy.
pub(super) fn message(
    transport: Transport,
    runtime: &CStr,
    (image, target): (&Path, &Path),
    reason: &str,
) -> String {
    let start = work(transport);
    let files = match transport {
        Transport::Docker if names_files(runtime) => {
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

/// Whether the runtime names both files: SingularityCE and SingularityPRO from 4.0 on. Apptainer,
/// which is also installed as `singularity`, does not.
fn names_files(runtime: &CStr) -> bool {
    if file_name(runtime.to_bytes()) == b"apptainer" {
        return false;
    }
    let mut command = Command::new(OsStr::from_bytes(runtime.to_bytes()));
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(output) = command.output() else { return false };
    major(&String::from_utf8_lossy(&output.stdout)).is_some_and(|major| major >= NAMES_FILES)
}

/// The first number of a version such as `singularity-ce version 4.5.1-noble`.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.strip_prefix("singularity")?.split_once(" version ")?;
    number.split('.').next()?.parse().ok()
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
                '\0'..=' ' | '\x7f' if character != ' ' => {
                    write!(text, "\\x{:02x}", u32::from(character))
                }
                _ => write!(text, "{character}"),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::{major, quoted};
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    #[test]
    fn versions_of_singularity() {
        for (version, expected) in [
            ("singularity-ce version 4.5.1\n", Some(4)),
            ("singularity-ce version 4.1.0-noble\n", Some(4)),
            ("singularity-pro version 4.1.3-1.el8\n", Some(4)),
            ("singularity-ce version 3.11.4\n", Some(3)),
            ("singularity version 3.8.7\n", Some(3)),
            ("apptainer version 1.4.5\n", None),
            ("", None),
        ] {
            assert_eq!(major(version), expected, "{version}");
        }
    }

    #[test]
    fn paths_are_quoted_as_in_go() {
        for (path, expected) in [
            (b"a/b c:1" as &[u8], r#""a/b c:1""#),
            (b"\"\\", r#""\"\\""#),
            (b"\n\t\x01\x7f", r#""\n\t\x01\x7f""#),
            ("\u{fc}".as_bytes(), "\"\u{fc}\""),
            (b"a\xffb", r#""a\xffb""#),
        ] {
            assert_eq!(quoted(Path::new(OsStr::from_bytes(path))), expected, "{path:?}");
        }
    }
}
