//! The findings as text and as JSON.

use super::finding::{Finding, Level};
use super::host::Host;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt::Write as _;

/// The label of a level, its style, and its name in the summary.
fn word(level: Level) -> (&'static str, Style, &'static str) {
    let colour = |colour: AnsiColor| colour.on_default();
    match level {
        Level::Ok => ("ok", colour(AnsiColor::Green), "ok"),
        Level::Skipped => ("skipped", Style::new().dimmed(), "skipped"),
        Level::Note => ("note", colour(AnsiColor::Cyan), "notes"),
        Level::Warn => ("warn", colour(AnsiColor::Yellow).bold(), "warnings"),
        Level::Fail => ("FAIL", colour(AnsiColor::Red).bold(), "failures"),
    }
}

/// The findings of an area, as text.
pub(crate) fn area(area: &str, findings: &[Finding]) -> String {
    let bold = Style::new().bold();
    let mut page = format!("{bold}{area}{bold:#}\n");
    for finding in findings {
        let (word, style, _) = word(finding.level);
        let _ = writeln!(page, "  {style}{word:<8}{style:#}{}", finding.message);
        if let Some(advice) = &finding.advice {
            let _ = writeln!(page, "          {advice}");
        }
    }
    page
}

/// The last line of the report.
pub(crate) fn summary(host: &Host, areas: &[(&str, Vec<Finding>)]) -> String {
    format!("\n{} {}: {}\n", name(), user(host), counts(areas))
}

/// The number of findings of each level.
fn counts(areas: &[(&str, Vec<Finding>)]) -> String {
    let all = [Level::Ok, Level::Note, Level::Warn, Level::Fail, Level::Skipped];
    let count = |level: Level| {
        let number = areas.iter().flat_map(|(_, f)| f).filter(|f| f.level == level).count();
        format!("{}: {number}", word(level).2)
    };
    all.map(count).join(", ")
}

fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn user(host: &Host) -> String {
    if host.is_root() { "as root".to_owned() } else { format!("as user {}", host.uid) }
}

/// The JSON object; its format is in docs/json.md.
#[derive(Serialize)]
pub(crate) struct Object<'a> {
    host: String,
    compute_node: bool,
    uid: u32,
    worst: Level,
    findings: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    area: &'a str,
    #[serde(flatten)]
    finding: &'a Finding,
}

pub(crate) fn object<'a>(host: &Host, areas: &'a [(&str, Vec<Finding>)]) -> Object<'a> {
    let lines = areas
        .iter()
        .flat_map(|(area, findings)| findings.iter().map(move |finding| Line { area, finding }));
    let findings: Vec<Line<'_>> = lines.collect();
    let worst = findings.iter().map(|line| line.finding.level).max().unwrap_or(Level::Ok);
    Object { host: name(), compute_node: host.is_compute_node(), uid: host.uid, worst, findings }
}
