//! One launch by the plugin, and one by the shim.

use super::Served;
use crate::kit;
use faultfs::Counts;
use std::fs;
use std::process::Command;

/// The requests of one launch of `docker://REFERENCE`, and the image that is started: its path, or
/// an empty string after a miss.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Launch {
    pub(super) image: String,
    pub(super) counts: Counts,
}

impl Served {
    /// A launch by the plugin, in a program that loads plugins as Slurm does.
    pub(super) fn plugin(&self, reference: &str, settings: &str) -> Launch {
        let plugin = kit::plugin();
        let line = format!("{} image_root={} {settings}", plugin.display(), self.search_path());
        let image = format!("docker://{reference}");
        let launch = || {
            // One lifetime of the plugin. The exit status depends on the growth of the process.
            let flags = ["--rounds", "1"];
            let output = kit::host(&line, &flags, &["apptainer", "exec", &image, "true"]);
            kit::json(&String::from_utf8_lossy(&output.stdout))["image"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let (image, counts) = self.count(launch);
        Launch { image, counts }
    }

    /// A launch by the shim. The runtime that it starts is echo(1).
    pub(super) fn shim(&self, reference: &str, settings: &str) -> Launch {
        let at = |name: &str| self.directory.path().join(name);
        for (program, name) in
            [(env!("CARGO_BIN_EXE_sifcache-shim"), "shims"), ("/bin/echo", "runtimes")]
        {
            fs::create_dir_all(at(name)).unwrap();
            if !at(name).join("apptainer").exists() {
                fs::copy(program, at(name).join("apptainer")).unwrap();
            }
        }
        let uri = format!("docker://{reference}");
        let settings = format!("image_root={} syslog=off {settings}", self.search_path());
        let launch = || {
            Command::new(at("shims/apptainer"))
                .args(["exec", &uri, "true"])
                .env_clear()
                .env("PATH", format!("{}:{}", at("shims").display(), at("runtimes").display()))
                .env("SINGULARITY_SIFCACHE", settings)
                .output()
                .unwrap()
        };
        let (output, counts) = self.count(launch);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let image = stdout.strip_prefix("exec ").and_then(|rest| rest.strip_suffix(" true\n"));
        let image = image.unwrap_or_else(|| panic!("{output:?}"));
        Launch { image: image.replace(&uri, ""), counts }
    }
}
