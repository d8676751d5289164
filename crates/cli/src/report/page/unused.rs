//! Unused images.

use super::Page;
use super::section::{command, section};
use super::table::{Cell, Table, figures, left_out, words};
use super::text::{self, count};
use crate::report::data::cache::{Unused, UnusedImage};
use maud::{Markup, html};

pub(super) fn render(page: &Page<'_>) -> Markup {
    section(page, ("unused", "Unused images"), &page.report.unused, |unused| {
        let age = text::age(&unused.unused_for);
        let which = match page.report.cache.data.is_partial() {
            true => "Every image in the image roots that were read",
            false => "Every image",
        };
        html! {
            @if unused.images == 0 {
                p.empty { (which) " was used within the last " (age) "." }
            } @else {
                p {
                    (count(unused.images, "image", "images")) " with "
                    (text::short_size(unused.bytes)) " served no command for " (age) "."
                }
                @if let Some(why) = &unused.unproven {
                    p.warning {
                        strong { "The logs do not prove this, so nothing would be removed." } " "
                        (text::sentence(why))
                    }
                }
                @if !unused.commands.is_empty() {
                    p { "See what would be removed; without " code { "--dry-run" } ", it is removed:" }
                    @for line in &unused.commands { (command(line)) }
                }
                (table(page, unused))
            }
        }
    })
}

fn table(page: &Page<'_>, unused: &Unused) -> Markup {
    let columns =
        vec![words("Image"), figures("Size"), figures("Added"), figures("Last served").ascending()];
    Table {
        id: "unused-table",
        caption: html! { "Unused images, the least recently used first" },
        columns,
        rows: unused.list.rows.iter().map(|image| row(page, image)).collect(),
        left_out: left_out(&unused.list),
        fixed: false,
    }
    .render(page)
}

fn row(page: &Page<'_>, image: &UnusedImage) -> Vec<Cell> {
    vec![
        Cell::words(text::name(&image.reference)),
        Cell::size(image.size),
        Cell::time(image.added, &page.clock),
        image.last_served.map_or(Cell::unknown("never"), |time| Cell::time(time, &page.clock)),
    ]
}
