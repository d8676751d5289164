//! Hits and misses by day.

use super::Facts;
use crate::events::logs::coverage::Span;
use crate::events::logs::days::OfDay;
use crate::events::logs::read::Read;
use crate::report::data::source::SourceId;
use crate::report::data::usage::{Day, Saved};
use crate::report::data::{Section, number};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use std::collections::BTreeMap;

/// The maximum number of days. A log with one wrong clock can begin centuries ago.
const MOST: usize = 3660;

/// The section about the days.
pub(super) fn section(facts: &Facts<'_>) -> Section<Vec<Day>> {
    let sources = [SourceId::Logs, SourceId::Roots];
    let logs = match &facts.logs {
        Ok(logs) => logs,
        Err(why) => return Section::without(&sources, why),
    };
    let (mut days, left) = days(facts, &logs.read);
    // The first days are those that are left out.
    days.reverse();
    let section = Section::new(&sources, days);
    match left {
        0 => section,
        left => section.note(format!("{left} earlier days with hits or misses are left out")),
    }
}

/// The last days, last first, and the number of earlier days with hits or misses.
fn days(facts: &Facts<'_>, read: &Read) -> (Vec<Day>, usize) {
    let counts: BTreeMap<Date, OfDay> = read.days.sorted().into_iter().collect();
    let period = facts.wanted.period;
    // The time of --until itself is not in the period.
    let until = period.until.map(|until| until.saturating_sub(1.nanosecond()).unwrap_or(until));
    let covered = read.range.map(|range| Span {
        from: range.from.max(period.since.unwrap_or(range.from)),
        to: range.to.min(until.unwrap_or(range.to)),
    });
    let (Some(first), Some(last)) = (
        counts.keys().next().copied().into_iter().chain(covered.map(|all| date(all.from))).min(),
        counts.keys().last().copied().into_iter().chain(covered.map(|all| date(all.to))).max(),
    ) else {
        return (Vec::new(), 0);
    };
    let hosts = hosts(read);
    let mut days: Vec<Day> = Vec::new();
    let mut day = last;
    while day >= first && days.len() < MOST {
        days.push(row(day, counts.get(&day).copied().unwrap_or_default(), &hosts));
        let Ok(before) = day.checked_sub(1.day()) else { break };
        day = before;
    }
    let shown = days.last().map_or(last, |day| day.day);
    let left = counts.keys().filter(|day| **day < shown).count();
    (days, left)
}

fn row(day: Date, counts: OfDay, hosts: &[(Date, Date)]) -> Day {
    let covers = |(from, to): &&(Date, Date)| (*from..=*to).contains(&day);
    Day {
        day,
        hits: counts.outcomes.hits,
        misses: counts.outcomes.misses,
        saved: Saved { bytes: counts.bytes, unknown: counts.unknown },
        hosts: number(hosts.iter().filter(covers).count()),
    }
}

/// The first and the last day of each period that the log of a host covers. No day is in two periods
/// of one host.
fn hosts(read: &Read) -> Vec<(Date, Date)> {
    let mut all = Vec::new();
    for host in read.hosts.values() {
        let mut last: Option<Date> = None;
        for span in host.spans.iter() {
            let (from, to) = (date(span.from), date(span.to));
            let from = match last {
                Some(last) if from <= last => last.tomorrow().unwrap_or(last),
                _ => from,
            };
            if from <= to {
                all.push((from, to));
            }
            last = Some(to);
        }
    }
    all
}

/// The day of a time in this host's time zone.
pub(super) fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::system()).date()
}

/// The name of this host's time zone, or its offset if it has no name.
pub(super) fn time_zone(now: Timestamp) -> String {
    let zone = TimeZone::system();
    let offset = || zone.to_offset(now).to_string();
    zone.iana_name().map_or_else(offset, str::to_owned)
}
