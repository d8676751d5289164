//! The plugin inside srun, which creates steps.
//!
//! Inside a covered job, srun inherits the shims. Two options of srun use its environment before a
//! task exists: `--bcast` looks the program up in `PATH` and copies the file that it finds to the
//! nodes, and `--container` of Slurm 21.08 and 22.05 writes the variables into the bundle. With
//! these options, the shims are removed from srun's own environment. `slurm_spank_task_init` adds
//! them again for the tasks.

use crate::hooks::broadcast::{self, PROGRAM};
use crate::hooks::nested;
use crate::spank::Spank;
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
    /// Whether the option may be in use. An argv entry of the command that looks like the option
    /// also counts, which does no harm.
    fn is_used(&self, spank: &dyn Spank, words: &[Vec<u8>]) -> bool {
        spank.variable(self.variable).is_some() || words.iter().any(|w| w.starts_with(self.start))
    }
}

/// Called by `slurm_spank_init`, before srun reads its options. `settings` are `None` if they are
/// invalid.
pub(crate) fn run(spank: &dyn Spank, settings: Option<&Settings>) {
    let words = spank.command_line();
    let in_container = CONTAINER.is_used(spank, &words);
    name_programs(spank, &words, settings.filter(|_| !in_container));
    // Without these options, srun does not even search its environment for the shims.
    if in_container || BROADCAST.is_used(spank, &words) {
        nested::remove(spank);
    }
}

/// Passes the names of the runtimes in srun's argv to the tasks. With `--bcast`, a task sees only
/// the path of the copy. A cli_filter plugin can add `--bcast` later, so the names are passed even
/// without it.
///
/// `settings` are `None` with `--container`, too: the tasks in a container are left alone, and Slurm
/// 21.08 and 22.05 would write the variable into the bundle.
fn name_programs(spank: &dyn Spank, words: &[Vec<u8>], settings: Option<&Settings>) {
    let names = settings.and_then(|settings| broadcast::names(words, &settings.runtimes));
    let done = match names {
        Some(names) => spank.set_variable(PROGRAM, &names),
        None if spank.variable(PROGRAM).is_some() => spank.unset_variable(PROGRAM),
        None => Ok(()),
    };
    if let Err(error) = done {
        log::warn!("cannot pass the name of the runtime to the tasks of --bcast: {error}");
    }
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
    fn tasks_get_the_names_of_runtimes() {
        let names = |options: &str, command: &str| {
            let double = srun(options, command);
            // The value that another srun has set.
            double.set(PROGRAM, "0:singularity");
            crate::dispatch(Hook::Init, &double);
            double.get(PROGRAM)
        };
        for options in ["--bcast=/tmp/x", "-n1"] {
            let names = names(options, LAUNCH).unwrap();
            assert!(names.ends_with(":singularity"), "{names}");
        }
        assert_eq!(names("--bcast", "singularity --version"), None);
        assert_eq!(names("--bcast", "podman run docker://o/i:1"), None);
        assert_eq!(names("--container=/b", LAUNCH), None);
    }
}
