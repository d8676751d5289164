//! Requested images that are missing.

use super::Page;
use super::section::{command, section};
use super::table::{Cell, Table, figures, left_out, words};
use super::text::{self, count};
use crate::report::data::Misses;
use crate::report::data::usage::{Miss, Reason};
use maud::{Markup, html};

pub(super) fn render(page: &Page<'_>) -> Markup {
    section(page, ("misses", "Requested images that are missing"), &page.report.misses, |misses| {
        html! {
            @if misses.added_since > 0 {
                p {
                    (count(misses.added_since, "image that was missing is", "images that were missing are"))
                    " in the cache now. The list has the others."
                }
            }
            @if misses.list.total == 0 {
                p.empty { "Every image that was asked for is in the cache." }
            } @else {
                @if !misses.command.is_empty() {
                    p { "This command adds the images that at least two users asked for. Check the list first:" }
                    (command(&misses.command))
                }
                (table(page, misses))
            }
        }
    })
}

fn table(page: &Page<'_>, misses: &Misses) -> Markup {
    let columns = vec![
        words("Image"),
        figures("Users").descending(),
        figures("Jobs"),
        figures("Misses"),
        figures("Last asked for"),
        words("Why, and what to do"),
    ];
    Table {
        id: "misses-table",
        caption: html! { "Images that are not in the cache, those of most users first" },
        columns,
        rows: misses.list.rows.iter().map(|miss| row(page, miss)).collect(),
        left_out: left_out(&misses.list),
        fixed: false,
    }
    .render(page)
}

fn row(page: &Page<'_>, miss: &Miss) -> Vec<Cell> {
    let advice = html! {
        @if miss.reasons.is_empty() { p { "Not in the cache" } }
        @for reason in &miss.reasons { p { (why(reason)) } }
        (command(&miss.command))
    };
    vec![
        Cell::words(text::name(&miss.reference)),
        Cell::number(miss.users),
        Cell::number(miss.jobs),
        Cell::number(miss.misses.total()),
        Cell::time(miss.last, &page.clock),
        Cell::words(advice),
    ]
}

fn why(reason: &Reason) -> Markup {
    let what = match reason.kind {
        "refused" => "Jobs refused the file",
        "refused-by-policy" => "Refused by the filler's policy",
        "failed" => "The filler could not add it",
        "pulling" => "The filler is adding it",
        "queued" => "Queued by the filler",
        "not-yet" => "The filler adds it later",
        other => other,
    };
    html! {
        (what)
        @if let Some(path) = &reason.path { " " (text::name(path)) }
        @if !reason.why.is_empty() { ": " (text::name(&reason.why)) }
    }
}
