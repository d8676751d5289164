//! Checks whether the plugin is where Slurm looks for it, can be loaded, and matches this Slurm
//! release.

use super::finding::Finding;
use super::host::{Host, remedy};
use super::slurm::Release;
use crate::system::library::{self, VERSION};
use crate::ui::escape::escape_for_terminal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let Some(ours) = host.site.ours() else {
        let why = "without the plugin's line, its library is unknown";
        return vec![Finding::skipped("file", why), loaded(host)];
    };
    let path = match find(host, &ours.plugin) {
        Ok(path) => path,
        Err(finding) => return vec![finding, loaded(host)],
    };
    let mut findings = vec![file(host, &path)];
    match library::number(&host.path(&path), VERSION) {
        Ok(number) => findings.push(release(host, &path, number)),
        Err(error) => {
            let message = format!("{} {error}", escape_for_terminal(&path));
            findings.push(Finding::fail("library", message).advice(reinstall(host)));
        }
    }
    findings.push(loaded(host));
    findings
}

/// Whether two plugin names resolve to two different files. Slurm then loads both, and neither copy
/// is aware of the other.
pub(crate) fn are_copies(host: &Host, one: &str, other: &str) -> bool {
    let real = |plugin| fs::canonicalize(host.path(find(host, plugin).ok()?)).ok();
    matches!((real(one), real(other)), (Some(one), Some(other)) if one != other)
}

/// The path where Slurm would find the plugin.
fn find(host: &Host, plugin: &str) -> Result<PathBuf, Finding> {
    let (directories, configured) = host.plugin_directories();
    let candidates: Vec<PathBuf> = match plugin.starts_with('/') {
        true => vec![plugin.into()],
        false => directories.iter().map(|directory| directory.join(plugin)).collect(),
    };
    if let Some(path) = candidates.iter().find(|path| host.path(path).exists()) {
        return Ok(path.clone());
    }
    let looked: Vec<String> = candidates.iter().map(|path| escape_for_terminal(path)).collect();
    if !configured && !plugin.starts_with('/') {
        let why = format!("Slurm's PluginDir is unknown, and it is not at {}", looked.join(", "));
        return Err(Finding::skipped("file", why));
    }
    let message = format!("{}: missing, so jobs run without it", looked.join(", "));
    let directory = candidates.first().and_then(|path| path.parent());
    let directory = directory.map(escape_for_terminal).unwrap_or_default();
    Err(Finding::fail("file", message).advice(format!("make install plugindir={directory}")))
}

/// Checks that users can read the file, because srun loads it as the user.
fn file(host: &Host, path: &Path) -> Finding {
    let name = escape_for_terminal(path);
    if let Some(reason) = host.writer(path) {
        return Finding::fail("file", reason.to_string()).advice(format!(
            "every account that can write there controls what all jobs run: {}",
            remedy(&reason)
        ));
    }
    let readable = fs::metadata(host.path(path)).is_ok_and(|m| m.permissions().mode() & 0o004 != 0);
    match readable {
        true => Finding::ok("file", format!("{name}: exists, and is readable by all users")),
        false => {
            Finding::fail("file", format!("{name}: srun runs as the user and may not read it"))
                .advice(format!("chmod 0755 {name}"))
        }
    }
}

fn release(host: &Host, path: &Path, number: Option<u32>) -> Finding {
    let name = escape_for_terminal(path);
    let Some(number) = number else {
        let message = format!("{name} exports no {VERSION}: it is not a Slurm plugin");
        return Finding::fail("release", message).advice(reinstall(host));
    };
    let built = Release(number >> 16, number >> 8 & 0xff);
    match host.release() {
        Err(why) => Finding::skipped("release", format!("{name} is for Slurm {built}; {why}")),
        Ok((installed, _)) if installed == built => {
            Finding::ok("release", format!("{name}: built for Slurm {built}, as installed"))
        }
        Ok((installed, _)) => Finding::fail(
            "release",
            format!(
                "{name} is for Slurm {built}, but {installed} is installed: \
                 Incompatible Slurm plugin version ({built}.{})",
                number & 0xff
            ),
        )
        .advice(format!("make plugin SLURM_VERSION={installed}, then {}", install(host))),
    }
}

/// The definitive test: whether srun loads it on this host.
fn loaded(host: &Host) -> Finding {
    let answer = match host.output("srun", &["--help"]) {
        Ok(answer) => answer,
        Err(error) => return Finding::skipped("loaded", error.describe("srun")),
    };
    if answer.stdout.contains("--sif-cache") {
        return Finding::ok("loaded", "srun has loaded it: `srun --help` lists --sif-cache");
    }
    if host.site.plugstack.is_none() {
        let why = "srun has not loaded it; with --root, it is unknown whether it should";
        return Finding::skipped("loaded", why);
    }
    let message = |line: &&str| line.contains("sifcache") || line.contains("spank");
    let message = answer
        .stderr
        .lines()
        .find(message)
        .map(|l| format!(": {}", escape_for_terminal(Path::new(l))));
    let message = format!("srun has not loaded it{}", message.unwrap_or_default());
    Finding::fail("loaded", message).advice(
        "see the findings above; `srun -vvv true 2>&1 | grep -i -e spank -e incompatible` says \
         more",
    )
}

fn reinstall(host: &Host) -> String {
    let release = host.release().map(|(release, _)| format!(" SLURM_VERSION={release}"));
    format!("make plugin{}, then {}", release.unwrap_or_default(), install(host))
}

fn install(host: &Host) -> String {
    match host.plugin_directories() {
        (directories, true) => {
            let directory =
                directories.first().map(|path| escape_for_terminal(path)).unwrap_or_default();
            format!("make install plugindir={directory}")
        }
        (_, false) => "make install plugindir=DIR".to_owned(),
    }
}
