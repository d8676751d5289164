//! The notices for the queue files.

use super::running::Running;
use crate::demand::board::Notice;
use crate::demand::schedule::{Item, SHOWN, Schedule, Stage, Standing};
use jiff::{SignedDuration, Timestamp};
use sifcache_core::queue::State;
use sifcache_core::reference::Reference;
use std::time::Instant;

/// How long an image that waits for its turn is shown after the last request. No job waits longer.
const WAITING: SignedDuration = SignedDuration::from_hours(2);
/// The reason of an image that waits in quiet hours.
const QUIET: &str = "quiet hours: images are added afterwards";

/// The entries, the most important ones first.
pub(super) fn notices(
    schedule: &Schedule,
    running: &mut Running,
    quiet: bool,
    now: Timestamp,
    instant: Instant,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    let (pulling, others): (Vec<_>, Vec<_>) = schedule
        .standings(now)
        .into_iter()
        .filter(|(item, standing)| is_shown(item, &standing.stage, now))
        .partition(|(_, standing)| standing.stage == Stage::Pulling);
    for (item, standing) in pulling {
        let progress = running.progress(item.reference(), instant);
        notices.push(Notice {
            size: progress.size,
            received: progress.received,
            seconds_left: progress.seconds_left,
            ..notice(item, standing, quiet)
        });
    }
    notices.extend(schedule.finished().filter_map(done));
    notices.extend(others.into_iter().map(|(item, standing)| notice(item, standing, quiet)));
    notices
}

fn is_shown(item: &Item, stage: &Stage, now: Timestamp) -> bool {
    let age = now.duration_since(item.arrived());
    match stage {
        Stage::Pulling => true,
        Stage::Queued(_) => age < WAITING,
        Stage::NotYet(_) | Stage::Refused(_) | Stage::Failed(_) => age < SHOWN,
    }
}

fn notice(item: &Item, standing: Standing, quiet: bool) -> Notice {
    let (state, reason) = match standing.stage {
        Stage::Pulling => (State::Pulling, String::new()),
        Stage::Queued(None) if quiet => (State::Queued, QUIET.to_owned()),
        Stage::Queued(why) => (State::Queued, why.unwrap_or_default()),
        // Jobs do not wait for requests of other users.
        Stage::NotYet(why) => (State::Refused, format!("not yet: {why}")),
        Stage::Refused(why) => (State::Refused, why),
        Stage::Failed(why) => (State::Failed, why),
    };
    let is_final = matches!(state, State::Refused | State::Failed);
    Notice {
        reference: item.reference().clone(),
        state,
        size: 0,
        received: 0,
        seconds_left: None,
        ahead: standing.ahead,
        users: u32::try_from(item.users()).ok(),
        reason,
        request: if is_final { item.requests() } else { 0 },
    }
}

fn done(name: &str) -> Option<Notice> {
    let reference = Reference::parse_printed(name.as_bytes()).ok()?;
    Some(Notice::without_progress(reference, State::Done))
}
