//! The plugin inside srun, which creates steps.
//!
//! Inside a covered job srun inherits the shims. Two of its options read this environment before a
//! task exists: `--bcast` looks the program up in `PATH` and copies the file that it finds to the
//! nodes, and `--container` of Slurm 21.08 and 22.05 writes the variables into the bundle. With
//! these options, the shims are removed from srun's own environment. `slurm_spank_task_init` gives
//! them back to the tasks.

use crate::fault;
use crate::hooks::broadcast::PROGRAM;
use crate::hooks::nested;
use crate::spank::Spank;
use sifcache_core::image_uri::ImageUri;
use sifcache_core::launch;
use sifcache_core::settings::Settings;

/// An option of srun: its shortest prefix that getopt accepts, and the variable that has the same
/// effect.
struct SrunOption {
    start: &'static [u8],
    variable: &'static str,
}

const BROADCAST: SrunOption = SrunOption { start: b"--bc", variable: "SLURM_BCAST" };
const CONTAINER: SrunOption = SrunOption { start: b"--cont", variable: "SRUN_CONTAINER" };

impl SrunOption {
    /// Whether the option may be in use. An argv entry of the command that looks the same counts,
    /// too, which does no harm.
    fn is_used(&self, spank: &dyn Spank, words: &[Vec<u8>]) -> bool {
        spank.variable(self.variable).is_some() || words.iter().any(|w| w.starts_with(self.start))
    }
}

/// Called by `slurm_spank_init`, before srun reads its options: removes the shims if an option
/// requires it.
pub(crate) fn uncover(spank: &dyn Spank) {
    if !nested::is_inherited(spank) {
        return;
    }
    let words = spank.command_line();
    if [BROADCAST, CONTAINER].iter().any(|option| option.is_used(spank, &words)) {
        nested::remove(spank);
    }
}

/// Called by `slurm_spank_local_user_init`: passes the name of the runtime to the tasks if they
/// execute it under another name. With `--bcast`, they see only the path of the copy.
pub(crate) fn name_program(spank: &dyn Spank) {
    fault::point("local_user_init");
    let name = broadcast_runtime(spank);
    let done = match &name {
        Some(name) => spank.set_variable(PROGRAM, name),
        None if spank.variable(PROGRAM).is_some() => spank.unset_variable(PROGRAM),
        None => Ok(()),
    };
    if let Err(error) = done {
        log::warn!("cannot tell the tasks what --bcast copies: {error}");
    }
}

/// The name of the runtime that srun copies to the nodes, if the command is a launch of a docker
/// image.
fn broadcast_runtime(spank: &dyn Spank) -> Option<Vec<u8>> {
    let command = spank.command();
    if !command.iter().any(|word| ImageUri::is_likely(word)) {
        return None;
    }
    let settings = Settings::parse(&spank.arguments()).ok()?;
    let words = spank.command_line();
    // The components of a heterogeneous step share their variables, but not their programs.
    if !BROADCAST.is_used(spank, &words) || words.iter().any(|word| word == b":") {
        return None;
    }
    // Slurm before 23.02 shows the path of the copy here. The name is then found in srun's own
    // argv.
    let programs = [command.first().copied(), typed(&words, &command)];
    let runtime = programs
        .into_iter()
        .flatten()
        .find(|program| launch::is_runtime(program, &settings.runtimes));
    runtime.map(|program| launch::file_name(program).to_vec())
}

/// The program as typed: the entry of srun's argv `words` before the arguments of `command`, which
/// are the last entries.
fn typed<'a>(words: &'a [Vec<u8>], command: &[&[u8]]) -> Option<&'a [u8]> {
    let start = words.len().checked_sub(command.len())?;
    let (program, arguments) = words.get(start..)?.split_first()?;
    let (_, same) = command.split_first()?;
    arguments.iter().eq(same).then_some(program.as_slice())
}

#[cfg(test)]
mod tests {
    use super::PROGRAM;
    use crate::Hook;
    use crate::spank::Context;
    use crate::spank::test_double::Double;
    use sifcache_core::nested::{SETTINGS, SHIMS, installed};

    const LAUNCH: &str = "singularity exec docker://o/i:1 true";

    fn words(text: &str) -> Vec<Vec<u8>> {
        text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    /// srun with these options, inside a covered job.
    fn srun(options: &str, command: &str) -> Double {
        let mut double = Double::new(Context::Local, &["image_root=/sif"]);
        double.command_line = words(&format!("srun {options} {command}"));
        double.command = words(command);
        double.set("PATH", &format!("{}:/bin", installed(SHIMS)));
        double.set(SETTINGS, "image_root=/sif");
        double
    }

    #[test]
    fn srun_removes_the_shims_if_an_option_would_pass_them_on() {
        for (options, variable, removed) in [
            ("-n1", None, false),
            ("--bcast=/tmp/x", None, true),
            ("--bcast", None, true),
            ("--bc /tmp/x", None, true),
            ("--container /b", None, true),
            ("-n1", Some("SLURM_BCAST"), true),
            ("-n1", Some("SRUN_CONTAINER"), true),
            ("-n1", Some("SLURM_CONTAINER"), false),
        ] {
            let double = srun(options, LAUNCH);
            if let Some(variable) = variable {
                double.set(variable, "/b");
            }
            crate::dispatch(Hook::Init, &double);
            let after = (double.get("PATH").as_deref() == Some("/bin"), double.get(SETTINGS));
            assert_eq!(after, (removed, (!removed).then(|| "image_root=/sif".to_owned())));
        }
    }

    #[test]
    fn tasks_get_the_name_of_a_copied_runtime() {
        let name_for_tasks = |options: &str, command: &str, shown: &str| {
            let mut double = srun(options, command);
            double.command[0] = shown.as_bytes().to_vec();
            crate::dispatch(Hook::LocalUserInit, &double);
            double.get(PROGRAM)
        };
        let some = |name: &str| Some(name.to_owned());
        // From 23.02 on, Slurm shows the program that was found; before that, the copy.
        for shown in ["/usr/bin/singularity", "/tmp/x", "/tmp/"] {
            assert_eq!(
                name_for_tasks("--bcast=/tmp/x", LAUNCH, shown),
                some("singularity"),
                "{shown}"
            );
        }
        let typed = "/opt/a/apptainer run docker://o/i:1";
        assert_eq!(name_for_tasks("--bcast", typed, "/tmp/x"), some("apptainer"));
        // No copy, no image, no runtime, or a heterogeneous step.
        assert_eq!(name_for_tasks("-n1", LAUNCH, "singularity"), None);
        assert_eq!(name_for_tasks("--bcast", "singularity --version", "/tmp/x"), None);
        assert_eq!(name_for_tasks("--bcast", "podman run docker://o/i:1", "/tmp/x"), None);
        assert_eq!(
            name_for_tasks("--bcast=/x a : --bcast=/y", LAUNCH, "/usr/bin/singularity"),
            None
        );
    }

    #[test]
    fn a_variable_of_another_srun_is_removed() {
        let double = srun("-n1", LAUNCH);
        double.set(PROGRAM, "singularity");
        crate::dispatch(Hook::LocalUserInit, &double);
        assert_eq!(double.get(PROGRAM), None);
    }
}
