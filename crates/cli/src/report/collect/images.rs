//! The images that served commands, and the sums over all commands.

use super::holdings::Found;
use super::{Facts, HIT};
use crate::cache::image_name;
use crate::events::aggregate::{Count, Keyed};
use crate::events::count::{Commands, Outcomes};
use crate::report::data::source::SourceId;
use crate::report::data::usage::{Image, Saved, Totals};
use crate::report::data::{List, Section, number};
use sifcache_core::reference::Reference;
use std::cmp::Reverse;
use std::path::Path;

const SOURCES: [SourceId; 2] = [SourceId::Logs, SourceId::Roots];

/// The note about bytes: the amount that a launch would have downloaded is not known.
const BYTES: &str = "bytes are the sizes of image files: those of all hits are an upper limit, \
                     because a user's own cache would have kept an image after its first download";

/// The section about the images.
pub(super) fn section(facts: &Facts<'_>) -> Section<List<Image>> {
    let logs = match &facts.logs {
        Ok(logs) => logs,
        Err(why) => return Section::without(&SOURCES, why),
    };
    let mut hits: Vec<(&str, &Count)> = hits(&logs.counts).collect();
    // The sort is stable, so equal counts remain in alphabetical order.
    hits.sort_by_key(|(_, count)| Reverse(count.commands.total()));
    let total = number(hits.len());
    hits.truncate(facts.wanted.top);
    let rows = hits.into_iter().map(|(path, count)| row(facts, path, count)).collect();
    Section::new(&SOURCES, List { total, rows }).note(BYTES)
}

/// The sums.
pub(super) fn totals(facts: &Facts<'_>) -> Section<Totals> {
    let logs = match &facts.logs {
        Ok(logs) => logs,
        Err(why) => return Section::without(&SOURCES, why),
    };
    let mut outcomes = Outcomes::default();
    for (key, count) in &logs.counts {
        let of_key = if key.starts_with(HIT) { &mut outcomes.hits } else { &mut outcomes.misses };
        of_key.add_all(count.commands);
    }
    let (jobs, users) = logs.jobs_and_users();
    let mut saved = Saved::default();
    for (_, day) in logs.read.days.sorted() {
        saved.bytes = saved.bytes.saturating_add(day.bytes);
        saved.unknown = saved.unknown.saturating_add(day.unknown);
    }
    let totals = Totals {
        hits: outcomes.hits,
        misses: outcomes.misses,
        hit_percent: percent(outcomes.hits, outcomes.misses),
        jobs: number(jobs),
        users: number(users),
        images: number(hits(&logs.counts).count()),
        saved,
        saved_once_per_user: hits(&logs.counts)
            .filter_map(|(path, count)| once_per_user(facts, path, count))
            .fold(0, u64::saturating_add),
    };
    Section::new(&SOURCES, totals).note(BYTES)
}

/// The hits in percent of all commands, with one decimal place.
fn percent(hits: Commands, misses: Commands) -> Option<f64> {
    let all = u128::from(hits.total()) + u128::from(misses.total());
    let tenths = (u128::from(hits.total()) * 1000).checked_div(all)?;
    Some(f64::from(u16::try_from(tenths).ok()?) / 10.0)
}

/// The paths of images, with their counts.
fn hits(counts: &[Keyed]) -> impl Iterator<Item = (&str, &Count)> {
    counts.iter().filter_map(|(key, count)| Some((key.strip_prefix(HIT)?, &**count)))
}

fn once_per_user(facts: &Facts<'_>, path: &str, count: &Count) -> Option<u64> {
    let size = facts.holdings.find(Path::new(path)).size()?;
    Some(size.saturating_mul(number(count.users())))
}

fn row(facts: &Facts<'_>, path: &str, count: &Count) -> Image {
    let found = facts.holdings.find(Path::new(path));
    let (size, commands) = (found.size(), count.commands.total());
    let short = |text: &str| {
        Reference::parse_printed(text.as_bytes()).ok().map(|one| image_name::short(&one))
    };
    Image {
        references: count.references().filter_map(short).collect(),
        path: path.to_owned(),
        present: matches!(found, Found::Image(_) | Found::Foreign(_)),
        size,
        added: match found {
            Found::Image(facts) => Some(facts.added),
            _ => None,
        },
        hits: count.commands,
        jobs: number(count.jobs()),
        users: number(count.users()),
        last_served: facts.not_later(count.last),
        saved: Saved {
            bytes: size.unwrap_or(0).saturating_mul(commands),
            unknown: if size.is_some() { 0 } else { commands },
        },
        saved_once_per_user: once_per_user(facts, path, count),
    }
}

#[cfg(test)]
mod tests {
    use super::percent;
    use crate::events::count::Commands;

    #[test]
    fn the_percentage_has_one_decimal_place() {
        let commands = |launches, pulls| Commands { launches, pulls, builds: 0 };
        assert_eq!(percent(commands(1, 1), commands(1, 0)), Some(66.6));
        assert_eq!(percent(commands(5, 0), commands(0, 0)), Some(100.0));
        assert_eq!(percent(commands(0, 0), commands(3, 0)), Some(0.0));
        assert_eq!(percent(commands(0, 0), commands(0, 0)), None);
        assert_eq!(percent(commands(u64::MAX, 1), commands(0, 1)), Some(99.9));
    }
}
