//! What the plugin does inside srun, where steps are made.
//!
//! Inside a covered job srun inherits the shims. Two of its options read this environment before
//! a task is there: `--bcast` looks the program up in `PATH` and copies what it finds to the
//! nodes, and `--container` of Slurm 21.08 and 22.05 writes the variables into the bundle. So
//! for these srun itself gives the shims up. Tasks get them back from `slurm_spank_task_init`.

use crate::fault;
use crate::hooks::broadcast::PROGRAM;
use crate::hooks::nested;
use crate::spank::Spank;
use sifcache_core::image_uri::ImageUri;
use sifcache_core::launch;
use sifcache_core::settings::Settings;

/// An option of srun: the start of its shortest spelling that getopt accepts, and the variable
/// that stands for it.
struct SrunOption {
    start: &'static [u8],
    variable: &'static str,
}

const BROADCAST: SrunOption = SrunOption { start: b"--bc", variable: "SLURM_BCAST" };
const CONTAINER: SrunOption = SrunOption { start: b"--cont", variable: "SRUN_CONTAINER" };

impl SrunOption {
    /// Whether it may be in use. A word of the command that looks the same counts too, and does
    /// no harm.
    fn is_used(&self, spank: &dyn Spank, words: &[Vec<u8>]) -> bool {
        spank.variable(self.variable).is_some() || words.iter().any(|w| w.starts_with(self.start))
    }
}

/// `slurm_spank_init`, before srun reads its options.
pub(crate) fn uncover(spank: &dyn Spank) {
    if !nested::is_inherited(spank) {
        return;
    }
    let words = spank.command_line();
    if [BROADCAST, CONTAINER].iter().any(|option| option.is_used(spank, &words)) {
        nested::remove(spank);
    }
}

/// `slurm_spank_local_user_init`: tells the tasks that the program which they execute under
/// another name is a runtime. `--bcast` leaves them nothing but the path of the copy.
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

/// The name of the runtime that srun copies to the nodes for a launch of a docker image.
fn broadcast_runtime(spank: &dyn Spank) -> Option<Vec<u8>> {
    let command = spank.command();
    if !command.iter().any(|word| ImageUri::is_likely(word)) {
        return None;
    }
    let settings = Settings::parse(&spank.arguments()).ok()?;
    let words = spank.command_line();
    // The parts of a heterogeneous step share their variables, but not their programs.
    if !BROADCAST.is_used(spank, &words) || words.iter().any(|word| word == b":") {
        return None;
    }
    // Slurm before 23.02 shows the path of the copy already; then what was typed has it.
    let programs = [command.first().copied(), typed(&words, &command)];
    let runtime = programs
        .into_iter()
        .flatten()
        .find(|program| launch::is_runtime(program, &settings.runtimes));
    runtime.map(|program| launch::file_name(program).to_vec())
}

/// The program as it was typed: what stands before the arguments of `command` at the end of
/// srun's own words.
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

    /// srun with these options inside a covered job.
    fn srun(options: &str, command: &str) -> Double {
        let mut double = Double::new(Context::Local, &["image_root=/sif"]);
        double.command_line = words(&format!("srun {options} {command}"));
        double.command = words(command);
        double.set("PATH", &format!("{}:/bin", installed(SHIMS)));
        double.set(SETTINGS, "image_root=/sif");
        double
    }

    #[test]
    fn srun_gives_the_shims_up_where_it_would_hand_them_over() {
        for (options, variable, given_up) in [
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
            assert_eq!(after, (given_up, (!given_up).then(|| "image_root=/sif".to_owned())));
        }
    }

    #[test]
    fn tasks_learn_the_name_of_a_runtime_that_is_copied() {
        let learnt = |options: &str, command: &str, shown: &str| {
            let mut double = srun(options, command);
            double.command[0] = shown.as_bytes().to_vec();
            crate::dispatch(Hook::LocalUserInit, &double);
            double.get(PROGRAM)
        };
        let some = |name: &str| Some(name.to_owned());
        // From 23.02 on Slurm shows the program that was found, before that the copy.
        for shown in ["/usr/bin/singularity", "/tmp/x", "/tmp/"] {
            assert_eq!(learnt("--bcast=/tmp/x", LAUNCH, shown), some("singularity"), "{shown}");
        }
        let typed = "/opt/a/apptainer run docker://o/i:1";
        assert_eq!(learnt("--bcast", typed, "/tmp/x"), some("apptainer"));
        // Not copied, no image, no runtime, or one of several parts.
        assert_eq!(learnt("-n1", LAUNCH, "singularity"), None);
        assert_eq!(learnt("--bcast", "singularity --version", "/tmp/x"), None);
        assert_eq!(learnt("--bcast", "podman run docker://o/i:1", "/tmp/x"), None);
        assert_eq!(learnt("--bcast=/x a : --bcast=/y", LAUNCH, "/usr/bin/singularity"), None);
    }

    #[test]
    fn what_another_srun_has_left_goes() {
        let double = srun("-n1", LAUNCH);
        double.set(PROGRAM, "singularity");
        crate::dispatch(Hook::LocalUserInit, &double);
        assert_eq!(double.get(PROGRAM), None);
    }
}
