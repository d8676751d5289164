//! `srun --bcast` of a runtime: the task executes a copy under another name.
//!
//! Inside srun, the plugin finds the names of runtimes in srun's argv and passes them to the tasks
//! in a variable (`srun.rs`). The decision on a task's command is made as if `argv[0]` were this
//! name. The command itself keeps the path of the copy.
//!
//! The components of a heterogeneous step share one environment, and only srun's own table of
//! options could distinguish the value of an option from the program. The variable therefore names
//! every word that can be the program, each with a hash of the words after it: `HASH:NAME
//! HASH:NAME`. A task uses the name whose hash is that of its own arguments. If a component runs a
//! program that is not a runtime with the same arguments, the name stays empty (`HASH:`): a task
//! with these arguments can be either program.

use crate::job::{Error, Job, Step};
use crate::spank::Spank;
use sifcache_core::image_uri::ImageUri;
use sifcache_core::launch::{file_name, is_runtime};
use std::path::Path;

/// The name of the variable.
pub(crate) use crate::spank::BROADCAST as PROGRAM;

/// The maximum number of names. No step has more components; a longer list can only come from a
/// command that looks like several launches but is not.
const MAX_NAMES: usize = 64;

/// The program of a task, according to the names that srun passed.
pub(crate) enum Program<'a> {
    /// The program is `argv[0]`.
    AsTyped,
    /// The program is a copy of this runtime.
    Copy(Broadcast<'a>),
    /// The program may be a copy of a runtime or of another program.
    Ambiguous,
}

/// A task whose program is a copy.
pub(crate) struct Broadcast<'a> {
    spank: &'a dyn Spank,
    name: Vec<u8>,
}

/// Reads the names that srun passed, and removes the variable: a program that the task starts is
/// not the copy.
pub(crate) fn take(spank: &dyn Spank) -> Program<'_> {
    let Some(names) = spank.variable(PROGRAM) else { return Program::AsTyped };
    if let Err(error) = spank.unset_variable(PROGRAM) {
        log::warn!("cannot remove {PROGRAM} from the environment of the task: {error}");
    }
    let command = spank.command();
    let Some((program, arguments)) = command.split_first() else { return Program::AsTyped };
    match name(&names, arguments) {
        // A bare name is never a copy, because srun passes the path of the copy.
        Some([]) if program.contains(&b'/') => Program::Ambiguous,
        None | Some([]) => Program::AsTyped,
        Some(name) if name == file_name(program) => Program::AsTyped,
        Some(name) => Program::Copy(Broadcast { spank, name: name.to_vec() }),
    }
}

/// The value of the variable for an srun with this argv. `None` if no word can be a runtime that
/// starts an image.
pub(crate) fn names(words: &[Vec<u8>], runtimes: &[String]) -> Option<Vec<u8>> {
    let parts: Vec<&[Vec<u8>]> = words.get(1..)?.split(|word| word == b":").collect();
    let mut names = Vec::new();
    for part in parts.iter().filter(|part| part.iter().any(|word| ImageUri::is_likely(word))) {
        for (place, program) in part.iter().enumerate() {
            if names.len() == MAX_NAMES {
                break;
            }
            let Some(arguments) = part.get(place + 1..) else { continue };
            let launch = is_runtime(program, runtimes)
                && arguments.iter().any(|word| ImageUri::is_likely(word));
            if launch {
                let agreed = parts.iter().all(|other| agrees(other, arguments, runtimes));
                let name = if agreed { file_name(program) } else { b"" };
                let name = String::from_utf8_lossy(name);
                names.push(format!("{:016x}:{name}", hash(arguments)));
            }
        }
    }
    (!names.is_empty()).then(|| names.join(" ").into_bytes())
}

/// False if a component of the step runs a program that is not a runtime with the same arguments.
/// It makes no difference which of the runtimes the program is.
fn agrees(part: &[Vec<u8>], arguments: &[Vec<u8>], runtimes: &[String]) -> bool {
    let program = part.strip_suffix(arguments).and_then(<[_]>::last);
    program.is_none_or(|program| is_runtime(program, runtimes))
}

/// The name for a command with these arguments. It is empty if the program is ambiguous.
fn name<'a>(names: &'a [u8], arguments: &[&[u8]]) -> Option<&'a [u8]> {
    let hash = format!("{:016x}:", hash(arguments));
    names.split(|byte| *byte == b' ').find_map(|entry| entry.strip_prefix(hash.as_bytes()))
}

/// FNV-1a of the words, each with its null byte. It distinguishes the commands of one step. It need
/// not withstand attacks, because the step's user can choose the name anyway.
fn hash<W: AsRef<[u8]>>(words: &[W]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.as_ref().iter().chain(&[0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Everything except `argv[0]` is taken from the task.
impl Job for Broadcast<'_> {
    fn command(&self) -> Vec<&[u8]> {
        let mut command = self.spank.command();
        if let Some(first) = command.first_mut() {
            *first = &self.name;
        }
        command
    }

    fn replace(&self, index: usize, path: &Path) -> Result<(), Error> {
        self.spank.replace(index, path)
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        self.spank.variable(name)
    }

    fn step(&self) -> Step {
        self.spank.step()
    }

    fn write_stderr(&self, text: &str) {
        self.spank.write_stderr(text);
    }

    fn end(&self, status: i32) {
        self.spank.end(status);
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAMES, name, names};

    fn words(text: &str) -> Vec<Vec<u8>> {
        text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    /// The name that a task with these arguments gets from an srun with this argv.
    fn name_for(srun: &str, arguments: &str) -> Option<String> {
        let runtimes = ["singularity", "apptainer"].map(str::to_owned);
        let names = names(&words(srun), &runtimes)?;
        let arguments = words(arguments);
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        name(&names, &arguments).map(|name| String::from_utf8_lossy(name).into_owned())
    }

    const IMAGE: &str = "exec docker://o/i:1 true";

    #[test]
    fn the_word_before_the_arguments_of_the_task() {
        for (srun, expected) in [
            ("srun --bcast=/tmp/x apptainer", Some("apptainer")),
            ("srun --bcast /opt/a/singularity", Some("singularity")),
            // An option's value.
            ("srun -J apptainer singularity", Some("singularity")),
            ("srun -J apptainer podman", None),
            ("srun env apptainer -q", None),
            ("apptainer", None),
        ] {
            let found = name_for(&format!("{srun} {IMAGE}"), IMAGE);
            assert_eq!(found.as_deref(), expected, "{srun}");
        }
        assert_eq!(name_for("srun apptainer exec /x.sif true", "exec /x.sif true"), None);
        assert_eq!(
            name_for(&format!("srun env apptainer {IMAGE}"), &format!("apptainer {IMAGE}")),
            None
        );
        assert_eq!(name_for("srun", ""), None);
    }

    #[test]
    fn components_of_a_heterogeneous_step() {
        let step =
            "srun a docker://x : -n1 apptainer run docker://o/i:2 : singularity run docker://o/i:3";
        assert_eq!(name_for(step, "run docker://o/i:2").as_deref(), Some("apptainer"));
        assert_eq!(name_for(step, "run docker://o/i:3").as_deref(), Some("singularity"));
        assert_eq!(name_for(step, "docker://x"), None);
        // The same arguments of two programs.
        for other in ["/x/apptainer", "singularity"] {
            let same = format!("srun apptainer {IMAGE} : {other} {IMAGE}");
            assert_eq!(name_for(&same, IMAGE).as_deref(), Some("apptainer"));
        }
        for step in [
            format!("srun apptainer {IMAGE} : podman {IMAGE}"),
            format!("srun -n1 podman {IMAGE} : -n2 /x/apptainer {IMAGE}"),
        ] {
            assert_eq!(name_for(&step, IMAGE).as_deref(), Some(""), "{step}");
        }
    }

    #[test]
    fn the_number_of_names_is_limited() {
        let many = vec!["apptainer"; 3 * MAX_NAMES].join(" ");
        let names = names(&words(&format!("srun {many} docker://x")), &["apptainer".to_owned()]);
        assert!(names.unwrap().len() < 2048);
    }
}
