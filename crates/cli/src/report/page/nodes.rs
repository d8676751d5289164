//! Hits and misses by partition and by node.

use super::Page;
use super::section::section;
use super::table::{Cell, Table, figures, words};
use super::text::{self, number};
use crate::events::count::Commands;
use crate::report::data::usage::{Node, Partition};
use maud::{Markup, html};

pub(super) fn partitions(page: &Page<'_>) -> Markup {
    section(page, ("partitions", "By partition"), &page.report.partitions, |partitions| {
        html! {
            @if partitions.is_empty() {
                p.empty { "No partition has a node in the logs." }
            } @else {
                (table_of_partitions(page, partitions))
            }
        }
    })
}

pub(super) fn nodes(page: &Page<'_>) -> Markup {
    section(page, ("nodes", "By node"), &page.report.nodes, |nodes| {
        html! {
            @if nodes.is_empty() {
                p.empty { "No node is in the logs." }
            } @else {
                (table_of_nodes(page, nodes))
            }
        }
    })
}

/// Hits, misses and the hit rate.
fn cells(hits: Commands, misses: Commands) -> [Cell; 3] {
    let (hits, misses) = (hits.total(), misses.total());
    let share = Cell::share(hits, hits.saturating_add(misses));
    [Cell::number(hits), Cell::number(misses), share]
}

fn table_of_partitions(page: &Page<'_>, partitions: &[Partition]) -> Markup {
    let columns = vec![
        words("Partition").ascending(),
        figures("Nodes in the logs"),
        figures("Hits"),
        figures("Misses"),
        figures("Hit rate"),
    ];
    let row = |partition: &Partition| {
        let nodes = html! {
            (number(partition.nodes_in_logs)) "\u{a0}of\u{a0}" (number(partition.nodes))
        };
        let mut row = vec![
            Cell::words(text::name(&partition.partition)),
            Cell::figure(nodes, partition.nodes_in_logs as f64),
        ];
        row.extend(cells(partition.hits, partition.misses));
        row
    };
    let caption = html! { "Partitions: the figures of all their nodes" };
    let rows = partitions.iter().map(row).collect();
    Table { id: "partitions-table", caption, columns, rows, left_out: 0, fixed: false }.render(page)
}

fn table_of_nodes(page: &Page<'_>, nodes: &[Node]) -> Markup {
    let columns = vec![
        words("Node").ascending(),
        words("Partitions"),
        figures("Hits"),
        figures("Misses"),
        figures("Hit rate"),
        figures("Last line"),
        figures("Log covers"),
    ];
    let caption = html! { "Nodes in the logs" };
    let rows = nodes.iter().map(|node| row(page, node)).collect();
    Table { id: "nodes-table", caption, columns, rows, left_out: 0, fixed: false }.render(page)
}

fn row(page: &Page<'_>, node: &Node) -> Vec<Cell> {
    let name = if node.node.is_empty() {
        html! { span.unknown { "without a name" } }
    } else {
        text::name(&node.node)
    };
    let partitions = node.partitions.iter().map(|name| text::printable(name)).collect::<Vec<_>>();
    let mut row = vec![Cell::words(name), Cell::words(text::name(&partitions.join(", ")))];
    row.extend(cells(node.hits, node.misses));
    row.push(node.last.map_or(Cell::unknown("none"), |time| Cell::time(time, &page.clock)));
    row.push(covered(page, node));
    row
}

/// The period that the node's log covers, sorted by its beginning.
fn covered(page: &Page<'_>, node: &Node) -> Cell {
    let (Some(from), Some(to)) = (node.covered_from, node.covered_to) else {
        return Cell::unknown("unknown");
    };
    let is_one_day = page.clock.date(from) == page.clock.date(to);
    let content = html! {
        (page.clock.iso_day(from))
        @if !is_one_day { " to " (page.clock.iso_day(to)) }
    };
    Cell::figure(content, from.as_second() as f64)
}
