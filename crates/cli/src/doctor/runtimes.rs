//! The runtimes: which there are, and whether users can start a SIF with them.

use super::finding::Finding;
use super::host::Host;
use crate::output::plain;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A runtime that is installed here.
#[derive(Debug)]
pub(crate) struct Runtime {
    pub(crate) path: PathBuf,
    /// The name of its programs, under which its own directories have it.
    family: &'static str,
    /// What `buildcfg` prints.
    built: String,
}

impl Runtime {
    /// A value that it was built with.
    pub(crate) fn built(&self, key: &str) -> Option<&str> {
        let mut pairs = self.built.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value.trim())
    }

    /// The same for a key that begins with `APPTAINER_` or `SINGULARITY_`.
    pub(crate) fn built_of_family(&self, key: &str) -> Option<&str> {
        self.built(&format!("{}_{key}", self.family.to_uppercase()))
    }

    /// Whether its helper is set-uid, and may be.
    fn is_setuid(&self, host: &Host) -> bool {
        let helper = self.built("LIBEXECDIR").map(|directory| {
            host.path(Path::new(directory).join(self.family).join("bin/starter-suid"))
        });
        let metadata = helper.and_then(|helper| fs::metadata(helper).ok());
        let installed =
            metadata.is_some_and(|m| m.permissions().mode() & 0o4000 != 0 && m.uid() == 0);
        let file = self.built_of_family("CONF_FILE").and_then(|file| host.read(file));
        let allowed =
            file.is_none_or(|text| !super::configuration::is(&text, "allow setuid", "no"));
        installed && allowed
    }
}

/// The runtimes in `PATH`, each once, and the names that none has.
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
        let answer = host.ask(&path.to_string_lossy(), &["buildcfg"]);
        let built = answer.map(|answer| answer.stdout).unwrap_or_default();
        let apptainer = built.contains("APPTAINER_CONFDIR=");
        let family = if apptainer { "apptainer" } else { "singularity" };
        found.push(Runtime { path, family, built });
    }
    (found, missing)
}

/// The checks.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let (found, missing) = find(host);
    if found.is_empty() {
        let what = format!("no {} in PATH", missing.join(" or "));
        return vec![Finding::warn("found", what).advice(
            "install it here; where a module brings it, load the module and run this again",
        )];
    }
    let mut findings = Vec::new();
    for runtime in &found {
        findings.push(version(host, runtime));
        match runtime.is_setuid(host) {
            true => findings.push(Finding::ok("mode", "users start it set-uid")),
            false => {
                findings.push(namespaces(host));
                findings.push(fuse(host, runtime));
            }
        }
    }
    // The two usual names need not both be there; a name that the site has chosen is.
    findings
        .extend(missing.iter().map(|name| Finding::note("found", format!("no {name} in PATH"))));
    findings
}

fn version(host: &Host, runtime: &Runtime) -> Finding {
    let name = plain(&runtime.path);
    match host.ask(&runtime.path.to_string_lossy(), &["--version"]) {
        Ok(answer) if answer.success => {
            let said = answer.stdout.lines().next().unwrap_or_default();
            Finding::ok("found", format!("{name}: {}", plain(Path::new(said.trim()))))
        }
        Ok(answer) => {
            let said = answer.stderr.lines().next().unwrap_or_default();
            Finding::fail("found", format!("{name} --version fails: {}", plain(Path::new(said))))
                .advice("mend its installation; sifcache leaves it as it is")
        }
        Err(silence) => Finding::fail("found", silence.said_of(&name))
            .advice("mend its installation; sifcache leaves it as it is"),
    }
}

/// What may forbid user namespaces: the file, the value that does, and what to do.
const FORBIDDEN: [(&str, &str, &str); 2] = [
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "sysctl user.max_user_namespaces=15000, or install the runtime set-uid",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "sysctl kernel.unprivileged_userns_clone=1, or install the runtime set-uid",
    ),
];

/// Where AppArmor forbids them to all but some programs.
const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

fn namespaces(host: &Host) -> Finding {
    for (file, value, advice) in FORBIDDEN {
        if host.read(file).is_some_and(|text| text == value) {
            let what = format!("users cannot start containers: not set-uid, and {file} is {value}");
            return Finding::fail("mode", what).advice(advice);
        }
    }
    let profiles = ["apptainer", "singularity-ce", "singularity"];
    let profile = || profiles.iter().any(|p| host.path("/etc/apparmor.d").join(p).exists());
    if host.read(APPARMOR).is_some_and(|text| text == "1") && !profile() {
        let what =
            format!("not set-uid, {APPARMOR} is 1, and no profile for it in /etc/apparmor.d");
        return Finding::warn("mode", what).advice(
            "see whether users can start containers; the runtime's packages bring a profile",
        );
    }
    Finding::ok("mode", "users start it with user namespaces, which are allowed")
}

/// Without set-uid, a SIF is mounted by a FUSE program, or else unpacked for each start.
fn fuse(host: &Host, runtime: &Runtime) -> Finding {
    let unpacked = "images are unpacked anew for each start";
    let device = host.path("/dev/fuse");
    if !fs::metadata(device).is_ok_and(|m| m.permissions().mode() & 0o006 == 0o006) {
        let what = format!("/dev/fuse: not there, or not open to users, so {unpacked}");
        return Finding::warn("fuse", what).advice("modprobe fuse; chmod 0666 /dev/fuse");
    }
    let own = runtime.built("LIBEXECDIR").map(|d| Path::new(d).join(runtime.family).join("bin"));
    let program = ["squashfuse_ll", "squashfuse"].iter().find_map(|name| {
        let own = own.iter().map(|directory| directory.join(name));
        let usual = ["/usr/local/bin", "/usr/bin"].map(|directory| Path::new(directory).join(name));
        let search = host.find(name);
        own.chain(search).chain(usual).find(|path| host.is_program(path))
    });
    match program {
        Some(program) => Finding::ok("fuse", format!("SIFs are mounted by {}", plain(&program))),
        None => Finding::warn("fuse", format!("no squashfuse, so {unpacked}"))
            .advice("install squashfuse"),
    }
}
