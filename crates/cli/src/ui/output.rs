//! Output of subcommands: tables for people, JSON for scripts.

mod cells;

use crate::error::Failure;
use cells::{Cells, headings, widths};
use rayon::prelude::*;
use serde::Serialize;
use std::io::{self, BufWriter, Write as _};

/// Buffer size in bytes.
const BUFFER: usize = 64 << 10;
/// The number of items that a thread formats in a row.
const PART: usize = 256;
/// The number of parts that are formatted at a time.
const PARTS: usize = 32;

/// Prints a JSON value as one line.
///
/// # Errors
/// Standard output fails.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    serde_json::to_writer(&mut stdout, value).map_err(|error| Failure::Io(error.into()))?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}

/// Prints text. Its styles are removed if standard output is not a terminal.
///
/// # Errors
/// Standard output fails.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    Ok(anstream::stdout().lock().write_all(text.as_bytes())?)
}

/// Prints bytes as they are.
///
/// # Errors
/// Standard output fails.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

/// Prints lines of text without styles.
///
/// # Errors
/// Standard output fails.
pub(crate) fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    for line in lines {
        stdout.write_all(line.as_bytes())?;
        stdout.write_all(b"\n")?;
    }
    Ok(stdout.flush()?)
}

/// Prints a JSON object as one line: a list of this name, then the keys of `end`, which has at least
/// one key. Only a part of the list is in memory at a time, because it may be very long.
///
/// # Errors
/// Standard output fails.
pub(crate) fn json_list<'a, T: Sync, R: Serialize>(
    name: &str,
    items: &'a [T],
    row: &(impl Fn(&'a T) -> R + Sync),
    end: &impl Serialize,
) -> Result<(), Failure> {
    let failed = |error: serde_json::Error| Failure::Io(error.into());
    let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    write!(stdout, "{{{}:[", serde_json::to_string(name).map_err(failed)?)?;
    let part = |items: &'a [T]| {
        let mut text = Vec::new();
        for item in items {
            serde_json::to_writer(&mut text, &row(item))?;
            text.push(b',');
        }
        Ok(text)
    };
    let mut rest = items.len();
    for items in items.chunks(PART * PARTS) {
        let parts: Result<Vec<Vec<u8>>, serde_json::Error> =
            items.par_chunks(PART).map(part).collect();
        rest -= items.len();
        let text = parts.map_err(failed)?.concat();
        let text = if rest == 0 { text.strip_suffix(b",").unwrap_or(&text) } else { &text };
        stdout.write_all(text)?;
    }
    let end = serde_json::to_string(end).map_err(failed)?;
    writeln!(stdout, "],{}", end.strip_prefix('{').unwrap_or(&end))?;
    Ok(stdout.flush()?)
}

/// Prints a table with a row for each item, whose cells have no styles. The lines are not all in
/// memory at the same time.
///
/// # Errors
/// Standard output fails.
pub(crate) fn table<T: Sync, const N: usize>(
    columns: &[Column; N],
    items: &[T],
    row: &(impl Fn(&T) -> [String; N] + Sync),
) -> Result<(), Failure> {
    let part = |items: &[T]| {
        let mut cells = Cells::default();
        items.iter().for_each(|item| cells.row(&row(item)));
        cells
    };
    let parts: Vec<Cells> = items.par_chunks(PART).map(part).collect();
    let widths = widths(columns, &parts);
    print(&headings(columns, &widths))?;
    let mut stdout = io::stdout().lock();
    for parts in parts.chunks(PARTS) {
        let lines = |cells: &Cells| {
            let mut text = String::new();
            cells.lines(columns, &widths, &mut text);
            text
        };
        let text: Vec<String> = parts.par_iter().map(lines).collect();
        stdout.write_all(text.concat().as_bytes())?;
    }
    Ok(())
}

/// A heading and the alignment of its column.
pub(crate) type Column = (&'static str, Align);

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table whose columns are as wide as their widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    cells: Cells,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), cells: Cells::default() }
    }

    /// Adds a row, with one cell per column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.cells.row(&cells);
    }

    /// The table as lines, starting with the headings in bold.
    pub(crate) fn text(&self) -> String {
        let widths = widths(&self.columns, [&self.cells]);
        let mut text = headings(&self.columns, &widths);
        self.cells.lines(&self.columns, &widths, &mut text);
        text
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
