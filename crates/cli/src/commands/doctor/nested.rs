//! Checks the components that handle launches inside job scripts: the shims, or the interposer.

use super::finding::Finding;
use super::host::{Host, remedy};
use crate::system::library;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::nested::shims::{LABEL_LENGTH, LINKED, directory_for, runtime_in_label};
use sifcache_core::nested::{INTERPOSER, SHIM, SHIMS, installed};
use sifcache_core::settings::Nested;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let Some(settings) = &host.site.settings else {
        return vec![Finding::skipped(
            "shim",
            "without settings, the method for launches in job scripts is unknown",
        )];
    };
    match settings.nested {
        Nested::Off => {
            let message = "nested=off: launches in job scripts are not covered";
            vec![Finding::note("nested", message)]
        }
        Nested::Path => {
            let names = settings.runtimes.iter().map(|runtime| name(host, runtime));
            [program(host)].into_iter().chain(names).chain(modules(host)).collect()
        }
        Nested::Preload => vec![program(host), interposer(host)],
    }
}

/// Only a note, because this command cannot determine which modules exist and whether their
/// modulefiles prepend the shims.
fn modules(host: &Host) -> Option<Finding> {
    host.has_modules().then(|| {
        let message = "a module that provides a runtime puts it before the shims in PATH";
        Finding::note("modules", message).advice(format!(
            "if there is one, prepend {}-NAME to PATH at the end of the modulefile of the runtime \
             NAME: docs/install.md, step 5",
            installed(SHIMS)
        ))
    })
}

/// The finding for a missing file. It is only a warning on a host that runs no jobs, where only
/// launches that users start in an allocation are affected.
fn missing(host: &Host, check: &'static str, message: String) -> Finding {
    let finding = match host.is_compute_node() {
        true => Finding::fail(check, message),
        false => Finding::warn(check, message),
    };
    finding.advice("run make install, or set nested=off to leave them uncovered")
}

fn program(host: &Host) -> Finding {
    let path = installed(SHIM);
    match fs::metadata(host.path(&path)) {
        Err(error) => {
            let message = format!("{path}: {error}, so launches in job scripts are not covered");
            missing(host, "shim", message)
        }
        Ok(metadata) if metadata.permissions().mode() & 0o005 != 0o005 => {
            let message = format!("{path}: users may not execute it");
            Finding::fail("shim", message).advice(format!("chmod 0755 {path}"))
        }
        Ok(_) => match host.writer(Path::new(&path)) {
            Some(reason) => Finding::fail("shim", reason.to_string()).advice(format!(
                "every account that can write there controls what all jobs run: {}",
                remedy(&reason)
            )),
            None => Finding::ok("shim", format!("{path}: exists, and users may execute it")),
        },
    }
}

/// The runtime's name must lead to its shim in each directory that a job may have in `PATH`.
fn name(host: &Host, name: &str) -> Finding {
    let program = fs::read(host.path(installed(SHIM))).ok();
    let pair = ["apptainer", "singularity"];
    let together: &[&str] = if pair.contains(&name) { &[SHIMS, LINKED] } else { &[] };
    let directories = together.iter().map(|directory| (*directory).to_owned());
    for directory in [directory_for(name)].into_iter().chain(directories) {
        let path = format!("{}/{name}", installed(&directory));
        let shown = escape_for_terminal(Path::new(&path));
        let stands_for = if directory == LINKED { pair[0] } else { name };
        let finding = match fs::read(host.path(&path))
            .map(|file| classify(&file, program.as_deref()))
        {
            Ok(FileKind::Shim(label)) if label == stands_for.as_bytes() => continue,
            Ok(FileKind::Older) => {
                let message =
                    format!("{shown}: a shim of a different version than {}", installed(SHIM));
                Finding::warn("link", message)
            }
            Ok(_) => Finding::fail("link", format!("{shown}: is not the shim of '{stands_for}'")),
            Err(_) => {
                let message =
                    format!("{shown}: missing, so '{name}' in job scripts is not covered");
                missing(host, "link", message)
            }
        };
        return finding
            .advice(format!("make install runtimes='{}'", host.site.runtimes().join(" ")));
    }
    Finding::ok("link", format!("{}: the shim of '{name}'", installed(&directory_for(name))))
}

/// The kind of file under the name of a shim.
enum FileKind {
    /// A shim with this label.
    Shim(Vec<u8>),
    /// A shim with a label, but from another build.
    Older,
    /// Anything else.
    Other,
}

/// Classifies a file; `program` is the shim without a label.
fn classify(file: &[u8], program: Option<&[u8]>) -> FileKind {
    let end = file.get(file.len().saturating_sub(LABEL_LENGTH)..).unwrap_or_default();
    let Some(name) = runtime_in_label(end) else { return FileKind::Other };
    match program {
        Some(program) if file.len() < program.len() || !file.starts_with(program) => {
            FileKind::Older
        }
        _ => FileKind::Shim(name.to_vec()),
    }
}

fn interposer(host: &Host) -> Finding {
    let path = installed(INTERPOSER);
    let file = host.path(&path);
    if !file.exists() {
        let message = format!("{path}: missing, so launches in job scripts are not covered");
        return missing(host, "interposer", message);
    }
    if let Err(error) = library::number(&file, "") {
        let message =
            format!("{path} {error}: every program in a job reports that loading this file fails");
        return Finding::fail("interposer", message).advice("build it for this host; make install");
    }
    if !fs::metadata(&file).is_ok_and(|m| m.permissions().mode() & 0o004 != 0) {
        let message = format!("{path}: users may not read it");
        return Finding::fail("interposer", message).advice(format!("chmod 0755 {path}"));
    }
    match host.writer(Path::new(&path)) {
        Some(reason) => Finding::fail("interposer", reason.to_string()).advice(remedy(&reason)),
        None => Finding::ok("interposer", format!("{path}: exists, and users may load it")),
    }
}
