//! The figures at the top of the page.

use super::Page;
use super::section::sources;
use super::text::{self, count, number};
use crate::report::data::problem::{Severity, total};
use crate::report::data::source::SourceId;
use crate::report::data::{Report, Section};
use maud::{Markup, html};

/// A figure, with what it counts.
struct Figure<'a> {
    label: &'static str,
    value: String,
    note: String,
    /// The section with the details.
    section: &'static str,
    class: Option<&'static str>,
    sources: &'a [SourceId],
}

/// The result in one sentence, and the figures.
pub(super) fn render(page: &Page<'_>) -> Markup {
    let report = page.report;
    let figures = [
        hit_rate(report),
        not_downloaded(report),
        cache(report),
        missing(report),
        unused(report),
        problems(report),
    ];
    html! {
        section.headline aria-labelledby="headline-heading" {
            h2.hidden id="headline-heading" { "In short" }
            p.lead { (lead(report)) }
            dl.figures {
                @for figure in figures { (tile(page, &figure)) }
            }
        }
    }
}

fn tile(page: &Page<'_>, figure: &Figure<'_>) -> Markup {
    html! {
        div class=[figure.class] {
            dt { a href=(figure.section) { (figure.label) } }
            dd.value { (figure.value) }
            dd.note { (figure.note) }
            dd.source { (sources(page, figure.sources)) }
        }
    }
}

/// A figure of a section, or the reason why there is none.
fn figure<'a, T>(
    (label, link): (&'static str, &'static str),
    section: &'a Section<T>,
    value: impl FnOnce(&T) -> (String, String),
) -> Figure<'a> {
    let (value, note) = match &section.missing {
        None => value(&section.data),
        Some(why) => ("unknown".to_owned(), text::sentence(why)),
    };
    let class = section.missing.as_ref().map(|_| "missing");
    Figure { label, value, note, section: link, class, sources: &section.sources }
}

fn lead(report: &Report) -> String {
    let totals = &report.totals.data;
    let (hits, misses) = (totals.hits.total(), totals.misses.total());
    let commands = hits.saturating_add(misses);
    if let Some(why) = &report.totals.missing {
        return format!("Nothing is known about the use of the cache. {}", text::sentence(why));
    }
    let Some(percent) = text::percent(hits, commands) else {
        return "No command asked for an image in this time.".to_owned();
    };
    format!(
        "{percent} of the {} that asked for a container image found it in the cache. That saved \
         downloads of at least {}.",
        count(commands, "command", "commands"),
        text::short_size(totals.saved_once_per_user),
    )
}

fn hit_rate(report: &Report) -> Figure<'_> {
    figure(("Found in the cache", "#days"), &report.totals, |totals| {
        let (hits, misses) = (totals.hits.total(), totals.misses.total());
        let all = hits.saturating_add(misses);
        let value = text::percent(hits, all).unwrap_or_else(|| "none".to_owned());
        (value, format!("{} of {}", number(hits), count(all, "command", "commands")))
    })
}

fn not_downloaded(report: &Report) -> Figure<'_> {
    figure(("Not downloaded, at least", "#saved"), &report.totals, |totals| {
        let most = format!("at most {}", text::short_size(totals.saved.bytes));
        (text::short_size(totals.saved_once_per_user), most)
    })
}

fn cache(report: &Report) -> Figure<'_> {
    figure(("In the cache", "#cache"), &report.cache, |cache| {
        if let Some(why) = cache.unread() {
            return ("unknown".to_owned(), text::sentence(why));
        }
        let filled = cache.roots.iter().filter(|root| root.layout.is_none()).count() as u64;
        let roots = count(filled, "image root", "image roots");
        let images = count(cache.images, "image", "images");
        (text::short_size(cache.bytes), format!("{images} in {roots}"))
    })
}

fn missing(report: &Report) -> Figure<'_> {
    figure(("Missing", "#misses"), &report.misses, |misses| {
        let added = format!("{} added since", number(misses.added_since));
        (count(misses.list.total, "image", "images"), added)
    })
}

fn unused(report: &Report) -> Figure<'_> {
    figure(("Unused", "#unused"), &report.unused, |unused| {
        let images = count(unused.images, "image", "images");
        (text::short_size(unused.bytes), format!("{images}, for {}", text::age(&unused.unused_for)))
    })
}

fn problems(report: &Report) -> Figure<'_> {
    let found = total(&report.problems.data, Severity::Problem);
    let mut figure = figure(("Problems", "#problems"), &report.problems, |_| {
        let notes = total(&report.problems.data, Severity::Note);
        (number(found), format!("and {}", count(notes, "note", "notes")))
    });
    if found > 0 {
        figure.class = Some("bad");
    }
    figure
}
