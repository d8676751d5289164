//! What the filler would do: `sifcache fill --dry-run`.

use crate::cache::lookup;
use crate::demand::policy::{Identity, Policy, Verdict};
use crate::demand::report::Report;
use crate::demand::schedule::{Finding, Schedule};
use crate::demand::source::Source;
use crate::error::Failure;
use crate::system::signals;
use jiff::Timestamp;
use sifcache_core::settings::Settings;
use std::time::Duration;

/// The maximum number of requests in a batch.
const MOST: usize = 4096;
/// The time to wait for more requests.
const WAIT: Duration = Duration::from_millis(100);

/// Reads the requests, judges them, and prints the images that would be pulled, in this order.
///
/// # Errors
/// The logs cannot be read, or a signal asked the command to end.
pub(crate) fn print(
    settings: &Settings,
    policy: &Policy,
    identity: &dyn Identity,
    mut schedule: Schedule,
    mut source: Source,
    report: Report,
) -> Result<(), Failure> {
    let now = Timestamp::now();
    while let Some(requests) = source.next(MOST, WAIT)? {
        signals::check()?;
        for request in requests {
            schedule.ask(request, now);
        }
    }
    source.problems().iter().for_each(|problem| report.note(problem));
    source.counters().remark().iter().for_each(|remark| report.note(remark));
    source.remarks()?.iter().for_each(|remark| report.note(remark));
    if schedule.dropped() > 0 {
        report.note(&format!("{} requests are more than are kept", schedule.dropped()));
    }
    for (reference, asked) in schedule.take_unjudged(usize::MAX, policy.limits().window, now) {
        let finding = match lookup::find(settings, &reference) {
            Some(_) => Finding::Present,
            None => Finding::Judged(policy.judge(&reference, &asked, identity)),
        };
        let judged = schedule.judged(&reference, finding.clone(), now);
        match (judged, finding) {
            (Some(item), Finding::Judged(verdict)) if verdict != Verdict::Allowed => {
                report.verdict(&item, &verdict);
            }
            _ => {}
        }
    }
    for (item, standing) in schedule.standings(now) {
        report.standing(item, &standing.stage);
    }
    Ok(())
}
