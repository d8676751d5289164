//! Output of subcommands: tables for people, JSON for scripts.

use crate::error::Failure;
use anstyle::Style;
use serde::Serialize;
use std::io::Write as _;

/// Prints a JSON value as one line.
///
/// # Errors
/// Standard output fails.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_string(value).map_err(|error| Failure::Io(error.into()))?;
    line.push('\n');
    Ok(std::io::stdout().lock().write_all(line.as_bytes())?)
}

/// Prints text. Its styles are removed if standard output is not a terminal.
///
/// # Errors
/// Standard output fails.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    Ok(anstream::stdout().lock().write_all(text.as_bytes())?)
}

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table whose columns are as wide as their widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, with one cell per column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as lines, starting with the headings in bold.
    pub(crate) fn text(&self) -> String {
        let widths = self.widths();
        let bold = Style::new().bold();
        let headings: Vec<&str> = self.columns.iter().map(|(heading, _)| *heading).collect();
        let mut text = format!("{bold}{}{bold:#}\n", self.line(&headings, &widths));
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            text.push_str(&self.line(&cells, &widths));
            text.push('\n');
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let width = |(index, (heading, _)): (usize, &(&str, Align))| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(heading.len())
        };
        self.columns.iter().enumerate().map(width).collect()
    }

    fn line(&self, cells: &[&str], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            match align {
                Align::Left => line.push_str(&format!("{cell:width$}")),
                Align::Right => line.push_str(&format!("{cell:>width$}")),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::{Align, Table};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("reference", Align::Left), ("size", Align::Right)]);
        table.row(vec!["o/i:1".into(), "1.20 GiB".into()]);
        table.row(vec!["ubuntu:latest".into(), "3 B".into()]);
        let text = anstream::adapter::strip_str(&table.text()).to_string();
        let expected =
            ["reference          size", "o/i:1          1.20 GiB", "ubuntu:latest       3 B"];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}
