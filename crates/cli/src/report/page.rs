//! The page of a report: one HTML file that needs no other file and no network.
//!
//! It is complete without JavaScript, which only sorts and filters tables, copies commands and
//! switches the theme. All texts from logs, file names and other programs go through `text`, and
//! maud escapes them.

mod cache;
mod chart;
mod days;
mod frame;
mod headline;
mod images;
mod misses;
mod nodes;
mod problems;
mod saved;
mod section;
mod sources;
mod table;
mod text;
mod unused;

use super::data::Report;
use maud::html;
use std::ffi::{OsStr, OsString};
use text::Clock;

/// What all sections need.
struct Page<'a> {
    report: &'a Report,
    clock: Clock,
}

impl Page<'_> {
    /// The command line that prints the data of this page, with `--top` if it is given.
    fn json(&self, top: Option<u64>) -> String {
        let report = self.report;
        let mut words: Vec<OsString> = Vec::new();
        for (option, time) in [("--since", report.since), ("--until", report.until)] {
            if let Some(time) = time {
                words.extend([option.into(), time.to_string().into()]);
            }
        }
        words.push("--json".into());
        if let Some(top) = top {
            words.extend(["--top".into(), top.to_string().into()]);
        }
        let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
        report.lines.with_logs("report", &words)
    }
}

/// The report as one HTML file.
pub(crate) fn render(report: &Report) -> String {
    let page = Page { report, clock: Clock::new(&report.time_zone) };
    let content = html! {
        (headline::render(&page))
        (days::render(&page))
        (saved::render(&page))
        (cache::render(&page))
        (images::render(&page))
        (misses::render(&page))
        (unused::render(&page))
        (problems::render(&page))
        (nodes::partitions(&page))
        (nodes::nodes(&page))
        (sources::render(&page))
    };
    frame::document(&page, &content).into_string()
}

#[cfg(test)]
mod tests;
