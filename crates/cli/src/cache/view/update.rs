//! Updates the views after a command has changed an image root.

use super::View;
use super::sync::{self, Status};
use super::{engine::Layout, registration};
use crate::error::Failure;
use crate::exit::Exit;
use crate::system::helper;
use crate::ui::escape::escape_for_terminal;
use crate::ui::stderr;
use sifcache_core::settings::{Settings, Untrusted};
use std::path::{Path, PathBuf};

/// Updates all views that show images of `root`, which a command has changed with this result. A
/// view that cannot be updated is reported, and a successful command then has the exit status
/// [`Exit::PROBLEMS`].
///
/// # Errors
/// Those of the command.
pub(crate) fn after(
    settings: &Settings,
    root: &Path,
    result: Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let is_current = update(settings, root);
    result.map(|exit| if exit == Exit::OK && !is_current { Exit::PROBLEMS } else { exit })
}

/// Updates the views. Returns whether all of them are current. Other roots may hang, and must not
/// delay a change of this one.
fn update(settings: &Settings, root: &Path) -> bool {
    let mut roots = settings.image_roots.clone();
    // A command can change a root that the settings no longer contain.
    if !roots.iter().any(|one| one == root) {
        roots.push(root.to_owned());
    }
    let limit = settings.lookup_timeout;
    let answers =
        |one: &PathBuf| one == root || limit.is_none_or(|limit| helper::root_answers(one, limit));
    let (answering, silent): (Vec<PathBuf>, Vec<PathBuf>) = roots.into_iter().partition(answers);
    for one in &silent {
        let one = escape_for_terminal(one);
        stderr::message(&format!("image root {one} does not answer: its views are not updated"));
    }
    let views = match registration::all(&answering) {
        Ok(views) => views,
        Err(failure) => {
            stderr::message(&format!("the views are not updated: {failure}"));
            return false;
        }
    };
    let mut is_current = silent.is_empty();
    for view in views.iter().filter(|view| view.roots.iter().any(|one| one == root)) {
        is_current &= match view.roots.iter().find(|one| silent.contains(one)) {
            Some(_) => false,
            None => one(view, settings.untrusted),
        };
    }
    is_current
}

fn one(view: &View, untrusted: Untrusted) -> bool {
    let shown = escape_for_terminal(&view.directory);
    let waiting = || stderr::message(&format!("{shown}: another command is changing it; waiting"));
    match sync::apply(view, untrusted, &waiting) {
        Ok(status) => {
            newly_shared(&status).for_each(|message| {
                stderr::message(&format!("view {shown}: {message}"));
            });
            true
        }
        Err(failure) => {
            stderr::message(&format!(
                "view {shown} is not updated: {failure}; run `sifcache view {shown}` afterwards"
            ));
            false
        }
    }
}

/// Messages about the names whose link was removed because a second reference has the same name.
fn newly_shared(status: &Status) -> impl Iterator<Item = String> {
    let had_link = |layout: Layout, name: &String| {
        let of = |one: &&sync::Compared| one.layout == layout;
        status.layouts.iter().find(of).is_some_and(|one| one.differences.stale.contains(name))
    };
    status.shared.iter().filter(move |one| had_link(one.layout, &one.name)).map(|one| {
        let path: PathBuf = Path::new(one.layout.directory()).join(&one.name);
        format!("{} is removed, because {}", escape_for_terminal(&path), one.reason())
    })
}
