//! Findings about the views: `sifcache view`.

use super::finding::{Finding, VIEW_NAME_TAKEN, VIEW_NOT_READ, VIEW_OUTDATED, VIEW_SHARED_NAME};
use super::fix::Fix;
use crate::cache::view::sync::{self, Compared, Status};
use crate::cache::view::{View, registration};
use crate::system::timeout::Watchdog;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::settings::{Settings, Untrusted};
use sifcache_core::trust::{self, Stop};

/// The findings about all views that are registered in an image root.
pub(crate) fn judge(settings: &Settings, watchdog: &Watchdog) -> Vec<Finding> {
    let mut views = Vec::new();
    let mut found = Vec::new();
    for root in &settings.image_roots {
        match watchdog.at(root, || registration::in_root(root)) {
            Ok(here) => views.extend(here),
            Err(failure) => {
                let path = registration::path(root);
                found.push(Finding::problem(VIEW_NOT_READ, &path, failure.to_string(), ""));
            }
        }
    }
    for view in &views {
        let findings = watchdog.at(&view.directory, || one(view, settings.untrusted, watchdog));
        found.extend(findings);
    }
    found
}

fn one(view: &View, untrusted: Untrusted, watchdog: &Watchdog) -> Vec<Finding> {
    let mut found = Vec::new();
    // Engines start what they find there, so the rules for image roots apply.
    for path in view.layouts().into_iter().map(|layout| view.path(layout)) {
        let reason = match trust::enter(&path) {
            Ok(place) => trust::untrusted_reason(&place),
            Err(Stop::Untrusted(reason)) => Some(reason),
            Err(_) => None,
        };
        let finding = reason.map(|reason| Finding::untrusted(&reason));
        let is_new = |one: &Finding| !found.iter().any(|other: &Finding| other.path == one.path);
        found.extend(finding.filter(is_new));
    }
    match sync::compare(view, untrusted, &|| watchdog.progress()) {
        Ok(status) => {
            found.extend(status.layouts.iter().filter_map(|one| outdated(view, one, untrusted)));
            found.extend(without_links(view, &status));
        }
        Err(failure) => {
            let advice = "check the file system, and run verify as root";
            let what = failure.to_string();
            found.push(Finding::problem(VIEW_NOT_READ, &view.directory, what, advice));
        }
    }
    found
}

/// The finding for a directory that is not current.
fn outdated(view: &View, compared: &Compared, untrusted: Untrusted) -> Option<Finding> {
    let found = &compared.differences;
    let counts = [
        (found.missing.len(), "missing"),
        (found.wrong.len(), "wrong"),
        (found.stale.len(), "left over"),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    if parts.is_empty() {
        return None;
    }
    let what = format!("links of this view are not current: {}", parts.join(", "));
    let advice = format!("sifcache view {}", escape_for_terminal(&view.directory));
    let fix = Fix::View(view.clone(), untrusted);
    let path = view.path(compared.layout);
    Some(Finding::problem(VIEW_OUTDATED, &path, what, advice).with_fix(Some(fix)))
}

/// The findings for names that have no link.
fn without_links(view: &View, status: &Status) -> Vec<Finding> {
    let shared = status.shared.iter().map(|one| {
        let path = view.path(one.layout).join(&one.name);
        let what = format!("no link: {}", one.reason());
        Finding::note(VIEW_SHARED_NAME, &path, what, "")
    });
    let taken = status.occupied().map(|one| {
        let path = view.path(one.layout).join(&one.name);
        let what = format!("no link for {}: something else has this name", one.reference);
        Finding::problem(VIEW_NAME_TAKEN, &path, what, "remove or rename it")
    });
    shared.chain(taken).collect()
}
