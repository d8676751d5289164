//! `nested=`: redirects the launches of a task's program to the shim, or removes the redirection.
//!
//! With `nested=path`, a task gets only the shims of runtimes that are in its own `PATH` on its own
//! node, because a runtime that is not installed must not be found.

use crate::hooks::step_settings::StepSettings;
use crate::job::Error;
use crate::spank::Spank;
use crate::spank::installed::Component;
use sifcache_core::nested::shims::{Found, directories};
use sifcache_core::nested::{self, Change};
use sifcache_core::settings::{Nested, Settings};

/// Changes the task's environment so that launches inside its program reach the shim.
///
/// With `nested=off`, or if the shim is missing on this node, this only removes what the job has
/// inherited from another node. Login nodes may have the shims in `PATH` whatever `nested=` is, and
/// the loader would print an error about a missing interposer at every program start.
pub(crate) fn cover(spank: &dyn Spank, step: &StepSettings) {
    let StepSettings { settings, arguments } = step;
    match part(settings.nested) {
        Some(Component::Shims) if spank.is_installed(Component::Shims) => {
            apply(spank, settings.nested, &shims(spank, &settings.runtimes), arguments);
        }
        Some(part) if spank.is_installed(part) => apply(spank, settings.nested, &[], arguments),
        _ => remove(spank),
    }
}

/// Removes inherited variables of sifcache, regardless of the setting `nested=` on this node.
pub(crate) fn remove(spank: &dyn Spank) {
    apply(spank, Nested::Off, &[], b"");
}

/// Why `nested=` has no effect on this node; `None` if its component is installed, or with
/// `nested=off`.
pub(crate) fn missing(spank: &dyn Spank, nested: Nested) -> Option<String> {
    part(nested).and_then(|part| spank.missing(part))
}

/// The component that this setting requires.
fn part(nested: Nested) -> Option<Component> {
    match nested {
        Nested::Path => Some(Component::Shims),
        Nested::Preload => Some(Component::Interposer),
        Nested::Off => None,
    }
}

/// Makes slurmstepd search the node for runtimes, on behalf of its tasks.
pub(crate) fn prepare(spank: &dyn Spank, settings: &Settings) {
    if settings.nested == Nested::Path && spank.is_installed(Component::Shims) {
        spank.search_system_directories(&settings.runtimes);
    }
}

/// The shim directories for the runtimes that are in the task's `PATH` on this node.
fn shims(spank: &dyn Spank, runtimes: &[String]) -> Vec<String> {
    let Some(path) = spank.variable("PATH") else { return Vec::new() };
    let located = spank.runtimes(runtimes, &path);
    let found: Vec<Found<'_>> = located
        .iter()
        .filter_map(|(number, directory, file)| {
            Some(Found { name: runtimes.get(*number)?, directory, file: *file })
        })
        .collect();
    directories(&found)
}

fn apply(spank: &dyn Spank, nested: Nested, shims: &[String], settings: &[u8]) {
    let changes = nested::changes(nested, shims, settings, &|name: &str| spank.variable(name));
    if changes.iter().any(|change| change.value.is_some())
        && !spank.fits_in_exec_limit(growth(&changes))
    {
        log::warn!("launches inside the task's program are not covered: {}", Error::TOO_LONG);
        return;
    }
    for Change { name, value } in changes {
        let done = match &value {
            Some(value) => spank.set_variable(name, value),
            None => spank.unset_variable(name),
        };
        if let Err(error) = done {
            log::warn!("cannot change {name} in the environment of the task: {error}");
        }
    }
}

/// An upper bound, in bytes, of the growth of the environment by `changes`: it counts every
/// variable as new.
fn growth(changes: &[Change]) -> usize {
    // The 2 bytes are `=` and the null byte; each variable also needs a pointer to its string.
    let bytes = |change: &Change| {
        change.value.as_ref().map(|value| change.name.len() + value.len() + 2 + size_of::<usize>())
    };
    changes.iter().filter_map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use crate::Hook;
    use crate::logging::captured;
    use crate::spank::Context;
    use crate::spank::test_double::Double;
    use sifcache_core::nested::{INTERPOSER, SETTINGS, SHIM, SHIMS, installed};

    const SCRIPT: &str = "/var/spool/slurm_script";
    /// Commands of a runtime: a launch, and two that are not launches and do not start other
    /// programs either.
    const RUNTIMES: [&str; 3] = [
        "apptainer exec docker://o/i:2 true",
        "apptainer exec --x docker://o/i true",
        "singularity",
    ];

    fn task(nested: &str, command: &str, variables: &[(&str, &str)]) -> Double {
        let arguments = ["image_root=/nowhere", "syslog=off", nested];
        let mut double = Double::new(Context::Remote, &arguments);
        double.command = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        for (name, value) in variables {
            double.set(name, value);
        }
        double
    }

    fn run(double: &Double) -> [Option<String>; 3] {
        captured(|| crate::dispatch(Hook::TaskInit, double));
        ["PATH", "LD_PRELOAD", SETTINGS].map(|name| double.get(name))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn scripts_are_redirected_to_the_shim() {
        let (shims, library) = (installed(SHIMS), installed(INTERPOSER));
        let after = |nested: &str| run(&task(nested, SCRIPT, &[("PATH", "/bin")]));
        let arguments = |nested: &str| some(&format!("image_root=/nowhere syslog=off {nested}"));
        let path = some(&format!("{shims}:/bin"));
        assert_eq!(after("nested=path"), [path, None, arguments("nested=path")]);
        let preload = [some("/bin"), Some(library), arguments("nested=preload")];
        assert_eq!(after("nested=preload"), preload);
        assert_eq!(after("nested=off"), [some("/bin"), None, None]);
    }

    /// A task finds only the runtimes that are in its own `PATH` on its node.
    #[test]
    fn only_installed_runtimes_have_shims() {
        let shims = installed(SHIMS);
        let after = |runtimes: &[(&'static str, &'static str, u64)], path: &str| {
            let mut double = task("nested=path", SCRIPT, &[("PATH", path)]);
            double.runtimes = runtimes.to_vec();
            run(&double)[0].clone().unwrap().replace(&shims, "S")
        };
        let [a, s] = ["apptainer", "singularity"];
        assert_eq!(after(&[(a, "/bin", 1)], "/bin"), "S-apptainer:/bin");
        assert_eq!(after(&[(s, "/bin", 1)], "/bin"), "S-singularity:/bin");
        assert_eq!(after(&[(s, "/bin", 1), (a, "/bin", 1)], "/bin"), "S-linked:/bin");
        let apart = [(s, "/bin", 1), (a, "/opt/bin", 2)];
        assert_eq!(after(&apart, "/bin:/opt/bin"), "S-singularity:S-apptainer:/bin:/opt/bin");
        assert_eq!(after(&apart, "/bin"), "S-singularity:/bin");
        assert_eq!(after(&[], "/bin"), "/bin");
        // Directories that were inherited from another node are removed.
        let handed = format!("{shims}:/bin:{shims}-linked");
        assert_eq!(after(&[(s, "/bin", 1)], &handed), "S-singularity:/bin");
        assert_eq!(after(&[], &handed), "/bin");
    }

    #[test]
    fn slurmstepd_looks_for_runtimes_only_with_nested_path() {
        let looked = |context, nested: &str, missing: Option<&str>| {
            let mut double = Double::new(context, &["image_root=/sif", nested]);
            double.missing = missing.map(str::to_owned);
            captured(|| crate::dispatch(Hook::Init, &double));
            double.searched_system.get()
        };
        assert!(looked(Context::Remote, "nested=path", None));
        assert!(!looked(Context::Remote, "nested=path", Some("not there")));
        for nested in ["nested=preload", "nested=off"] {
            assert!(!looked(Context::Remote, nested, None), "{nested}");
        }
        for context in [Context::Slurmd, Context::Local, Context::Allocator] {
            assert!(!looked(context, "nested=path", None), "{context:?}");
        }
    }

    #[test]
    fn a_runtime_is_not_redirected_to_the_shim() {
        let (path, preload) = (format!("{}:/bin", installed(SHIMS)), installed(INTERPOSER));
        let inherited =
            [("PATH", path.as_str()), ("LD_PRELOAD", &preload), (SETTINGS, "image_root=/sif")];
        for command in RUNTIMES {
            for nested in ["nested=path", "nested=preload", "nested=off"] {
                let after = run(&task(nested, command, &inherited));
                assert_eq!(after, [some("/bin"), None, None], "{nested} {command}");
            }
        }
    }

    /// The login node may have the shims in `PATH`, whatever `nested=` is.
    #[test]
    fn shims_of_the_login_node_are_removed() {
        let path = format!("{}-linked:/bin", installed(SHIMS));
        for (nested, preload) in
            [("nested=off", None), ("nested=preload", Some(installed(INTERPOSER)))]
        {
            let [after, library, _] = run(&task(nested, SCRIPT, &[("PATH", &path)]));
            assert_eq!((after, library), (some("/bin"), preload), "{nested}");
        }
    }

    #[test]
    fn a_missing_shim_changes_nothing_and_is_logged_once() {
        for nested in ["nested=path", "nested=preload"] {
            let mut double = task(nested, SCRIPT, &[("PATH", "/bin")]);
            double.missing = some("not there");
            assert_eq!(run(&double), [some("/bin"), None, None]);
            for (context, level, lines) in [
                (Context::Slurmd, "ERROR", 1),
                (Context::Remote, "WARN", 1),
                (Context::Local, "", 0),
                (Context::Allocator, "", 0),
            ] {
                let mut double = Double::new(context, &["image_root=/sif", nested]);
                double.missing = some("not there");
                let mut logged = captured(|| crate::dispatch(Hook::Init, &double));
                logged.retain(|line| !line.starts_with("TRACE"));
                assert_eq!(logged.len(), lines, "{logged:?}");
                assert!(
                    logged.iter().all(|line| line.starts_with(level) && line.contains("not there"))
                );
            }
        }
        let mut off = Double::new(Context::Remote, &["image_root=/sif", "nested=off"]);
        off.missing = some("not there");
        let logged = captured(|| crate::dispatch(Hook::Init, &off));
        assert!(logged.iter().all(|line| line.starts_with("TRACE")), "{logged:?}");
    }

    #[test]
    fn a_full_environment_is_unchanged() {
        let full = [("PATH", "/bin")];
        for nested in ["nested=path", "nested=preload"] {
            let mut double = task(nested, SCRIPT, &full);
            double.room = 40;
            let lines = captured(|| crate::dispatch(Hook::TaskInit, &double));
            assert_eq!(
                ["PATH", "LD_PRELOAD", SETTINGS].map(|name| double.get(name)),
                [some("/bin"), None, None]
            );
            assert!(lines.iter().any(|line| line.starts_with("WARN launches inside")), "{lines:?}");
            // The space that is needed for two variables, each with its `=`, null byte and pointer.
            let roomy = task(nested, SCRIPT, &full);
            run(&roomy);
            let value = |name| roomy.get(name).unwrap_or_default().len() + name.len() + 2 + 8;
            let changed = if nested == "nested=path" { "PATH" } else { "LD_PRELOAD" };
            let needed = value(changed) + value(SETTINGS);
            for (room, covered) in [(needed - 1, false), (needed, true)] {
                let mut double = task(nested, SCRIPT, &full);
                double.room = room;
                assert_eq!(run(&double)[2].is_some(), covered, "{nested} {room} of {needed}");
            }
        }
    }

    /// The interposer was inherited from a node that has it.
    #[test]
    fn a_missing_interposer_is_removed() {
        let inherited = format!("/a.so:{}", installed(INTERPOSER));
        let mut double = task("nested=preload", SCRIPT, &[("LD_PRELOAD", &inherited)]);
        double.missing = some("not there");
        assert_eq!(run(&double), [None, some("/a.so"), None]);
    }

    #[test]
    fn the_shim_is_prepended_to_the_commands_of_multi_prog() {
        let command = |double: &mut Double| {
            double.command =
                [b"conf".as_slice(), b"0 hostname\n1 apptainer"].map(<[u8]>::to_vec).into();
        };
        let mut double = task("nested=off", "", &[]);
        command(&mut double);
        double.option = some("require");
        run(&double);
        let words = [
            &installed(SHIM),
            "--multi-prog",
            "image_root=/nowhere syslog=off nested=off",
            "require",
        ];
        assert_eq!(*double.prepended.borrow(), words);
        assert_eq!(double.get("SIF_CACHE").as_deref(), Some("require"));
        double.cannot_prepend = true;
        let lines = captured(|| crate::dispatch(Hook::TaskInit, &double));
        assert!(lines[0].starts_with("WARN the commands of --multi-prog are not covered: an old"));
        assert!(double.stderr.borrow().contains("--sif-cache=require has no effect"), "{lines:?}");
        let mut other = task("nested=off", "echo 0", &[]);
        other.missing = some("not there");
        run(&other);
        assert!(other.prepended.borrow().is_empty());
    }
}
