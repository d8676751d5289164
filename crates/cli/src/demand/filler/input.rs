//! The sources of requests: the logs, and the listener.

use super::Message;
use crate::demand::listen::{Delivery, Listener};
use crate::demand::request::Request;
use crate::demand::source::Source;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

/// The maximum number of requests in a batch.
const MOST: usize = 4096;
/// The interval at which the reader checks whether it has to end.
const WAIT: Duration = Duration::from_secs(1);

/// A source of requests, which runs in a thread of its own. It sends [`Message::Requests`] until
/// the flag is set or the receiver has ended, and [`Message::Ended`] if it ends by itself.
pub(crate) type Input = Box<dyn FnOnce(&SyncSender<Message>, &AtomicBool) + Send>;

/// The logs as an input.
pub(crate) fn logs(source: Source) -> Input {
    Box::new(move |sender, stop| read(source, sender, stop))
}

/// The listener as an input.
pub(crate) fn listener(listener: Listener) -> Input {
    Box::new(move |sender, stop| {
        listener.run(stop, |requests| deliver(sender, requests));
    })
}

/// Sends the requests of the logs to the loop, until the logs end or `stop` is set.
fn read(mut source: Source, sender: &SyncSender<Message>, stop: &AtomicBool) {
    let mut problems = Vec::new();
    let mut cursor = None;
    while !stop.load(Ordering::Relaxed) {
        let requests = match source.next(MOST, WAIT) {
            Ok(Some(requests)) => requests,
            Ok(None) => {
                finish(&source, sender);
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

/// Reports what was found in logs that have ended.
fn finish(source: &Source, sender: &SyncSender<Message>) {
    let note = |text: String| drop(sender.send(Message::Note(text)));
    source.counters().remark().into_iter().for_each(note);
    let result = source.remarks().map(|remarks| remarks.into_iter().for_each(note));
    let _ = sender.send(Message::Requests(Vec::new(), Some(source.cursor())));
    let _ = sender.send(Message::Ended(result));
}

/// Passes on the requests of a listener, which keeps them while the loop is busy.
fn deliver(sender: &SyncSender<Message>, requests: Vec<Request>) -> Delivery {
    match sender.try_send(Message::Requests(requests, None)) {
        Ok(()) => Delivery::Taken,
        Err(TrySendError::Full(Message::Requests(requests, _))) => Delivery::Full(requests),
        Err(_) => Delivery::Closed,
    }
}
