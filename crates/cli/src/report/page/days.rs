//! Hits and misses by day.

use super::Page;
use super::chart::{Chart, Paint, Shape, Unit};
use super::section::{details, section};
use super::table::{Cell, Table, figures};
use super::text::{self, count, number};
use crate::report::data::usage::Day;
use maud::{Markup, html};

/// The most bars of a chart: more would be narrower than the spaces between them.
const MOST_BARS: usize = 92;

pub(super) fn render(page: &Page<'_>) -> Markup {
    section(page, ("days", "Hits and misses by day"), &page.report.days, |days| {
        let total = |hit: bool| days.iter().map(|day| commands(day, hit)).sum::<u64>();
        html! {
            @if total(true) + total(false) == 0 {
                p.empty { "No command asked for an image in this time." }
            } @else {
                (chart(days))
                (details("The figures of this chart as a table", table(page, days)))
            }
        }
    })
}

fn commands(day: &Day, hit: bool) -> u64 {
    if hit { day.hits.total() } else { day.misses.total() }
}

/// The days of one bar: a day, or some weeks.
pub(super) fn days_of_a_bar(days: usize) -> usize {
    match days.div_ceil(MOST_BARS) {
        0 | 1 => 1,
        days => days.div_ceil(7) * 7,
    }
}

fn chart(days: &[Day]) -> Markup {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return html! {} };
    let width = days_of_a_bar(days.len());
    let title = match width {
        1 => "Hits and misses by day".to_owned(),
        days => format!("Hits and misses in periods of {days} days"),
    };
    let chart = Chart {
        id: "days",
        title: &title,
        description: &description(days),
        unit: Unit::Commands,
        first: first.day,
        last: last.day,
        shapes: shapes(days, width),
    };
    html! {
        // The heading of the section says that bars are days.
        @if width > 1 { h3 { (title) } }
        (legend(days))
        (chart.render())
    }
}

/// A bar for the hits of `width` days, one for their misses above it, and the days without a log.
fn shapes(days: &[Day], width: usize) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for days in days.chunk_by(|day, next| (day.hosts == 0) == (next.hosts == 0)) {
        if let Some(Day { day: from, hosts: 0, .. }) = days.first() {
            shapes.push(Shape::Band { from: *from, days: days.len() as u32 });
        }
    }
    for bar in days.chunks(width) {
        let Some(from) = bar.first().map(|day| day.day) else { continue };
        let sum = |hit| bar.iter().map(|day| commands(day, hit)).sum::<u64>();
        let (hits, all) = (sum(true), sum(true) + sum(false));
        let days = bar.len() as u32;
        shapes.push(Shape::Bar { paint: Paint::Hits, from, days, low: 0, high: hits });
        shapes.push(Shape::Bar { paint: Paint::Misses, from, days, low: hits, high: all });
    }
    shapes
}

fn legend(days: &[Day]) -> Markup {
    html! {
        ul.legend {
            li { span.swatch.hits {} "Found in the cache" }
            li { span.swatch.misses {} "Not in the cache" }
            @if days.iter().any(|day| day.hosts == 0) {
                li { span.swatch.band {} "No log covers the day" }
            }
        }
    }
}

fn description(days: &[Day]) -> String {
    let sum = |hit| days.iter().map(|day| commands(day, hit)).sum::<u64>();
    let all = |day: &&Day| day.hits.total().saturating_add(day.misses.total());
    let mut text =
        format!("{} and {}.", count(sum(true), "hit", "hits"), count(sum(false), "miss", "misses"));
    if let Some(most) = days.iter().max_by_key(all) {
        let (hits, misses) = (number(commands(most, true)), number(commands(most, false)));
        let day = text::day(most.day);
        text.push_str(&format!(" Most on {day}: {hits} hits and {misses} misses."));
    }
    let unknown = days.iter().filter(|day| day.hosts == 0).count() as u64;
    if unknown > 0 {
        text.push_str(&format!(" No log covers {}.", count(unknown, "day", "days")));
    }
    text
}

fn table(page: &Page<'_>, days: &[Day]) -> Markup {
    let columns = vec![
        figures("Day").descending(),
        figures("Hits"),
        figures("Misses"),
        figures("Hit rate"),
        figures("Not downloaded, at most"),
        figures("Hosts with a log"),
    ];
    let caption = html! { "Hits and misses by day, newest first" };
    let rows = days.iter().rev().map(row).collect();
    Table { id: "days-table", caption, columns, rows, left_out: 0, fixed: false }.render(page)
}

fn row(day: &Day) -> Vec<Cell> {
    let (hits, misses) = (day.hits.total(), day.misses.total());
    let known = |cell: Cell| if day.hosts == 0 { Cell::unknown("no log") } else { cell };
    vec![
        Cell::day(day.day),
        known(Cell::number(hits)),
        known(Cell::number(misses)),
        known(Cell::share(hits, hits.saturating_add(misses))),
        known(Cell::size(day.saved.bytes)),
        Cell::number(day.hosts),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Paint, Shape, days_of_a_bar, shapes};
    use crate::report::data::example;

    #[test]
    fn misses_are_above_hits() {
        let report = example::report();
        let days = &report.days.data[..];
        let all = shapes(days, 1);
        assert_eq!(all[0], Shape::Band { from: days[12].day, days: 1 });
        let bar = |paint, low, high| Shape::Bar { paint, from: days[2].day, days: 1, low, high };
        assert_eq!(all[5], bar(Paint::Hits, 0, 2_020));
        assert_eq!(all[6], bar(Paint::Misses, 2_020, 2_222));
        let weeks = shapes(days, 7);
        assert_eq!(weeks.len(), 1 + 2 * 5);
        let last = (weeks[9].clone(), days[28].day);
        let bar = Shape::Bar { paint: Paint::Hits, from: last.1, days: 2, low: 0, high: 2_510 };
        assert_eq!(last.0, bar);
    }

    #[test]
    fn long_times_have_bars_of_weeks() {
        assert_eq!([1, 92, 93, 700, 4_000].map(days_of_a_bar), [1, 1, 7, 14, 49]);
    }
}
