//! The threads beside the loop: the reader of the logs, the judge, and the update of the views.

use super::{Message, Question};
use crate::cache::lookup;
use crate::cache::view::update;
use crate::demand::listen::Delivery;
use crate::demand::policy::Identity;
use crate::demand::request::Request;
use crate::demand::schedule::Finding;
use crate::demand::source::Source;
use crate::error::Failure;
use crate::exit::Exit;
use sifcache_core::settings::Settings;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::thread::{Builder, Scope};
use std::time::Duration;

/// The maximum number of requests in a batch.
const MOST: usize = 4096;
/// The time after which the reader looks whether it has to end.
const WAIT: Duration = Duration::from_secs(1);

/// Starts a thread.
///
/// # Errors
/// If the system does not allow it.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) -> Result<(), Failure> {
    let spawned = Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
    spawned.map(drop).map_err(Failure::Io)
}

/// Sends the requests of the logs to the loop, until the logs end or `stop` is set.
pub(super) fn read(mut source: Source, sender: &SyncSender<Message>, stop: &AtomicBool) {
    let mut problems = Vec::new();
    let mut cursor = None;
    while !stop.load(Ordering::Relaxed) {
        let requests = match source.next(MOST, WAIT) {
            Ok(Some(requests)) => requests,
            Ok(None) => {
                if let Some(remark) = source.counters().remark() {
                    let _ = sender.send(Message::Note(remark));
                }
                let _ = sender.send(Message::Requests(Vec::new(), Some(source.cursor())));
                let _ = sender.send(Message::Ended(Ok(())));
                return;
            }
            Err(failure) => {
                let _ = sender.send(Message::Ended(Err(failure)));
                return;
            }
        };
        for problem in source.problems().iter().filter(|problem| !problems.contains(*problem)) {
            let _ = sender.send(Message::Note(problem.clone()));
        }
        problems = source.problems();
        let now = Some(source.cursor());
        if requests.is_empty() && now == cursor {
            continue;
        }
        cursor.clone_from(&now);
        if sender.send(Message::Requests(requests, now)).is_err() {
            return;
        }
    }
}

/// Passes on the requests of a listener, which keeps them while the loop is busy.
pub(super) fn deliver(sender: &SyncSender<Message>, requests: Vec<Request>) -> Delivery {
    match sender.try_send(Message::Requests(requests, None)) {
        Ok(()) => Delivery::Taken,
        Err(TrySendError::Full(Message::Requests(requests, _))) => Delivery::Full(requests),
        Err(_) => Delivery::Closed,
    }
}

/// Answers whether an image is there, or else allowed, until there are no more questions.
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
