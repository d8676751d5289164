//! The content of the image roots, and its growth.

use super::Facts;
use super::holdings::Held;
use crate::cache::fill_level::FillLevel;
use crate::cache::store::retention;
use crate::report::data::cache::{Cache, FileSystem, Growth, Root};
use crate::report::data::source::SourceId;
use crate::report::data::{Section, number};
use crate::ui::format;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::path::Path;

/// The section about the image roots.
pub(super) fn section(facts: &Facts<'_>) -> Section<Cache> {
    let sources = [SourceId::Roots, SourceId::FileSystems];
    let settings = match &facts.settings {
        Ok(settings) => settings,
        Err(why) => return Section::without(&sources, why),
    };
    let mut roots: Vec<Root> = facts.holdings.roots.iter().map(of_held).collect();
    for foreign in &settings.foreign_roots {
        let layout = Some(foreign.layout.to_string());
        let root = root(&foreign.path, facts.dead(&foreign.path));
        roots.push(Root { layout, ..root });
    }
    let sum = |of: fn(&Root) -> Option<u64>| roots.iter().filter_map(of).sum();
    let (images, bytes) = (sum(|root| root.images), sum(|root| root.bytes));
    let growth = growth(&facts.holdings.roots);
    let is_partial = facts.holdings.roots.iter().any(|held| held.error.is_some());
    let section = Section::new(&sources, Cache { images, bytes, growth, roots });
    let section = section.note(
        "the growth is that of the images that still exist, by the day on which they were added",
    );
    match is_partial {
        true => section.note("the sums leave out the image roots that cannot be read"),
        false => section,
    }
}

fn of_held(held: &Held) -> Root {
    let root = root(&held.path, held.error.clone());
    if held.error.is_some() {
        return root;
    }
    let kept = retention::list(&held.path);
    Root {
        images: Some(number(held.images().count())),
        bytes: Some(held.images().map(|(_, image)| image.size).sum()),
        invalid_files: Some(number(held.invalid_files)),
        kept_bytes: retention::size(&held.path).bytes,
        kept_until: kept.iter().map(|(_, until)| *until).min(),
        ..root
    }
}

/// A root whose images are not counted. A root that cannot be read may not answer either.
fn root(path: &Path, error: Option<String>) -> Root {
    let level = error.map_or_else(|| FillLevel::of(path).map_err(|error| error.to_string()), Err);
    let error = level.as_ref().err().cloned();
    let file_system = level.ok().map(|level| FileSystem {
        used_bytes: level.space.used,
        total_bytes: level.space.total,
        used_inodes: level.inodes.used,
        total_inodes: level.inodes.total,
    });
    Root {
        path: path.to_string_lossy().into_owned(),
        layout: None,
        images: None,
        bytes: None,
        invalid_files: None,
        kept_bytes: 0,
        kept_until: None,
        file_system,
        error,
    }
}

/// The images of all roots, by the day on which they were added.
fn growth(roots: &[Held]) -> Vec<Growth> {
    let zone = TimeZone::system();
    let mut days: BTreeMap<Date, (u64, u64)> = BTreeMap::new();
    for (_, image) in roots.iter().flat_map(Held::images) {
        let day = days.entry(image.added.to_zoned(zone.clone()).date()).or_default();
        *day = (day.0 + 1, day.1.saturating_add(image.size));
    }
    let (mut images, mut bytes) = (0, 0_u64);
    let row = |(day, (added_images, added_bytes))| {
        images += added_images;
        bytes = bytes.saturating_add(added_bytes);
        Growth { day, added_images, added_bytes, images, bytes }
    };
    days.into_iter().map(row).collect()
}

/// A part in percent, rounded down.
pub(super) fn percent(used: u64, total: u64) -> u64 {
    let part = u128::from(used) * 100 / u128::from(total.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// How full something is, for a message.
pub(super) fn fullness(used: u64, total: u64) -> String {
    let (used_text, total_text) = (format::size(used), format::size(total));
    format!("{} % full: {used_text} of {total_text}", percent(used, total))
}
