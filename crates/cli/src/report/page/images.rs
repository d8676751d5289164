//! The images that serve most commands.

use super::Page;
use super::section::section;
use super::table::{Cell, Table, figures, left_out, words};
use super::text;
use crate::report::data::List;
use crate::report::data::usage::Image;
use maud::{Markup, html};

pub(super) fn render(page: &Page<'_>) -> Markup {
    section(page, ("images", "The most used images"), &page.report.images, |images| {
        html! {
            @if images.total == 0 {
                p.empty { "No image served a command in this time." }
            } @else {
                (table(page, images))
            }
        }
    })
}

fn table(page: &Page<'_>, images: &List<Image>) -> Markup {
    let columns = vec![
        words("Image"),
        figures("Hits").descending(),
        figures("Jobs"),
        figures("Users"),
        figures("Size"),
        figures("Not downloaded, at most"),
        figures("Last served"),
    ];
    Table {
        id: "images-table",
        caption: html! { "Images that served commands, those with most hits first" },
        columns,
        rows: images.rows.iter().map(|image| row(page, image)).collect(),
        left_out: left_out(images),
        fixed: false,
    }
    .render(page)
}

fn row(page: &Page<'_>, image: &Image) -> Vec<Cell> {
    let path = image.path.trim_end_matches(".sif");
    let named_after_it = image.references.iter().any(|reference| path.ends_with(reference));
    let name = html! {
        @for (number, reference) in image.references.iter().enumerate() {
            @if number > 0 { ", " }
            (text::name(reference))
        }
        @if !named_after_it { span.detail { (text::name(&image.path)) } }
        @if !image.present { span.detail { "removed since" } }
    };
    let saved = match image.size {
        Some(_) => Cell::size(image.saved.bytes),
        None => Cell::unknown("unknown"),
    };
    vec![
        Cell::words(name),
        Cell::number(image.hits.total()),
        Cell::number(image.jobs),
        Cell::number(image.users),
        image.size.map_or(Cell::unknown("unknown"), Cell::size),
        saved,
        Cell::time(image.last_served, &page.clock),
    ]
}
