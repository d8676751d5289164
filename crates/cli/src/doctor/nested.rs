//! What covers launches inside job scripts: the shims, or the interposer.

use super::finding::Finding;
use super::host::{Host, mend};
use super::library;
use crate::output::plain;
use sifcache_core::nested::{INTERPOSER, SHIM, SHIMS, installed};
use sifcache_core::settings::Nested;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The checks.
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
            let links = settings.runtimes.iter().map(|name| link(host, name));
            [program(host)].into_iter().chain(links).chain(modules(host)).collect()
        }
        Nested::Preload => vec![program(host), interposer(host)],
    }
}

/// Which modules there are, and whether they have the line, only the site knows.
fn modules(host: &Host) -> Option<Finding> {
    host.has_modules().then(|| {
        let what = "a module that brings a runtime puts it before the shims";
        Finding::note("modules", what).advice(format!(
            "if there is one, prepend {} to PATH at the end of its modulefile: README.md, step 5",
            installed(SHIMS)
        ))
    })
}

/// Where no jobs run, nothing is lost without it but what users start there in an allocation.
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
            Some(distrust) => Finding::fail("shim", distrust.to_string()).advice(format!(
                "whoever writes there chooses what everybody's jobs run: {}",
                mend(&distrust)
            )),
            None => Finding::ok("shim", format!("{path}: there, and users may execute it")),
        },
    }
}

/// The name that a script calls has to lead to the shim.
fn link(host: &Host, name: &str) -> Finding {
    let path = format!("{}/{name}", installed(SHIMS));
    let shown = plain(Path::new(&path));
    let real = fs::canonicalize(host.path(&path));
    let shim = fs::canonicalize(host.path(installed(SHIM)));
    match (real, shim) {
        (Ok(real), Ok(shim)) if real == shim => {
            Finding::ok("link", format!("{shown}: leads to the shim"))
        }
        (Ok(_), _) => Finding::fail("link", format!("{shown}: does not lead to the shim"))
            .advice(format!("ln -sfn ../{SHIM} {shown}")),
        (Err(_), _) => {
            let what = format!("{shown}: leads nowhere, so '{name}' in job scripts is not covered");
            let finding = missing(host, "link", what);
            finding.advice(format!("make install, or: ln -sfn ../{SHIM} {shown}"))
        }
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
        Some(distrust) => Finding::fail("interposer", distrust.to_string()).advice(mend(&distrust)),
        None => Finding::ok("interposer", format!("{path}: there, and users may load it")),
    }
}
