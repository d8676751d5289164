//! Checks how launches and pulls outside of jobs reach the shim: through the snippet for login
//! shells, through the module, or not at all.
//!
//! Workflow engines often pull on login nodes, where the plugin changes no environment.

use super::finding::Finding;
use super::host::Host;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::nested::is_shims;
use std::env;
use std::path::{Path, PathBuf};

/// With this file, the snippet puts the shims first outside of jobs: see `profile.d/`.
pub(crate) const MARKER: &str = "/etc/sifcache/login-node";
/// The snippet that most login shells read.
const SNIPPET: &str = "/etc/profile.d/zz-sifcache.sh";
/// The name of the module.
const MODULE: &str = "sifcache";

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let (snippet, module) = (is_enabled(host), module(host));
    let in_use = snippet || module.is_some();
    if host.is_compute_node() && !in_use {
        return vec![Finding::ok("way", "jobs run on this host, where nested= applies")];
    }
    let mut findings: Vec<Finding> = snippet.then(|| by_snippet(host)).into_iter().collect();
    findings.extend(module.as_ref().map(|module| {
        Finding::ok("way", format!("module: {} is loaded", escape_for_terminal(Path::new(module))))
    }));
    if !in_use {
        findings.push(off());
    }
    if in_use && host.site.settings.is_none() {
        let message = "there are no valid settings, so the shims leave all commands unchanged";
        findings.push(Finding::warn("settings", message).advice(
            "this host needs the plugin's line in plugstack.conf; on configless clusters, sackd \
             fetches the file",
        ));
    }
    let runtimes = host.site.runtimes();
    findings.extend(runtimes.iter().filter_map(|name| program(host, name, module.is_some())));
    findings
}

/// Whether the admin has enabled the snippet for login shells outside of jobs.
pub(crate) fn is_enabled(host: &Host) -> bool {
    host.path(MARKER).exists()
}

/// The loaded module of sifcache, as `NAME/VERSION`.
fn module(host: &Host) -> Option<String> {
    let is_ours = |module: &&str| module.split('/').next() == Some(MODULE);
    host.loaded_modules.split(':').find(is_ours).map(str::to_owned)
}

fn by_snippet(host: &Host) -> Finding {
    match host.path(SNIPPET).exists() {
        true => Finding::ok("way", format!("profile snippet: {MARKER} exists")),
        false => {
            let message = format!("{MARKER} exists, but {SNIPPET} is missing");
            Finding::fail("way", message).advice("run make install, or remove the file")
        }
    }
}

fn off() -> Finding {
    let message = "neither the profile snippet nor the module: launches and pulls outside of jobs \
                   are not covered";
    Finding::ok("way", message).advice(format!(
        "to cover them, create {MARKER} for all users, or run module load {MODULE}: \
         docs/login-nodes.md"
    ))
}

/// The program that users start under this name; `None` if the runtime is not installed.
fn program(host: &Host, name: &str, module_is_loaded: bool) -> Option<Finding> {
    host.find(name)?;
    let first = first(host, name)?;
    let path = escape_for_terminal(&first);
    if is_shim(&first) {
        return Some(Finding::ok("program", format!("{name} in PATH is the shim, {path}")));
    }
    let message = format!("{name} in PATH is {path}, not the shim");
    Some(if module_is_loaded {
        Finding::warn("program", message).advice(format!(
            "load the module {MODULE} after the module of the runtime, or make the modulefile of \
             the runtime prepend the shims: docs/install.md, step 5"
        ))
    } else if is_enabled(host) {
        Finding::note("program", message).advice(
            "this session was not started by a login shell that read the snippet, or something \
             has changed PATH since; see also `login shells`",
        )
    } else {
        Finding::ok("program", message)
    })
}

/// The first program of this name in `PATH`, shims included.
fn first(host: &Host, name: &str) -> Option<PathBuf> {
    let paths = env::split_paths(&host.search).map(|directory| directory.join(name));
    paths.into_iter().find(|path| host.is_program(path))
}

fn is_shim(path: &Path) -> bool {
    path.parent().is_some_and(|directory| is_shims(directory.as_os_str().as_encoded_bytes()))
}
