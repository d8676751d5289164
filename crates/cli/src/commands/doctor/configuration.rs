//! Checks the runtime's own configuration for settings that make it refuse images from an image
//! root.
//!
//! Sources: `prepare_linux.go` of Apptainer and SingularityCE. The limits apply to every launch
//! that reads the file, set-uid or not. Without set-uid, a user can circumvent them, but a normal
//! launch in a job observes them.

use super::directives::{is, values};
use super::finding::Finding;
use super::host::Host;
use super::owners;
use super::runtimes::{self, Runtime};
use crate::ui::escape::escape_for_terminal;
use sifcache_core::settings::Settings;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let (found, _) = runtimes::find(host);
    let mut files: Vec<PathBuf> = Vec::new();
    let mut findings = Vec::new();
    for runtime in &found {
        match runtime.configuration() {
            Some(file) if files.contains(&file) => {}
            Some(file) => {
                findings.extend(one(host, runtime, &file));
                files.push(file);
            }
            None => {
                let name = escape_for_terminal(&runtime.path);
                let why = format!("{name} buildcfg does not show the path of its configuration");
                findings.push(Finding::skipped("file", why));
            }
        }
    }
    if found.is_empty() {
        findings.push(Finding::skipped("file", "no runtime in PATH"));
    }
    findings
}

fn one(host: &Host, runtime: &Runtime, file: &Path) -> Vec<Finding> {
    let Some(text) = host.read(file) else {
        return vec![Finding::skipped(
            "file",
            format!("{}: cannot be read", escape_for_terminal(file)),
        )];
    };
    let mut findings = Vec::new();
    findings.extend(sif(file, &text));
    findings.extend(squashfs(runtime, file, &text));
    findings.extend(oci(file, &text));
    for (root, _) in host.site.settings.iter().flat_map(Settings::search_path) {
        // Another check reports missing roots.
        let Ok(real) = fs::canonicalize(host.path(root)) else { continue };
        findings.extend(paths(host, file, &text, root, &real));
        findings.extend(owners::check(host, file, &text, root, &real));
    }
    findings.extend(execution_control(host, runtime));
    if findings.is_empty() {
        let message = format!(
            "{}: no setting that refuses images in the image roots",
            escape_for_terminal(file)
        );
        findings.push(Finding::ok("file", message));
    }
    findings
}

fn sif(file: &Path, text: &str) -> Option<Finding> {
    let directive = "allow container sif";
    is(text, directive, "no").then(|| {
        let message =
            format!("{}: '{directive} = no' refuses every image", escape_for_terminal(file));
        Finding::fail("sif", message).advice(format!("set '{directive} = yes' there"))
    })
}

/// Singularity 3.5.1 to 3.8 restrict the file system inside a SIF with this separate directive;
/// later releases have `allow container sif`.
fn squashfs(runtime: &Runtime, file: &Path, text: &str) -> Option<Finding> {
    let directive = "allow container squashfs";
    let counts = runtime.version().is_some_and(|v| ((3, 5, 1)..(3, 9, 0)).contains(&v));
    (counts && is(text, directive, "no")).then(|| {
        let message = format!(
            "{}: '{directive} = no' refuses the file system in a SIF",
            escape_for_terminal(file)
        );
        Finding::fail("sif", message).advice(format!("set '{directive} = yes' there"))
    })
}

/// This directive belongs to SingularityCE. The plugin only recognizes OCI mode if the job requests
/// it.
fn oci(file: &Path, text: &str) -> Option<Finding> {
    is(text, "oci mode", "yes").then(|| {
        let message = format!(
            "{}: 'oci mode = yes', so a SIF runs differently from a pulled image",
            escape_for_terminal(file)
        );
        Finding::warn("oci", message).advice(
            "set 'oci mode = no' there, or remove the plugin's line: the plugin leaves jobs alone \
             that request OCI mode, but cannot see this setting in their commands",
        )
    })
}

/// The runtime checks the list in order, and fails at an entry that does not exist.
fn paths(host: &Host, file: &Path, text: &str, root: &Path, real: &Path) -> Option<Finding> {
    let directive = "limit container paths";
    let mut limits = values(text, directive).peekable();
    limits.peek()?;
    for limit in limits {
        let Ok(limited) = fs::canonicalize(host.path(limit)) else {
            let message = format!(
                "{}: '{directive}' lists {limit}, which does not exist",
                escape_for_terminal(file)
            );
            return Some(
                Finding::fail(
                    "paths",
                    format!("{message}: images under {} are refused", escape_for_terminal(root)),
                )
                .advice(format!("create {limit}, or remove it from the list")),
            );
        };
        if real.starts_with(limited) {
            return None;
        }
    }
    let root = escape_for_terminal(root);
    let message =
        format!("{}: '{directive}' refuses images under {root}", escape_for_terminal(file));
    Some(Finding::fail("paths", message).advice(format!("add there: {directive} = {root}")))
}

/// If the execution control list is active, the runtime only starts images with the required
/// signatures.
fn execution_control(host: &Host, runtime: &Runtime) -> Option<Finding> {
    let file = runtime.execution_control()?;
    runtime.has_execution_control(host).then(|| {
        let message =
            format!("{}: activated, so unsigned images may be refused", escape_for_terminal(&file));
        Finding::warn("ecl", message).advice(
            "sign the images as the list requires, or remove the list's group for the image roots",
        )
    })
}
