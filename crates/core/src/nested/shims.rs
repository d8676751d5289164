//! The shims that a job gets in `PATH`: exactly one for each runtime that is installed.
//!
//! Programs search `PATH` to find out which runtime a node has, so `PATH` must not contain a shim
//! for a runtime that is not installed. Each directory of shims therefore stands for one
//! combination:
//!
//! | directory | contains | for a `PATH` in which |
//! | --- | --- | --- |
//! | `bin` | `apptainer` and `singularity` | one directory has both |
//! | `bin-linked` | `apptainer`, and `singularity` as a link | the same, and they are one file |
//! | `bin-NAME` | `NAME` | there is this runtime, and neither of the rows above applies to it |
//!
//! Each shim is a separate program, not a link, so that its resolved path still ends with the name
//! of the runtime. A label appended to the program names the runtime, regardless of the name of a
//! link to the shim or of a copy of it.

use super::{SHIMS, installed};

/// The directory in [`DIRECTORY`](super::DIRECTORY) for two runtimes that are names of one file.
pub const LINKED: &str = "bin-linked";

/// The two runtimes that share a directory of shims.
const PAIR: [&str; 2] = ["apptainer", "singularity"];

/// The start of a label. The name of the runtime and a line feed follow.
const LABEL: &[u8] = b"\nsifcache-shim for ";

/// The maximum length of a label, in bytes: a file name has at most 255 bytes.
pub const LABEL_LENGTH: usize = LABEL.len() + 256;

/// The name of the directory that contains only the shim of this runtime.
#[must_use]
pub fn directory_for(runtime: &str) -> String {
    format!("{SHIMS}-{runtime}")
}

/// The label to append to the shim of this runtime.
#[must_use]
pub fn label(runtime: &str) -> Vec<u8> {
    [LABEL, runtime.as_bytes(), b"\n"].concat()
}

/// The name of the runtime in the label at the end of `end`, the last bytes of a program; `None` if
/// there is no valid label.
#[must_use]
pub fn runtime_in_label(end: &[u8]) -> Option<&[u8]> {
    let start = end.windows(LABEL.len()).rposition(|bytes| bytes == LABEL)?;
    let name = end.get(start + LABEL.len()..)?.strip_suffix(b"\n")?;
    let good = !name.is_empty() && !name.iter().any(|byte| matches!(byte, b'/' | b'\n' | 0));
    good.then_some(name)
}

/// A runtime that was found in `PATH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// The file name of the runtime.
    pub name: &'a str,
    /// The entry of `PATH` that contains it.
    pub directory: &'a [u8],
    /// Device and inode of the file.
    pub file: (u64, u64),
}

/// The full paths of the directories of shims for these runtimes.
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
    let rest = rest.map(|one| installed(&directory_for(one.name)));
    together.map(installed).into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::{Found, LABEL_LENGTH, directories, label, runtime_in_label};
    use crate::nested::{installed, is_shims};

    /// The directories of shims for these runtimes, each given as (name, directory, inode).
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
    fn only_installed_runtimes_have_a_shim() {
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
            assert_eq!(runtime_in_label(end), Some(name.as_bytes()));
            assert_eq!(runtime_in_label(&end[..end.len() - 1]), None, "cut short");
            assert_eq!(runtime_in_label(&[end, b"x"].concat()), None, "something follows");
        }
        for none in ["", "../x", "a\nb", "a\0"] {
            assert_eq!(runtime_in_label(&label(none)), None, "{none:?}");
        }
        assert_eq!(runtime_in_label(b""), None);
        // The last label counts.
        assert_eq!(runtime_in_label(&[label("a"), label("b")].concat()), Some(b"b".as_slice()));
    }
}
