//! References from the command line and from lists: one a line, `#` starts a comment.

use crate::failure::{Exit, Failure};
use crate::output::plain;
use crate::spelling;
use sifcache_core::reference::Reference;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// No list of references is longer, in bytes: a wrong file is not to fill the memory.
const LONGEST: u64 = 16 << 20;

/// All references in their order, each once.
///
/// # Errors
/// Each word and line that is none, together, so that one run shows them all.
pub(crate) fn gather(words: &[String], lists: &[PathBuf]) -> Result<Vec<Reference>, Failure> {
    let mut references = Vec::new();
    let mut wrong = Vec::new();
    for word in words {
        references.push(spelling::parse(word)?);
    }
    for list in lists {
        read(list, &mut references, &mut wrong)?;
    }
    if !wrong.is_empty() {
        return Err(Failure::new(Exit::DATA, wrong.join("\nsifcache: ")));
    }
    let mut unique: Vec<Reference> = Vec::with_capacity(references.len());
    for reference in references {
        if !unique.iter().any(|other| spelling::short(other) == spelling::short(&reference)) {
            unique.push(reference);
        }
    }
    Ok(unique)
}

fn read(list: &Path, found: &mut Vec<Reference>, wrong: &mut Vec<String>) -> Result<(), Failure> {
    let text = text(list)
        .map_err(|error| Failure::new(Exit::IO, format!("cannot read {}: {error}", plain(list))))?;
    for (index, line) in text.lines().enumerate() {
        let word = line.split('#').next().unwrap_or_default().trim();
        if word.is_empty() {
            continue;
        }
        match spelling::parse(word) {
            Ok(reference) => found.push(reference),
            Err(error) => wrong.push(format!("{}, line {}: {error}", plain(list), index + 1)),
        }
    }
    Ok(())
}

fn text(list: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = match list.as_os_str() == "-" {
        true => io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text)?,
        false => File::open(list)?.take(LONGEST + 1).read_to_string(&mut text)?,
    };
    match length as u64 > LONGEST {
        true => Err(io::Error::other("it is too large for a list of references")),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::gather;
    use crate::spelling;
    use std::fs;

    #[test]
    fn words_then_lists_each_once() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("list");
        let text = "# images\n\n  ubuntu:22.04 # LTS\r\ndocker://o/i:1\nlibrary/alpine\n";
        fs::write(&list, text).unwrap();
        let all = gather(&["alpine".into(), "o/i:2".into()], &[list]).unwrap();
        let all: Vec<String> = all.iter().map(spelling::short).collect();
        assert_eq!(all, ["alpine:latest", "o/i:2", "ubuntu:22.04", "o/i:1"]);
    }

    #[test]
    fn every_wrong_line_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let list = directory.path().join("list");
        fs::write(&list, "ubuntu\nFoo\nalpine\n../../etc/passwd\n").unwrap();
        let said = gather(&[], std::slice::from_ref(&list)).unwrap_err().to_string();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains(", line 2: 'Foo' is no reference: "), "{said}");
        assert!(lines[1].contains(", line 4: '../../etc/passwd' is no reference: "), "{said}");
        assert!(gather(&[], &[directory.path().join("none")]).is_err());
    }
}
