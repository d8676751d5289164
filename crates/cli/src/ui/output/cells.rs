//! The cells of a table in one piece of text, because a table can have very many rows.

use super::{Align, Column};
use anstyle::Style;

/// Cells, row by row.
#[derive(Debug, Default)]
pub(super) struct Cells {
    text: String,
    /// The length of each cell in bytes.
    lengths: Vec<u32>,
    /// The width of each column in characters.
    widths: Vec<usize>,
}

impl Cells {
    /// Adds a row.
    pub(super) fn row(&mut self, cells: &[String]) {
        self.widths.resize(cells.len().max(self.widths.len()), 0);
        for (cell, width) in cells.iter().zip(&mut self.widths) {
            *width = count(cell).max(*width);
            self.text.push_str(cell);
            // A longer cell would not fit into memory.
            self.lengths.push(u32::try_from(cell.len()).unwrap_or_default());
        }
    }

    /// Appends the rows as lines.
    pub(super) fn lines(&self, columns: &[Column], widths: &[usize], text: &mut String) {
        let mut start = 0;
        for lengths in self.lengths.chunks(columns.len().max(1)) {
            let cells = lengths.iter().map(|length| {
                let end = start + usize::try_from(*length).unwrap_or_default();
                let cell = self.text.get(start..end).unwrap_or_default();
                start = end;
                cell
            });
            line(cells, columns, widths, text);
            text.push('\n');
        }
    }
}

/// The width of each column of a table with these cells.
pub(super) fn widths<'a>(
    columns: &[Column],
    parts: impl IntoIterator<Item = &'a Cells>,
) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(|(heading, _)| heading.len()).collect();
    for part in parts {
        let both = widths.iter_mut().zip(&part.widths);
        both.for_each(|(width, of_part)| *width = *of_part.max(width));
    }
    widths
}

/// The line with the headings in bold.
pub(super) fn headings(columns: &[Column], widths: &[usize]) -> String {
    let bold = Style::new().bold();
    let mut text = bold.to_string();
    let mut headings = String::new();
    line(columns.iter().map(|(heading, _)| *heading), columns, widths, &mut headings);
    text.push_str(&headings);
    text.push_str(&format!("{bold:#}\n"));
    text
}

fn line<'a>(
    cells: impl Iterator<Item = &'a str>,
    columns: &[Column],
    widths: &[usize],
    text: &mut String,
) {
    let start = text.len();
    for ((cell, width), (_, align)) in cells.zip(widths).zip(columns) {
        if text.len() > start {
            text.push_str("  ");
        }
        let blanks = width.saturating_sub(count(cell));
        if *align == Align::Right {
            text.extend(std::iter::repeat_n(' ', blanks));
        }
        text.push_str(cell);
        if *align == Align::Left {
            text.extend(std::iter::repeat_n(' ', blanks));
        }
    }
    let end = start + text.get(start..).unwrap_or_default().trim_end().len();
    text.truncate(end);
}

/// The number of characters.
fn count(cell: &str) -> usize {
    if cell.is_ascii() { cell.len() } else { cell.chars().count() }
}
