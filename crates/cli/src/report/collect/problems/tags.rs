//! Tags that were not compared with their registries for a long time: jobs may get an older image
//! than the tag means now.

use super::{note, problem};
use crate::cache::image_name;
use crate::report::collect::Facts;
use crate::report::collect::holdings::Held;
use crate::report::data::number;
use crate::report::data::problem::Problem;
use crate::report::data::source::SourceId;
use crate::ui::format;
use jiff::{SignedDuration, Timestamp};
use std::ffi::OsStr;

/// The same time as in the alert `SifcacheRefreshOverdue` of examples/metrics.
const LIMIT: SignedDuration = SignedDuration::from_hours(14 * 24);

const OVERDUE: &str = "refresh-overdue";
const FAILED: &str = "refresh-failed";

/// An image that was not refreshed: when its tag was last pulled or compared, and the index of its
/// file.
type Stale = (Timestamp, usize);

/// The problems with tags.
pub(super) fn problems(facts: &Facts<'_>) -> Vec<Problem> {
    facts.holdings.roots.iter().flat_map(|root| of_root(facts, root)).collect()
}

fn of_root(facts: &Facts<'_>, root: &Held) -> Vec<Problem> {
    let since = facts.now.checked_sub(LIMIT).unwrap_or(Timestamp::MIN);
    let mut stale: Vec<Stale> =
        root.images_with_tags().filter(|(checked, _)| *checked < since).collect();
    stale.sort_unstable();
    match root.tags.last() {
        Some(last) if last >= since => failed(facts, root, &stale),
        last => overdue(facts, root, &stale, last).into_iter().collect(),
    }
}

/// `refresh --all` runs, but fails for these images. At most `--top` are listed one by one.
fn failed(facts: &Facts<'_>, root: &Held, stale: &[Stale]) -> Vec<Problem> {
    let (shown, rest) = stale.split_at(stale.len().min(facts.wanted.top));
    let row = |(checked, index): &Stale| {
        let name = reference(root, *index);
        let what = format!("refresh --all fails for it, and {}", last(*checked));
        let problem = problem(FAILED, SourceId::Roots, &name, what);
        problem.command(command(facts, root, name.as_ref()))
    };
    let mut all: Vec<Problem> = shown.iter().map(row).collect();
    if !rest.is_empty() {
        let what = "more images for which refresh --all fails";
        let more = problem(FAILED, SourceId::Roots, &root.path.to_string_lossy(), what);
        all.push(more.count(number(rest.len())).command(command(facts, root, "--all".as_ref())));
    }
    all
}

/// `refresh --all` does not run any more, or never ran. A site can have reasons for the latter.
fn overdue(
    facts: &Facts<'_>,
    root: &Held,
    stale: &[Stale],
    run: Option<Timestamp>,
) -> Option<Problem> {
    let (checked, index) = stale.first()?;
    let new = if run.is_some() { problem } else { note };
    let path = root.path.to_string_lossy();
    let run = match run {
        Some(run) => format!("refresh --all last ran for {path} on {}", format::day(run)),
        None => format!("refresh --all never ran for {path}"),
    };
    let others = if stale.len() > 1 { "; and others" } else { "" };
    let what = format!("{}, and {run}{others}", last(*checked));
    let overdue = new(OVERDUE, SourceId::Roots, &reference(root, *index), what);
    Some(overdue.count(number(stale.len())).command(command(facts, root, "--all".as_ref())))
}

fn last(checked: Timestamp) -> String {
    format!("its tag was last pulled or compared with its registry on {}", format::day(checked))
}

/// The short form of the first reference with a tag.
fn reference(root: &Held, index: usize) -> String {
    let all = image_name::references(root.names(index));
    let tag = all.iter().find(|one| one.digest().is_none() && one.transport().is_registry());
    tag.map(image_name::short).unwrap_or_default()
}

fn command(facts: &Facts<'_>, root: &Held, what: &OsStr) -> String {
    facts.lines.of("refresh", &["--into".as_ref(), root.path.as_os_str(), what])
}
