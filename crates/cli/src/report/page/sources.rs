//! Where the figures come from.

use super::Page;
use super::section::anchor;
use super::text::{self, number};
use crate::report::data::source::Source;
use maud::{Markup, html};

/// The most files that are listed for a source.
const MOST_NAMES: usize = 12;

pub(super) fn render(page: &Page<'_>) -> Markup {
    html! {
        section id="sources" aria-labelledby="sources-heading" {
            h2 id="sources-heading" { "Where the figures come from" }
            p {
                "Times are in the time zone " (text::printable(&page.report.time_zone)) ". "
                code { (text::printable(&page.json(None))) } " prints the data of this page."
            }
            dl.list-of-sources { @for source in &page.report.sources { (item(page, source)) } }
        }
    }
}

fn item(page: &Page<'_>, source: &Source) -> Markup {
    let more = source.names.len().saturating_sub(MOST_NAMES);
    html! {
        div id=(anchor(source.id)) tabindex="-1" {
            dt { (text::sentence(source.what).trim_end_matches('.')) }
            dd {
                @for (number, name) in source.names.iter().take(MOST_NAMES).enumerate() {
                    @if number > 0 { ", " }
                    code { (text::name(name)) }
                }
                @if more > 0 { " and " (number(more as u64)) " more" }
            }
            dd { (period(page, source)) }
            @for note in &source.notes { dd.note { (text::sentence(note)) } }
            @if !source.command.is_empty() {
                dd { "More: " code { (text::printable(&source.command)) } }
            }
        }
    }
}

fn period(page: &Page<'_>, source: &Source) -> Markup {
    html! {
        @match (source.from, source.to) {
            (Some(from), Some(to)) => {
                "Lines from " (page.clock.minute(from)) " to " (page.clock.minute(to))
            }
            (_, Some(to)) => { "Read at " (page.clock.minute(to)) }
            _ => "Not read",
        }
    }
}
