//! The components that handle launches inside job scripts: the shims, or the interposer.

use super::finding::Finding;
use super::host::{Host, mend};
use super::library;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::nested::shims::{LABEL_LENGTH, LINKED, directory_for, runtime_in_label};
use sifcache_core::nested::{INTERPOSER, SHIM, SHIMS, installed};
use sifcache_core::settings::Nested;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Makes the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let Some(settings) = &host.site.settings else {
        return vec![Finding::skipped(
            "shim",
            "without settings it is unknown how they are covered",
        )];
    };
    match settings.nested {
        Nested::Off => {
            let what = "nested=off: launches in job scripts are not covered";
            vec![Finding::note("nested", what)]
        }
        Nested::Path => {
            let names = settings.runtimes.iter().map(|runtime| name(host, runtime));
            [program(host)].into_iter().chain(names).chain(modules(host)).collect()
        }
        Nested::Preload => vec![program(host), interposer(host)],
    }
}

/// Only the site knows which modules exist and whether their modulefiles have the line.
fn modules(host: &Host) -> Option<Finding> {
    host.has_modules().then(|| {
        let what = "a module that brings a runtime puts it before the shims";
        Finding::note("modules", what).advice(format!(
            "if there is one, prepend {}-NAME to PATH at the end of the modulefile of the runtime \
             NAME: docs/install.md, step 5",
            installed(SHIMS)
        ))
    })
}

/// On a host without jobs, only launches that users start there in an allocation are affected, so
/// it is a warning there.
fn missing(host: &Host, check: &'static str, what: String) -> Finding {
    let finding = match host.is_compute_node() {
        true => Finding::fail(check, what),
        false => Finding::warn(check, what),
    };
    finding.advice("make install; or nested=off, if they are not to be covered")
}

fn program(host: &Host) -> Finding {
    let path = installed(SHIM);
    match fs::metadata(host.path(&path)) {
        Err(error) => {
            let what = format!("{path}: {error}, so launches in job scripts are not covered");
            missing(host, "shim", what)
        }
        Ok(metadata) if metadata.permissions().mode() & 0o005 != 0o005 => {
            let what = format!("{path}: users may not execute it");
            Finding::fail("shim", what).advice(format!("chmod 0755 {path}"))
        }
        Ok(_) => match host.writer(Path::new(&path)) {
            Some(reason) => Finding::fail("shim", reason.to_string()).advice(format!(
                "every account that can write there chooses what all jobs run: {}",
                mend(&reason)
            )),
            None => Finding::ok("shim", format!("{path}: there, and users may execute it")),
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
        let finding = match fs::read(host.path(&path)).map(|file| what(&file, program.as_deref())) {
            Ok(What::Shim(label)) if label == stands_for.as_bytes() => continue,
            Ok(What::Older) => {
                let what = format!("{shown}: the shim of another version than {}", installed(SHIM));
                Finding::warn("link", what)
            }
            Ok(_) => Finding::fail("link", format!("{shown}: is not the shim of '{stands_for}'")),
            Err(_) => {
                let what = format!("{shown}: not there, so '{name}' in job scripts is not covered");
                missing(host, "link", what)
            }
        };
        return finding
            .advice(format!("make install runtimes='{}'", host.site.runtimes().join(" ")));
    }
    Finding::ok("link", format!("{}: the shim of '{name}'", installed(&directory_for(name))))
}

/// The kind of file under the name of a shim.
enum What {
    /// A shim with this label.
    Shim(Vec<u8>),
    /// A shim with a label, but from another build.
    Older,
    /// Anything else.
    Other,
}

/// Classifies a file; `program` is the shim without a label.
fn what(file: &[u8], program: Option<&[u8]>) -> What {
    let end = file.get(file.len().saturating_sub(LABEL_LENGTH)..).unwrap_or_default();
    let Some(name) = runtime_in_label(end) else { return What::Other };
    match program {
        Some(program) if file.len() < program.len() || !file.starts_with(program) => What::Older,
        _ => What::Shim(name.to_vec()),
    }
}

fn interposer(host: &Host) -> Finding {
    let path = installed(INTERPOSER);
    let file = host.path(&path);
    if !file.exists() {
        let what = format!("{path}: not there, so launches in job scripts are not covered");
        return missing(host, "interposer", what);
    }
    if let Err(error) = library::number(&file, "") {
        let what = format!("{path} {error}: every program of a job says that it cannot load it");
        return Finding::fail("interposer", what).advice("build it for this host; make install");
    }
    if !fs::metadata(&file).is_ok_and(|m| m.permissions().mode() & 0o004 != 0) {
        let what = format!("{path}: users may not read it");
        return Finding::fail("interposer", what).advice(format!("chmod 0755 {path}"));
    }
    match host.writer(Path::new(&path)) {
        Some(reason) => Finding::fail("interposer", reason.to_string()).advice(mend(&reason)),
        None => Finding::ok("interposer", format!("{path}: there, and users may load it")),
    }
}
