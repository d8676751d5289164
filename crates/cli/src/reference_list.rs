//! Image references from the command line and from list files.
//!
//! A list has one reference per line; `#` starts a comment. Editors and shells on Windows may write
//! a byte order mark first, end lines with CR LF, or write UTF-16.

use crate::cache::image_name;
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::reference::Reference;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Size limit of a list, in bytes, so that a wrong file cannot exhaust memory.
const LONGEST: u64 = 16 << 20;
/// Byte order mark.
const MARK: char = '\u{feff}';

/// All references in order, without duplicates.
///
/// # Errors
/// A list cannot be read, or an argument or line is not a valid reference. One error names
/// all invalid lines, so that one run shows them all.
pub(crate) fn gather(words: &[String], lists: &[PathBuf]) -> Result<Vec<Reference>, Failure> {
    let mut references = Vec::new();
    let mut wrong = Vec::new();
    for word in words {
        references.push(image_name::parse(word)?);
    }
    for list in lists {
        read(list, &mut references, &mut wrong)?;
    }
    if !wrong.is_empty() {
        return Err(Failure::Lists(wrong));
    }
    let mut unique: Vec<Reference> = Vec::with_capacity(references.len());
    for reference in references {
        if !unique.iter().any(|other| image_name::short(other) == image_name::short(&reference)) {
            unique.push(reference);
        }
    }
    Ok(unique)
}

fn read(list: &Path, found: &mut Vec<Reference>, wrong: &mut Vec<String>) -> Result<(), Failure> {
    let text = text(list).map_err(|error| Failure::read(list, error))?;
    for (index, line) in text.lines().enumerate() {
        // Concatenated lists may contain byte order marks in the middle.
        let line = line.trim_start_matches(MARK);
        let word = line.split('#').next().unwrap_or_default().trim();
        if word.is_empty() {
            continue;
        }
        match image_name::parse(word) {
            Ok(reference) => found.push(reference),
            Err(error) => {
                wrong.push(format!("{}, line {}: {error}", escape_for_terminal(list), index + 1))
            }
        }
    }
    Ok(())
}

fn text(list: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let length = match list.as_os_str() == "-" {
        true => io::stdin().lock().take(LONGEST + 1).read_to_end(&mut bytes)?,
        false => File::open(list)?.take(LONGEST + 1).read_to_end(&mut bytes)?,
    };
    match length as u64 > LONGEST {
        true => Err(io::Error::other("it is too large for a list of references")),
        false => decode(&bytes),
    }
}

/// Decodes a list and normalizes its line ends to line feeds.
fn decode(bytes: &[u8]) -> io::Result<String> {
    let text = match bytes {
        // The UTF-32 byte order mark is the UTF-16LE byte order mark followed by two null bytes.
        [0xff, 0xfe, rest @ ..] if !rest.starts_with(&[0, 0]) => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => std::str::from_utf8(bytes).ok().map(str::to_owned),
    };
    let text = text.filter(|text| !text.contains('\0'));
    let text = text.ok_or_else(|| io::Error::other("it is not UTF-8 text: save it as UTF-8"))?;
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    rest.is_empty().then(|| String::from_utf16(&units).ok())?
}

#[cfg(test)]
mod tests {
    use super::gather;
    use crate::cache::image_name;
    use std::fs;

    #[test]
    fn arguments_come_before_lists_without_duplicates() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("list");
        let text = "# images\n\n  ubuntu:22.04 # LTS\r\ndocker://o/i:1\nlibrary/alpine\n";
        fs::write(&list, text).unwrap();
        let all = gather(&["alpine".into(), "o/i:2".into()], &[list]).unwrap();
        let all: Vec<String> = all.iter().map(image_name::short).collect();
        assert_eq!(all, ["alpine:latest", "o/i:2", "ubuntu:22.04", "o/i:1"]);
    }

    #[test]
    fn byte_order_marks_and_utf16_are_decoded() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("list");
        let read = |bytes: &[u8]| {
            fs::write(&list, bytes).unwrap();
            let all =
                gather(&[], std::slice::from_ref(&list)).map_err(|error| error.to_string())?;
            Ok::<_, String>(all.iter().map(image_name::short).collect::<Vec<_>>().join(" "))
        };
        let wide = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(unit).collect()
        };
        let marked = "\u{feff}alpine:3.20\r\nbusybox\r\n";
        for bytes in [
            marked.as_bytes().to_vec(),
            wide(marked, u16::to_le_bytes),
            wide(marked, u16::to_be_bytes),
            b"alpine:3.20\rbusybox\r".to_vec(),
            "\u{feff}alpine:3.20\n\u{feff}busybox # joined".as_bytes().to_vec(),
            "\u{feff}# a comment\nalpine:3.20\nbusybox".as_bytes().to_vec(),
        ] {
            assert_eq!(read(&bytes).as_deref(), Ok("alpine:3.20 busybox:latest"), "{bytes:?}");
        }
        assert_eq!(read("\u{feff}".as_bytes()).as_deref(), Ok(""));
        let error = read("\u{feff}alpine\r\nFoo\r\n".as_bytes()).unwrap_err();
        assert!(error.contains("line 2: 'Foo' is not a valid image reference"), "{error}");
        let unmarked = &wide(marked, u16::to_le_bytes)[2..];
        for bytes in [unmarked, b"alpine\0", b"caf\xe9", b"\xff\xfea", b"\xff\xfe\0\0a\0\0\0"] {
            let error = read(bytes).unwrap_err();
            assert!(error.ends_with(": it is not UTF-8 text: save it as UTF-8"), "{error}");
        }
    }

    #[test]
    fn the_error_names_every_invalid_line() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("list");
        fs::write(&list, "ubuntu\nFoo\nalpine\n../../etc/passwd\n").unwrap();
        let error = gather(&[], std::slice::from_ref(&list)).unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains(", line 2: 'Foo' is not a valid image reference: "), "{error}");
        assert!(
            lines[1].contains(", line 4: '../../etc/passwd' is not a valid image reference: "),
            "{error}"
        );
        assert!(gather(&[], &[directory.path().join("none")]).is_err());
    }
}
