//! Checks the views that are registered in an image root: `sifcache view`.

use super::finding::Finding;
use super::host::{Host, remedy};
use crate::cache::view::{View, registration, sync};
use crate::ui::escape::escape_for_terminal;
use sifcache_core::settings::Untrusted;
use std::fs::{self, File};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use walkdir::WalkDir;

/// A view is compared with its images only if each image root has at most this many entries.
const MAX_ENTRIES: usize = 5000;

/// Checks the views in the record of `root`.
pub(super) fn check(host: &Host, root: &Path, untrusted: Untrusted) -> Vec<Finding> {
    let record = registration::path(root);
    // Another check reports a root that users cannot read.
    let denied = |error: &Error| error.kind() == ErrorKind::PermissionDenied;
    if File::open(host.path(&record)).is_err_and(|error| denied(&error)) {
        let why = format!("{}: this user cannot read it", escape_for_terminal(&record));
        return vec![Finding::skipped("views", why)];
    }
    match registration::in_root(&host.path(root)) {
        Ok(views) => views.iter().flat_map(|view| one(host, view, untrusted)).collect(),
        Err(failure) => {
            let path = escape_for_terminal(&record);
            let message = format!("{path}: the record of the views is not usable: {failure}");
            let advice = "views are not updated; run `sifcache verify` as the owner of the root";
            vec![Finding::warn("views", message).advice(advice)]
        }
    }
}

fn one(host: &Host, view: &View, untrusted: Untrusted) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for path in view.layouts().into_iter().map(|layout| view.path(layout)) {
        let finding = directory(host, view, &path, untrusted);
        // Several directories can have the same reason.
        findings.extend(finding.filter(|finding| !findings.contains(finding)));
    }
    if findings.is_empty() {
        findings.push(links(host, view, untrusted));
    }
    findings
}

/// The problem with the directory of an engine, if there is one. Engines start what they find
/// there.
fn directory(host: &Host, view: &View, path: &Path, untrusted: Untrusted) -> Option<Finding> {
    let name = escape_for_terminal(path);
    let metadata = fs::metadata(host.path(path)).ok().filter(fs::Metadata::is_dir);
    let Some(metadata) = metadata else {
        let message = format!("{name}: a directory of this view is missing on this host");
        let view = escape_for_terminal(&view.directory);
        let advice = format!("mount it here, or: sifcache view {view}");
        return Some(Finding::warn("views", message).advice(advice));
    };
    if let Some(reason) = host.writer(path) {
        let message =
            format!("{reason}: every account that can write there controls what engines start");
        let finding = match untrusted {
            Untrusted::Refuse => Finding::fail("views", message),
            Untrusted::Accept => Finding::note("views", message),
        };
        return Some(finding.advice(remedy(&reason)));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o005 != 0o005).then(|| {
        let message = format!("{name} has mode {mode:04o}: users cannot read this view");
        Finding::warn("views", message).advice(format!("chmod o+rx {name}"))
    })
}

/// Compares the links with the images, if there are not too many.
fn links(host: &Host, view: &View, untrusted: Untrusted) -> Finding {
    let name = escape_for_terminal(&view.directory);
    let here = View {
        directory: host.path(&view.directory),
        roots: view.roots.iter().map(|root| host.path(root)).collect(),
        engines: view.engines.clone(),
    };
    if here.roots.iter().any(|root| is_large(root)) {
        let message = format!(
            "{name}: only the system can write to this view; its links are not checked, because \
             an image root has more than {MAX_ENTRIES} files: `sifcache verify` checks them"
        );
        return Finding::ok("views", message);
    }
    match sync::compare(&here, untrusted, &|| ()) {
        Ok(status) if status.is_outdated() => {
            let message = format!("{name}: the links of this view are not current");
            Finding::warn("views", message)
                .advice(format!("sifcache view {name}, or sifcache verify --fix"))
        }
        Ok(status) => {
            let links: usize = status.layouts.iter().map(|one| one.links).sum();
            let message = format!("{name}: a view with {links} links, which are current");
            Finding::ok("views", message)
        }
        Err(failure) => Finding::skipped("views", format!("{name}: not compared: {failure}")),
    }
}

fn is_large(root: &Path) -> bool {
    WalkDir::new(root).follow_links(true).into_iter().take(MAX_ENTRIES + 1).count() > MAX_ENTRIES
}
