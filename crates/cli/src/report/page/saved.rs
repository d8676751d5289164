//! Launches, and the bytes that were not downloaded.

use super::Page;
use super::chart::{Chart, Paint, Shape, Unit};
use super::days::days_of_a_bar;
use super::section::section;
use super::table::{Cell, Table, figures, words};
use super::text::{self, count};
use crate::report::data::usage::{Day, Totals};
use maud::{Markup, html};

pub(super) fn render(page: &Page<'_>) -> Markup {
    section(page, ("saved", "Launches and bytes saved"), &page.report.totals, |totals| {
        html! {
            (kinds(page, totals))
            p { (served(totals)) }
            @if totals.saved.bytes > 0 && page.report.days.missing.is_none() {
                (chart(&page.report.days.data))
            }
        }
    })
}

fn kinds(page: &Page<'_>, totals: &Totals) -> Markup {
    let (hits, misses) = (totals.hits, totals.misses);
    let rows = [
        ("Launches of containers", hits.launches, misses.launches),
        ("Pulls", hits.pulls, misses.pulls),
        ("Builds", hits.builds, misses.builds),
        ("All commands", hits.total(), misses.total()),
    ];
    let row = |(kind, hits, misses): (&str, u64, u64)| {
        vec![
            Cell::words(html! { (kind) }),
            Cell::number(hits),
            Cell::number(misses),
            Cell::share(hits, hits.saturating_add(misses)),
        ]
    };
    let columns = vec![
        words("Command"),
        figures("From the cache"),
        figures("Not in the cache"),
        figures("Hit rate"),
    ];
    let caption = html! { "Commands that asked for an image" };
    let rows = rows.into_iter().map(row).collect();
    Table { id: "kinds-table", caption, columns, rows, left_out: 0, fixed: true }.render(page)
}

fn served(totals: &Totals) -> String {
    let mut text = format!(
        "{} of {} in {}. Without the cache, they would have downloaded at least {}, if each user had \
         kept each image after its first download, and at most {}, if no command had kept its image.",
        count(totals.images, "image served commands", "images served commands"),
        count(totals.users, "user", "users"),
        count(totals.jobs, "job", "jobs"),
        text::short_size(totals.saved_once_per_user),
        text::short_size(totals.saved.bytes),
    );
    if totals.saved.unknown > 0 {
        let hits = count(totals.saved.unknown, "more hit", "more hits");
        text.push_str(&format!(" The images of {hits} were removed, so their size is unknown."));
    }
    text
}

fn chart(days: &[Day]) -> Markup {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return html! {} };
    let width = days_of_a_bar(days.len());
    let bar = |days: &[Day]| {
        let high = days.iter().map(|day| day.saved.bytes).fold(0, u64::saturating_add);
        let (from, days) = (days.first()?.day, days.len() as u32);
        Some(Shape::Bar { paint: Paint::Saved, from, days, low: 0, high })
    };
    let most = days.iter().max_by_key(|day| day.saved.bytes).map(|day| {
        format!("Most on {}: {}.", text::day(day.day), text::short_size(day.saved.bytes))
    });
    let title = match width {
        1 => "Bytes not downloaded by day, at most".to_owned(),
        days => format!("Bytes not downloaded in periods of {days} days, at most"),
    };
    let chart = Chart {
        id: "saved",
        title: &title,
        description: &most.unwrap_or_default(),
        unit: Unit::Bytes,
        first: first.day,
        last: last.day,
        shapes: days.chunks(width).filter_map(bar).collect(),
    };
    html! {
        h3 { (title) }
        (chart.render())
        p.rest { "The figures are in the table of " a href="#days" { "hits and misses by day" } "." }
    }
}
