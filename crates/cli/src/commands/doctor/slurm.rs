//! Slurm: the role of this host, the installed release, and the configuration.

use super::finding::Finding;
use super::host::Host;
use crate::system::library::DIRECTORIES;
use sifcache_plugstack as plugstack;
use std::fmt;
use std::path::PathBuf;

/// Programs that print Slurm's release, each with its version option.
const VERSION_PROGRAMS: [(&str, &str); 4] =
    [("srun", "--version"), ("sinfo", "-V"), ("slurmd", "-V"), ("scontrol", "-V")];

/// A Slurm release: the two numbers that a SPANK plugin must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(pub(crate) u32, pub(crate) u32);

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0, self.1)
    }
}

impl Release {
    /// Parses `slurm 24.11.5` or `slurm-wlm 24.11.5`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_whitespace().last()?.split(['.', '-']);
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let role = match host.is_compute_node() {
        true => "a compute node: slurmd runs here",
        false => "not a compute node: slurmd does not run here",
    };
    let release = match host.release() {
        Ok((release, program)) => {
            Finding::ok("release", format!("Slurm {release}, according to {program}"))
        }
        Err(why) => Finding::skipped("release", format!("{why}: the release of Slurm is unknown")),
    };
    vec![Finding::ok("role", role), release]
}

impl Host {
    /// Slurm's release on this host, and the program that reported it.
    ///
    /// # Errors
    /// No program reported it; the error describes the first failure.
    pub(crate) fn release(&self) -> Result<(Release, &'static str), String> {
        let mut why = None;
        for (program, option) in VERSION_PROGRAMS {
            match self.output(program, &[option]) {
                Ok(answer) => {
                    if let Some(release) = Release::parse(&answer.stdout) {
                        return Ok((release, program));
                    }
                    let message = format!("{program} {option} prints no release");
                    why.get_or_insert(message);
                }
                Err(error) => {
                    why.get_or_insert(error.describe(program));
                }
            }
        }
        Err(why.unwrap_or_default())
    }

    /// A value of Slurm's running configuration, or of slurm.conf if scontrol fails.
    pub(crate) fn slurm_setting(&self, key: &str) -> Option<String> {
        let output = || match self.output("scontrol", &["show", "config"]) {
            Ok(answer) if answer.success => Ok(answer.stdout),
            Ok(answer) => Err(answer.stderr),
            Err(error) => Err(error.describe("scontrol")),
        };
        match self.config.get_or_init(output) {
            Ok(config) => plugstack::setting(config, key),
            Err(_) => self.slurm_conf().and_then(|text| plugstack::setting(&text, key)),
        }
    }

    /// The text of slurm.conf, which is in the directory of plugstack.conf on nearly all systems.
    fn slurm_conf(&self) -> Option<String> {
        let path = self.site.plugstack.as_ref()?.as_ref().ok()?.with_file_name("slurm.conf");
        std::fs::read_to_string(path).ok()
    }

    /// The directories where Slurm looks for plugins, and whether Slurm's configuration names them.
    pub(crate) fn plugin_directories(&self) -> (Vec<PathBuf>, bool) {
        match self.slurm_setting("PluginDir") {
            Some(value) => (value.split(':').map(PathBuf::from).collect(), true),
            None => (DIRECTORIES.map(PathBuf::from).to_vec(), false),
        }
    }

    /// The ID of the user that slurmctld runs as.
    pub(crate) fn slurm_user(&self) -> Option<u32> {
        // scontrol prints `slurm(64030)`; slurm.conf contains only the name.
        let value = self.slurm_setting("SlurmUser")?;
        value.split_once('(')?.1.trim_end_matches(')').parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn releases_are_parsed() {
        assert_eq!(Release::parse("slurm-wlm 26.05.5\n"), Some(Release(26, 5)));
        assert_eq!(Release::parse("slurm 24.11.0-0rc1"), Some(Release(24, 11)));
        assert_eq!(Release::parse("slurm"), None);
        assert_eq!(Release::parse(""), None);
        assert_eq!(Release(24, 5).to_string(), "24.05");
    }
}
