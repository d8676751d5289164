//! Tables that the page can sort and filter.
//!
//! Without JavaScript, they are in the order of the report. Narrow pages show each row as a card,
//! whose cells repeat the heading of their column.

use super::Page;
use super::text::{self, Clock};
use crate::report::data::List;
use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};

/// The maximum number of rows of a table. A page with more rows would be slow to sort.
const MOST_ROWS: usize = 500;
/// A table with fewer rows has no filter.
const FILTERED_ROWS: usize = 8;

/// A table. The first cell of each row is the row's heading.
pub(super) struct Table {
    /// The beginning of its identifiers.
    pub(super) id: &'static str,
    pub(super) caption: Markup,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// The number of rows that the report has left out already: see `--top`.
    pub(super) left_out: u64,
    /// Whether the rows have an order that must stay, such as a sum at the end.
    pub(super) fixed: bool,
}

/// A column.
pub(super) struct Column {
    pub(super) heading: &'static str,
    kind: Kind,
    order: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
}

/// A column of text.
pub(super) fn words(heading: &'static str) -> Column {
    Column { heading, kind: Kind::Text, order: None }
}

/// A column of numbers, sizes or times.
pub(super) fn figures(heading: &'static str) -> Column {
    Column { heading, kind: Kind::Number, order: None }
}

impl Column {
    /// The rows are sorted by this column, the lowest first.
    pub(super) fn ascending(self) -> Self {
        Self { order: Some("ascending"), ..self }
    }

    /// The rows are sorted by this column, the highest first.
    pub(super) fn descending(self) -> Self {
        Self { order: Some("descending"), ..self }
    }
}

/// A cell.
pub(super) struct Cell {
    content: Markup,
    /// The number by which the cell is sorted. Cells of text are sorted by their text.
    value: Option<String>,
}

impl Cell {
    pub(super) fn words(content: Markup) -> Self {
        Self { content, value: None }
    }

    pub(super) fn figure(content: Markup, value: f64) -> Self {
        Self { content, value: Some(value.to_string()) }
    }

    pub(super) fn number(number: u64) -> Self {
        Self { content: html! { (text::number(number)) }, value: Some(number.to_string()) }
    }

    pub(super) fn size(bytes: u64) -> Self {
        Self { content: html! { (text::size(bytes)) }, value: Some(bytes.to_string()) }
    }

    pub(super) fn time(time: Timestamp, clock: &Clock) -> Self {
        Self { content: clock.minute(time), value: Some(time.as_second().to_string()) }
    }

    pub(super) fn day(day: Date) -> Self {
        let number = i32::from(day.year()) * 10_000 + i32::from(day.month()) * 100;
        let content = html! { time datetime=(day) { (day) } };
        Self::figure(content, f64::from(number + i32::from(day.day())))
    }

    /// The share of `part` in `whole`, with a bar.
    pub(super) fn share(part: u64, whole: u64) -> Self {
        let Some(percent) = text::percent(part, whole) else { return Self::unknown("none") };
        let share = part as f64 / whole as f64;
        let content = html! {
            (percent)
            svg.share viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
                rect.rest width="100" height="10" {}
                rect.part width=(format!("{:.1}", share * 100.0)) height="10" {}
            }
        };
        Self::figure(content, share)
    }

    /// The cell with more text below its figure.
    pub(super) fn with(self, more: &Markup) -> Self {
        Self { content: html! { (self.content) span.detail { (more) } }, ..self }
    }

    /// A figure that does not exist. When the table is sorted, such cells are last.
    pub(super) fn unknown(why: &str) -> Self {
        Self { content: html! { span.unknown { (why) } }, value: None }
    }
}

/// The number of rows that are not part of the list.
pub(super) fn left_out<T>(list: &List<T>) -> u64 {
    list.total.saturating_sub(list.rows.len() as u64)
}

impl Table {
    pub(super) fn render(&self, page: &Page<'_>) -> Markup {
        let shown = self.rows.len().min(MOST_ROWS);
        if shown == 0 {
            return self.rest(page, shown);
        }
        html! {
            div.table data-table[!self.fixed] {
                @if shown >= FILTERED_ROWS { (self.filter()) }
                table id=(self.id) {
                    caption { (self.caption) }
                    thead { tr { @for column in &self.columns { (column.render()) } } }
                    tbody { @for row in self.rows.iter().take(shown) { (self.row(row)) } }
                }
                (self.rest(page, shown))
            }
        }
    }

    /// The filter, which is hidden until the page's script runs.
    fn filter(&self) -> Markup {
        let (input, status) = (format!("{}-filter", self.id), format!("{}-status", self.id));
        html! {
            div.tools hidden {
                label for=(input) { "Filter" }
                input id=(input) type="search" autocomplete="off" spellcheck="false"
                    aria-controls=(self.id);
                p id=(status) role="status" {}
            }
        }
    }

    fn row(&self, row: &[Cell]) -> Markup {
        let cells = row.iter().zip(&self.columns).enumerate();
        html! {
            tr {
                @for (number, (cell, column)) in cells {
                    @if number == 0 {
                        th scope="row" class=[column.class()] data-value=[&cell.value] { (cell.content) }
                    } @else {
                        td class=[column.class()] data-label=(column.heading) data-value=[&cell.value] {
                            (cell.content)
                        }
                    }
                }
            }
        }
    }

    /// The number of rows that the table leaves out, and the command that prints them.
    fn rest(&self, page: &Page<'_>, shown: usize) -> Markup {
        let all = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        let whole = all.saturating_add(self.left_out);
        let command = page.json((self.left_out > 0).then_some(whole));
        html! {
            @if self.left_out > 0 || shown < self.rows.len() {
                p.rest {
                    @if shown > 0 { "The first " (text::number(shown as u64)) " of " }
                    @else { "None of " }
                    (text::number(whole)) " rows. "
                    code { (text::printable(&command)) } " prints all of them."
                }
            }
        }
    }
}

impl Column {
    fn class(&self) -> Option<&'static str> {
        (self.kind == Kind::Number).then_some("figure")
    }

    fn render(&self) -> Markup {
        let kind = if self.kind == Kind::Number { "number" } else { "text" };
        html! {
            th scope="col" class=[self.class()] data-sort=(kind) aria-sort=[self.order] {
                (self.heading)
            }
        }
    }
}
