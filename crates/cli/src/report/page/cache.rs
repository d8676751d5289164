//! The content of the cache, and its growth.

use super::Page;
use super::chart::{Chart, Paint, Shape, Unit};
use super::section::{details, section};
use super::table::{Cell, Table, figures, words};
use super::text;
use crate::report::data::cache::{Cache, FileSystem, Growth, Root};
use maud::{Markup, html};

pub(super) fn render(page: &Page<'_>) -> Markup {
    section(
        page,
        ("cache", "What the cache holds, and how it grows"),
        &page.report.cache,
        |cache| {
            html! {
                (roots(page, cache))
                @if cache.images == 0 && cache.roots.iter().all(|root| root.error.is_none()) {
                    p.empty {
                        "The cache holds no image yet. This command adds the first one:"
                    }
                    (super::section::command(&page.report.lines.of("add", &["ubuntu:24.04".as_ref()])))
                }
                (growth(page, cache))
            }
        },
    )
}

fn roots(page: &Page<'_>, cache: &Cache) -> Markup {
    let columns = vec![
        words("Image root"),
        figures("Images"),
        figures("Size"),
        figures("Invalid files"),
        figures("Kept after removal"),
        figures("File system"),
    ];
    let caption = html! { "Image roots, in the order in which jobs look them up" };
    let rows = cache.roots.iter().map(|root| row(page, root)).collect();
    Table { id: "roots-table", caption, columns, rows, left_out: 0, fixed: false }.render(page)
}

fn row(page: &Page<'_>, root: &Root) -> Vec<Cell> {
    let counted = if root.error.is_some() { "unknown" } else { "not counted" };
    let number = |value: Option<u64>| value.map_or(Cell::unknown(counted), Cell::number);
    let path = html! {
        (text::name(&root.path))
        @if let Some(layout) = &root.layout {
            span.detail { "filled by another tool: " (text::printable(layout)) }
        }
        @if let Some(error) = &root.error { span.detail.error { (text::sentence(error)) } }
    };
    let kept = html! {
        (text::size(root.kept_bytes))
        @if let (true, Some(until)) = (root.kept_bytes > 0, root.kept_until) {
            span.detail { "until " (page.clock.minute(until)) }
        }
    };
    vec![
        Cell::words(path),
        number(root.images),
        root.bytes.map_or(Cell::unknown(counted), Cell::size),
        number(root.invalid_files),
        Cell::figure(kept, root.kept_bytes as f64),
        root.file_system.map_or(Cell::unknown("unknown"), file_system),
    ]
}

fn file_system(of: FileSystem) -> Cell {
    let more = html! {
        "of " (text::size(of.total_bytes)) " used"
        @if let Some(percent) = text::percent(of.used_inodes, of.total_inodes) {
            ", " (percent) " of inodes"
        }
    };
    Cell::share(of.used_bytes, of.total_bytes).with(&more)
}

fn growth(page: &Page<'_>, cache: &Cache) -> Markup {
    let (Some(first), Some(last)) = (cache.growth.first(), cache.growth.last()) else {
        return html! {};
    };
    let today = page.clock.date(page.report.created).max(last.day);
    if first.day == today {
        return html! { p { "All images were added on " (text::day(today)) "." } };
    }
    let steps = cache.growth.iter().map(|growth| (growth.day, growth.bytes)).collect();
    let title = "Size of the images of today, by the day on which they were added";
    let description = format!(
        "From {} on {} to {} on {}.",
        text::short_size(first.bytes),
        text::day(first.day),
        text::short_size(last.bytes),
        text::day(today)
    );
    let chart = Chart {
        id: "growth",
        title,
        description: &description,
        unit: Unit::Bytes,
        first: first.day,
        last: today,
        shapes: vec![Shape::Steps { paint: Paint::Cache, steps }],
    };
    html! {
        h3 { (title) }
        (chart.render())
        (details("The figures of this chart as a table", table(page, &cache.growth)))
    }
}

fn table(page: &Page<'_>, growth: &[Growth]) -> Markup {
    let columns = vec![
        figures("Day").descending(),
        figures("Added images"),
        figures("Added bytes"),
        figures("Images"),
        figures("Size"),
    ];
    let row = |growth: &Growth| {
        vec![
            Cell::day(growth.day),
            Cell::number(growth.added_images),
            Cell::size(growth.added_bytes),
            Cell::number(growth.images),
            Cell::size(growth.bytes),
        ]
    };
    let caption = html! { "Images of today by the day on which they were added, newest first" };
    let rows: Vec<_> = growth.iter().rev().map(row).collect();
    Table { id: "growth-table", caption, columns, rows, left_out: 0, fixed: false }.render(page)
}
