//! The threads beside the loop: the judge, and the update of the views.

use super::{Message, Question};
use crate::cache::lookup;
use crate::cache::view::update;
use crate::demand::policy::Identity;
use crate::demand::schedule::Finding;
use crate::error::Failure;
use crate::exit::Exit;
use sifcache_core::settings::Settings;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::{Builder, Scope};

/// Starts a thread.
///
/// # Errors
/// The system does not allow it.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) -> Result<(), Failure> {
    let spawned = Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
    spawned.map(drop).map_err(Failure::Io)
}

/// Answers questions until there are no more: whether an image is present, and otherwise whether it is
/// allowed.
pub(super) fn judge(
    settings: &Settings,
    identity: &dyn Identity,
    questions: &Receiver<Question>,
    sender: &SyncSender<Message>,
) {
    for Question { policy, reference, asked } in questions {
        let finding = match lookup::find(settings, &reference) {
            Some(_) => Finding::Present,
            None => Finding::Judged(policy.judge(&reference, &asked, identity)),
        };
        if sender.send(Message::Judged(reference, finding)).is_err() {
            return;
        }
    }
}

/// Updates the views after each change, at most one change at a time.
pub(super) fn update_views(settings: &Settings, root: &Path, changes: &Receiver<()>) {
    for () in changes {
        // One update is enough for all changes until now.
        changes.try_iter().for_each(drop);
        // A view that is not current has been reported.
        let _ = update::after(settings, root, Ok(Exit::OK));
    }
}
