//! The shims that a job gets in `PATH`: one for each runtime that is there, and no other.
//!
//! Programs ask `PATH` which runtime a node has, so a shim must not be found where its
//! runtime is not. Each directory of shims therefore stands for one combination:
//!
//! | directory | holds | for a `PATH` in which |
//! | --- | --- | --- |
//! | `bin` | `apptainer` and `singularity` | one directory has both |
//! | `bin-linked` | `apptainer`, and `singularity` as a link to it | the same, and they are one file |
//! | `bin-NAME` | `NAME` | a directory has this runtime alone |
//!
//! A shim is a program of its own, not a link, so that its resolved path still ends with the
//! name of the runtime. A label behind the program says which one, whatever a link or a copy of
//! the shim is called.

use super::{SHIMS, installed};

/// The directory for two names of one file, in [`DIRECTORY`](super::DIRECTORY).
pub const LINKED: &str = "bin-linked";

/// The two runtimes that have a directory together.
const PAIR: [&str; 2] = ["apptainer", "singularity"];

/// What a label begins with; the name of the runtime and a line feed follow.
const LABEL: &[u8] = b"\nsifcache-shim for ";

/// As much of the end of a program as holds a label: a file name has 255 bytes at most.
pub const LABEL_LENGTH: usize = LABEL.len() + 256;

/// The name of the directory that holds the shim of this runtime alone.
#[must_use]
pub fn alone(runtime: &str) -> String {
    format!("{SHIMS}-{runtime}")
}

/// The label of a runtime's shim.
#[must_use]
pub fn label(runtime: &str) -> Vec<u8> {
    [LABEL, runtime.as_bytes(), b"\n"].concat()
}

/// The runtime in the label of a program that ends like this; none if it has no label.
#[must_use]
pub fn labelled(end: &[u8]) -> Option<&[u8]> {
    let start = end.windows(LABEL.len()).rposition(|bytes| bytes == LABEL)?;
    let name = end.get(start + LABEL.len()..)?.strip_suffix(b"\n")?;
    let good = !name.is_empty() && !name.iter().any(|byte| matches!(byte, b'/' | b'\n' | 0));
    good.then_some(name)
}

/// A runtime that was found in `PATH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its name.
    pub name: &'a str,
    /// The entry of `PATH` that has it.
    pub directory: &'a [u8],
    /// Device and inode of the file.
    pub file: (u64, u64),
}

/// The directories of shims that stand for these runtimes, as full paths.
#[must_use]
pub fn directories(found: &[Found<'_>]) -> Vec<String> {
    let pair = PAIR.map(|name| found.iter().find(|one| one.name == name));
    let together = match pair {
        [Some(one), Some(other)] if one.directory == other.directory => {
            Some(if one.file == other.file { LINKED } else { SHIMS })
        }
        _ => None,
    };
    let rest = found.iter().filter(|one| together.is_none() || !PAIR.contains(&one.name));
    let rest = rest.map(|one| installed(&alone(one.name)));
    together.map(installed).into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::{Found, LABEL_LENGTH, directories, label, labelled};
    use crate::nested::{installed, is_shims};

    /// The directories for `name directory inode` of each runtime.
    fn chosen(found: &[(&'static str, &'static str, u64)]) -> Vec<String> {
        let found: Vec<Found<'_>> = found
            .iter()
            .map(|(name, directory, inode)| Found {
                name,
                directory: directory.as_bytes(),
                file: (1, *inode),
            })
            .collect();
        let all = directories(&found);
        assert!(all.iter().all(|directory| is_shims(directory.as_bytes())), "{all:?}");
        let prefix = installed("");
        all.iter().map(|path| path.strip_prefix(&prefix).unwrap().to_owned()).collect()
    }

    #[test]
    fn only_the_runtimes_that_are_there() {
        let [a, s] = ["apptainer", "singularity"];
        assert_eq!(chosen(&[]), [""; 0]);
        assert_eq!(chosen(&[(a, "/usr/bin", 1)]), ["bin-apptainer"]);
        assert_eq!(chosen(&[(s, "/usr/bin", 1)]), ["bin-singularity"]);
        assert_eq!(chosen(&[(s, "/usr/bin", 1), (a, "/usr/bin", 2)]), ["bin"]);
        assert_eq!(chosen(&[(s, "/usr/bin", 1), (a, "/usr/bin", 1)]), ["bin-linked"]);
        let apart = [(s, "/opt/bin", 1), (a, "/usr/bin", 1)];
        assert_eq!(chosen(&apart), ["bin-singularity", "bin-apptainer"]);
    }

    #[test]
    fn runtimes_of_other_names() {
        assert_eq!(chosen(&[("sing", "/usr/bin", 1)]), ["bin-sing"]);
        let three = [("sing", "/b", 1), ("apptainer", "/b", 1), ("singularity", "/b", 1)];
        assert_eq!(chosen(&three), ["bin-linked", "bin-sing"]);
    }

    #[test]
    fn labels() {
        for name in ["apptainer", "x", &"y".repeat(255)] {
            let end = [b"\x7fELF ...".as_slice(), &label(name)].concat();
            let end = &end[end.len().saturating_sub(LABEL_LENGTH)..];
            assert_eq!(labelled(end), Some(name.as_bytes()));
            assert_eq!(labelled(&end[..end.len() - 1]), None, "cut short");
            assert_eq!(labelled(&[end, b"x"].concat()), None, "something follows");
        }
        for none in ["", "../x", "a\nb", "a\0"] {
            assert_eq!(labelled(&label(none)), None, "{none:?}");
        }
        assert_eq!(labelled(b""), None);
        // The last one counts.
        assert_eq!(labelled(&[label("a"), label("b")].concat()), Some(b"b".as_slice()));
    }
}
