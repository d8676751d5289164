//! The parts of the page around the sections.

use super::{Page, text};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// No icon: a browser that opens the page from a server would ask that server for one.
const ICON: &str = "data:,";

/// The sections, in their order.
pub(super) const SECTIONS: [(&str, &str); 10] = [
    ("days", "Hits and misses"),
    ("saved", "Launches and bytes saved"),
    ("cache", "The cache"),
    ("images", "Most used images"),
    ("misses", "Missing images"),
    ("unused", "Unused images"),
    ("problems", "Problems"),
    ("partitions", "By partition"),
    ("nodes", "By node"),
    ("sources", "Sources"),
];

pub(super) fn document(page: &Page<'_>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { "Image cache report: " (text::printable(&page.report.host)) }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                (header(page))
                div.columns {
                    (navigation())
                    main id="main" tabindex="-1" { (content) }
                }
                (footer(page))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// The content security policy: nothing may be loaded, and only the page's own style and script take
/// effect. So even a name that was not escaped could not run a script.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// The hash of a style or a script for the policy.
fn hash(content: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}

fn header(page: &Page<'_>) -> Markup {
    let report = page.report;
    html! {
        header.page {
            div {
                h1 { "Image cache report" }
                p {
                    (text::name(&report.host)) ", "
                    @if let Some(since) = report.since { (page.clock.day(since)) " to " }
                    (page.clock.day(report.until.unwrap_or(report.created)))
                }
            }
            button.theme type="button" hidden aria-pressed="false" { "Dark theme" }
        }
    }
}

fn navigation() -> Markup {
    html! {
        nav aria-label="Sections" {
            ul { @for (id, name) in SECTIONS { li { a href=(format!("#{id}")) { (name) } } } }
        }
    }
}

fn footer(page: &Page<'_>) -> Markup {
    html! {
        footer.page {
            p {
                "Made by sifcache " (page.report.release) " on " (text::name(&page.report.host))
                " at " (page.clock.minute(page.report.created)) "."
            }
        }
    }
}
