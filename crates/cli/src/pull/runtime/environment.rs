//! The environment of the runtime.
//!
//! Sources: the `EnvKeys` of `cmd/internal/cli/pull.go` and `build.go` of Apptainer and
//! SingularityCE.

use sifcache_core::nested;
use sifcache_core::settings::Nested;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::process::Command;

/// Apptainer reads variables with both prefixes and prefers the first; SingularityCE reads only
/// those with the second.
const PREFIXES: [&str; 2] = ["APPTAINER_", "SINGULARITY_"];

/// Variables that would change where the runtime writes the file, or would make it pull a different
/// image from the one that a job on this host would pull.
const MISLEADING: [&str; 9] = [
    "PULLDIR",
    "PULLFOLDER",
    "PULL_NAME",
    "SANDBOX",
    "OCI",
    "ARCH",
    "PULL_ARCH",
    "PULL_ARCH_VARIANT",
    "PLATFORM",
];

/// Variables that change the result of a build, but not that of a pull.
const BUILD_ONLY: [&str; 15] = [
    "BUILD_ARCH",
    "BUILD_ARCH_VARIANT",
    "DATA",
    "ENCRYPT",
    "ENCRYPTION_PASSPHRASE",
    "ENCRYPTION_PEM_PATH",
    "FAKEROOT",
    "FIXPERMS",
    "FORCE",
    "JSON",
    "MKSQUASHFS_ARGS",
    "NOTEST",
    "SECTION",
    "UPDATE",
    "USERNS",
];

/// Removes from the environment everything that leads launches to the shim. This command needs the
/// real runtime, even inside a job.
pub(super) fn without_us(command: &mut Command, get: &dyn Fn(&str) -> Option<OsString>) {
    let bytes = |name: &str| get(name).map(OsString::into_vec);
    for change in nested::changes(Nested::Off, &[], b"", &bytes) {
        match &change.value {
            Some(value) => command.env(change.name, OsStr::from_bytes(value)),
            None => command.env_remove(change.name),
        };
    }
}

/// Sets the environment for a pull that unpacks in `tmpdir`. `no_https` is passed as a variable,
/// because the variable is the same for all runtimes, while the option has another name in
/// SingularityCE before 3.9.
pub(super) fn for_pull(
    command: &mut Command,
    tmpdir: &Path,
    no_https: bool,
    get: &dyn Fn(&str) -> Option<OsString>,
) {
    let both = |name: &str| PREFIXES.map(|prefix| format!("{prefix}{name}"));
    for name in MISLEADING.iter().flat_map(|name| both(name)) {
        command.env_remove(name);
    }
    command.envs(both("TMPDIR").map(|name| (name, tmpdir)));
    if no_https {
        command.envs(both("NOHTTPS").map(|name| (name, "true")));
    }
    // The runtime's own cache would be a second cache in root's home directory, so it is disabled
    // unless the site sets this variable.
    let cache = both("DISABLE_CACHE");
    if cache.iter().all(|name| get(name).is_none()) {
        command.envs(cache.map(|name| (name, "true")));
    }
}

/// Sets the environment for a build in `directory`, so that its result is that of a pull.
pub(super) fn for_build(
    command: &mut Command,
    directory: &Path,
    get: &dyn Fn(&str) -> Option<OsString>,
) {
    for_pull(command, directory, false, get);
    for name in BUILD_ONLY {
        command.env_remove(format!("APPTAINER_{name}")).env_remove(format!("SINGULARITY_{name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::{for_build, for_pull, without_us};
    use sifcache_core::nested::{SETTINGS, SHIMS, installed};
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::path::Path;
    use std::process::Command;

    /// The changes that a command makes to its environment; `None` marks a removed variable.
    fn changes(command: &Command) -> BTreeMap<String, Option<String>> {
        let text = |text: &std::ffi::OsStr| text.to_str().unwrap().to_owned();
        command.get_envs().map(|(name, value)| (text(name), value.map(text))).collect()
    }

    fn pull(given: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
        let get = |name: &str| {
            given.iter().find(|(given, _)| *given == name).map(|(_, value)| OsString::from(value))
        };
        let mut command = Command::new("apptainer");
        for_pull(&mut command, Path::new("/scratch"), true, &get);
        without_us(&mut command, &get);
        changes(&command)
    }

    #[test]
    fn misleading_variables_are_removed() {
        let changed = pull(&[("APPTAINER_PULLDIR", "/elsewhere")]);
        for name in ["APPTAINER_PULLDIR", "SINGULARITY_PULL_NAME", "SINGULARITY_OCI"] {
            assert_eq!(changed[name], None, "{name}");
        }
        for name in ["APPTAINER_TMPDIR", "SINGULARITY_TMPDIR"] {
            assert_eq!(changed[name].as_deref(), Some("/scratch"), "{name}");
        }
    }

    #[test]
    fn variables_that_only_change_builds_are_removed() {
        let mut command = Command::new("apptainer");
        for_build(&mut command, Path::new("/scratch"), &|_| None);
        let changed = changes(&command);
        for name in ["APPTAINER_MKSQUASHFS_ARGS", "SINGULARITY_FIXPERMS", "APPTAINER_PULLDIR"] {
            assert_eq!(changed[name], None, "{name}");
        }
        assert_eq!(changed["APPTAINER_TMPDIR"].as_deref(), Some("/scratch"));
    }

    #[test]
    fn the_runtimes_cache_is_disabled_unless_configured() {
        assert_eq!(pull(&[])["APPTAINER_DISABLE_CACHE"].as_deref(), Some("true"));
        assert_eq!(pull(&[])["SINGULARITY_DISABLE_CACHE"].as_deref(), Some("true"));
        let changed = pull(&[("SINGULARITY_DISABLE_CACHE", "false")]);
        assert!(!changed.keys().any(|name| name.ends_with("DISABLE_CACHE")), "{changed:?}");
    }

    #[test]
    fn variables_that_lead_to_the_shim_are_removed() {
        let path = format!("{}:/usr/bin", installed(SHIMS));
        let changed = pull(&[("PATH", &path), (SETTINGS, "image_root=/sif")]);
        assert_eq!(changed["PATH"].as_deref(), Some("/usr/bin"));
        assert_eq!(changed[SETTINGS], None);
        assert!(!pull(&[("PATH", "/usr/bin")]).contains_key("PATH"));
    }
}
