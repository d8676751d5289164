//! Checks the runtimes: which of them exist, and how they were built.

use super::finding::Finding;
use super::host::Host;
use super::{compression, flags, start};
use crate::ui::escape::escape_for_terminal;
use std::fs;
use std::path::{Path, PathBuf};

/// A runtime that is installed on this host.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) path: PathBuf,
    /// `apptainer` or `singularity`, which is also the name of its helper directory and its
    /// configuration file.
    family: &'static str,
    /// The output of `buildcfg`.
    built: String,
}

impl Runtime {
    /// A value from `buildcfg`.
    fn built(&self, key: &str) -> Option<&str> {
        let mut pairs = self.built.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value.trim())
    }

    /// A value from `buildcfg`, for a key that begins with `APPTAINER_` or `SINGULARITY_`.
    fn built_of_family(&self, key: &str) -> Option<&str> {
        self.built(&format!("{}_{key}", self.family.to_uppercase()))
    }

    pub(crate) fn is_apptainer(&self) -> bool {
        self.family == "apptainer"
    }

    /// Its version, if that starts with three numbers.
    pub(crate) fn version(&self) -> Option<(u32, u32, u32)> {
        let text = self.built("PACKAGE_VERSION")?;
        let mut numbers = text.split(['.', '-', '+', '~']).map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some((next()?, next()?, next()?))
    }

    /// Whether it was built for use without set-uid; it then ignores set-uid helpers, even if they
    /// exist.
    pub(crate) fn is_without_setuid(&self) -> bool {
        self.built_of_family("SUID_INSTALL") == Some("0")
    }

    /// The directory of its own helper programs.
    pub(crate) fn own_programs(&self) -> Option<PathBuf> {
        Some(Path::new(self.built("LIBEXECDIR")?).join(self.family).join("bin"))
    }

    /// Its configuration file; Singularity before 3.6 only reports the directory.
    pub(crate) fn configuration(&self) -> Option<PathBuf> {
        let message = self.built_of_family("CONF_FILE").map(PathBuf::from);
        let usual = || {
            Some(Path::new(self.built_of_family("CONFDIR")?).join(self.family.to_owned() + ".conf"))
        };
        message.or_else(usual)
    }

    /// The path of its execution control list.
    pub(crate) fn execution_control(&self) -> Option<PathBuf> {
        Some(Path::new(self.built_of_family("CONFDIR")?).join("ecl.toml"))
    }

    /// Whether the execution control list is active.
    pub(crate) fn has_execution_control(&self, host: &Host) -> bool {
        let text = self.execution_control().and_then(|file| host.read(file)).unwrap_or_default();
        text.lines()
            .take_while(|line| !line.trim_start().starts_with('['))
            .filter_map(|line| line.split('#').next()?.split_once('='))
            .any(|(key, value)| key.trim() == "activated" && value.trim() == "true")
    }
}

/// The runtimes in `PATH` without duplicates, and the names that were not found.
pub(crate) fn find(host: &Host) -> (Vec<Runtime>, Vec<String>) {
    let (mut found, mut missing, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    for name in host.site.runtimes() {
        let Some(path) = host.find(&name) else {
            missing.push(name);
            continue;
        };
        let real = fs::canonicalize(host.path(&path)).unwrap_or_else(|_| path.clone());
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        let answer = host.output(&path.to_string_lossy(), &["buildcfg"]);
        let built = answer.map(|answer| answer.stdout).unwrap_or_default();
        let apptainer = built.contains("APPTAINER_CONFDIR=");
        let family = if apptainer { "apptainer" } else { "singularity" };
        found.push(Runtime { path, family, built });
    }
    (found, missing)
}

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let (found, missing) = find(host);
    if found.is_empty() {
        let message = format!("no {} in PATH", missing.join(" or "));
        return vec![Finding::warn("found", message).advice(
            "install it here; if a module provides it, load the module and run this again",
        )];
    }
    let mut findings = Vec::new();
    for runtime in &found {
        findings.push(version(host, runtime));
        findings.extend(cut_short(runtime));
        findings.extend(start::check(host, runtime));
        findings.extend(compression::check(host, runtime));
        findings.extend(flags::check(host, runtime));
    }
    // One of the two default names is enough, but a name that the site configured should exist.
    findings
        .extend(missing.iter().map(|name| Finding::note("found", format!("no {name} in PATH"))));
    findings
}

/// If mksquashfs is killed, these releases leave a SIF with a truncated squashfs and exit with 0:
/// <https://github.com/apptainer/apptainer/issues/3486>.
const CUTS_SHORT: [(u32, u32, u32); 2] = [(1, 5, 0), (1, 5, 1)];

fn cut_short(runtime: &Runtime) -> Option<Finding> {
    let (major, minor, patch) = runtime.version().filter(|version| CUTS_SHORT.contains(version))?;
    let name = escape_for_terminal(&runtime.path);
    let message = format!(
        "{name} is {major}.{minor}.{patch}, which may write a SIF with an incomplete root file \
         system and report success"
    );
    runtime.is_apptainer().then(|| {
        Finding::warn("complete-images", message).advice(
            "update it, or set APPTAINER_IGNORE_PROOT=1; sifcache verify --deep finds such images",
        )
    })
}

fn version(host: &Host, runtime: &Runtime) -> Finding {
    let name = escape_for_terminal(&runtime.path);
    match host.output(&runtime.path.to_string_lossy(), &["--version"]) {
        Ok(answer) if answer.success => {
            let message = answer.stdout.lines().next().unwrap_or_default();
            Finding::ok(
                "found",
                format!("{name}: {}", escape_for_terminal(Path::new(message.trim()))),
            )
        }
        Ok(answer) => {
            let message = answer.stderr.lines().next().unwrap_or_default();
            Finding::fail(
                "found",
                format!("{name} --version fails: {}", escape_for_terminal(Path::new(message))),
            )
            .advice("repair its installation; sifcache does not change it")
        }
        Err(error) => Finding::fail("found", error.describe(&name))
            .advice("repair its installation; sifcache does not change it"),
    }
}

#[cfg(test)]
mod tests {
    use super::Runtime;
    use std::path::Path;

    fn runtime(family: &'static str, built: &str) -> Runtime {
        Runtime { path: "/usr/bin/x".into(), family, built: built.to_owned() }
    }

    #[test]
    fn versions_are_parsed() {
        let of = |text: &str| runtime("apptainer", &format!("PACKAGE_VERSION={text}")).version();
        assert_eq!(of("1.4.5-2"), Some((1, 4, 5)));
        assert_eq!(of("3.8.7"), Some((3, 8, 7)));
        assert_eq!(of("4.0.0+12-gabc"), Some((4, 0, 0)));
        assert_eq!(of("unknown"), None);
    }

    #[test]
    fn the_path_of_the_configuration_is_found() {
        let old = runtime("singularity", "SINGULARITY_CONFDIR=/e/singularity");
        let new = runtime("singularity", "SINGULARITY_CONFDIR=/e/s\nSINGULARITY_CONF_FILE=/e/s/c");
        assert_eq!(
            old.configuration().as_deref(),
            Some(Path::new("/e/singularity/singularity.conf"))
        );
        assert_eq!(new.configuration().as_deref(), Some(Path::new("/e/s/c")));
        assert_eq!(runtime("singularity", "").configuration(), None);
    }
}
