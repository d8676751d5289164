//! The parts that all sections have in common.

use super::{Page, text};
use crate::report::data::Section;
use crate::report::data::source::SourceId;
use maud::{Markup, html};

/// A section with its heading, its sources and its notes. If it has no figures, it shows the reason.
pub(super) fn section<T>(
    page: &Page<'_>,
    (id, heading): (&str, &str),
    section: &Section<T>,
    content: impl FnOnce(&T) -> Markup,
) -> Markup {
    let name = format!("{id}-heading");
    html! {
        section id=(id) aria-labelledby=(name) {
            h2 id=(name) { (heading) }
            @if let Some(why) = &section.missing {
                p.empty { "There are no figures here. " (text::sentence(why)) }
            } @else {
                (content(&section.data))
            }
            @if !section.notes.is_empty() {
                ul.notes { @for note in &section.notes { li { (text::sentence(note)) } } }
            }
            (sources(page, &section.sources))
        }
    }
}

/// Where figures come from, with links to the last section. A report does not list a source that
/// does not exist, such as a filler.
pub(super) fn sources(page: &Page<'_>, sources: &[SourceId]) -> Markup {
    let exists = |id: &SourceId| page.report.sources.iter().any(|source| source.id == *id);
    html! {
        p.sources {
            @if sources.len() == 1 { "Source: " } @else { "Sources: " }
            @for (number, source) in sources.iter().enumerate() {
                @if number > 0 { ", " }
                @if exists(source) {
                    a href=(format!("#{}", anchor(*source))) { (short_name(*source)) }
                } @else {
                    (short_name(*source))
                }
            }
        }
    }
}

/// The identifier of the source's row.
pub(super) fn anchor(source: SourceId) -> &'static str {
    match source {
        SourceId::Logs => "source-logs",
        SourceId::Roots => "source-roots",
        SourceId::FileSystems => "source-file-systems",
        SourceId::LastUsed => "source-last-used",
        SourceId::Verify => "source-verify",
        SourceId::Filler => "source-filler",
        SourceId::Slurm => "source-slurm",
    }
}

fn short_name(source: SourceId) -> &'static str {
    match source {
        SourceId::Logs => "logs",
        SourceId::Roots => "image roots",
        SourceId::FileSystems => "file systems",
        SourceId::LastUsed => "saved last uses",
        SourceId::Verify => "verify",
        SourceId::Filler => "filler",
        SourceId::Slurm => "Slurm",
    }
}

/// A command as a reader types it: one click selects it. Control characters are shown as escapes, and
/// the page then has no copy button for it.
pub(super) fn command(command: &str) -> Markup {
    let shown = text::printable(command);
    html! {
        @if shown != command {
            div.command.escaped { pre { code { (shown) } } }
            p.rest { "Characters that are not printable are shown as escapes: type them yourself." }
        } @else if !command.is_empty() {
            div.command { pre { code { (shown) } } }
        }
    }
}

/// A table that few readers need, below a line that opens it.
pub(super) fn details(summary: &str, content: Markup) -> Markup {
    html! { details { summary { (summary) } (content) } }
}
