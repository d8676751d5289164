//! A report in a few lines of text.

use super::data::cache::Unused;
use super::data::problem::{Problem, Severity, total};
use super::data::usage::Saved;
use super::data::{Report, Section};
use crate::events::count::Commands;
use crate::ui::escape::escape_for_terminal;
use crate::ui::format;
use std::fmt::Display;

/// The maximum number of problems that are listed.
const PROBLEMS: usize = 5;

/// The summary.
pub(crate) fn summary(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |what: &str, said: String| text.push_str(&format!("{what:9} {said}\n"));
    line("period:", period(report));
    line(
        "cache:",
        said(&report.cache, &|cache| match cache.unread() {
            Some(why) => format!("unknown: {}", escape_for_terminal(why.as_ref())),
            None => format!("{}, {}", images(cache.images), format::size(cache.bytes)),
        }),
    );
    line(
        "hits:",
        said(&report.totals, &|totals| {
            let percent =
                totals.hit_percent.map_or(String::new(), |part| format!(", {part} % of all"));
            format!("{}{percent}", commands(totals.hits))
        }),
    );
    line(
        "misses:",
        said(&report.misses, &|misses| {
            let missing = format::count(misses.list.total, "reference is", "references are");
            let added = format::count(misses.added_since, "was", "were");
            let commands = commands(report.totals.data.misses);
            format!("{commands}; {missing} missing, {added} added since")
        }),
    );
    line("saved:", said(&report.totals, &|totals| saved(totals.saved, totals.saved_once_per_user)));
    line("unused:", said(&report.unused, &|unused| unused_images(report, unused)));
    text.push_str(&problems(report));
    text
}

fn unused_images(report: &Report, unused: &Unused) -> String {
    let age = escape_for_terminal(unused.unused_for.as_ref());
    let which = match report.cache.data.is_partial() {
        true => ", in the image roots that could be read",
        false => "",
    };
    format!("{}, {}, for {age}{which}", images(unused.images), format::size(unused.bytes))
}

fn images<N: Display + PartialEq + From<u8>>(number: N) -> String {
    format::count(number, "image", "images")
}

/// The figures of a section, or why there are none.
fn said<T>(section: &Section<T>, figures: &dyn Fn(&T) -> String) -> String {
    match &section.missing {
        Some(why) => format!("unknown: {}", escape_for_terminal(why.as_ref())),
        None => figures(&section.data),
    }
}

fn period(report: &Report) -> String {
    let logs = report.sources.iter().find_map(|source| Some((source.from?, source.to?)));
    let Some((from, to)) = logs else { return "unknown: there is no log".to_owned() };
    let from = report.since.map_or(from, |since| since.max(from));
    let to = report.until.map_or(to, |until| until.min(to));
    match from <= to {
        true => format!("{} to {}", format::minute(from), format::minute(to)),
        false => "the logs have no line in this time".to_owned(),
    }
}

fn commands(commands: Commands) -> String {
    let Commands { launches, pulls, builds } = commands;
    [(launches, "launch", "launches"), (pulls, "pull", "pulls"), (builds, "build", "builds")]
        .map(|(number, one, many)| format::count(number, one, many))
        .join(", ")
}

fn saved(saved: Saved, once_per_user: u64) -> String {
    let unknown = match saved.unknown {
        0 => String::new(),
        unknown => {
            let hits = format::count(unknown, "hit", "hits");
            format!("; {hits} of images with an unknown size")
        }
    };
    let (least, most) = (format::size(once_per_user), format::size(saved.bytes));
    format!("{least} (once per user) to {most} (each hit) not downloaded{unknown}")
}

fn problems(report: &Report) -> String {
    let all = &report.problems.data;
    let bad = total(all, Severity::Problem);
    let mut text = format!("problems: {bad}, and notes: {}\n", total(all, Severity::Note));
    let is_bad = |problem: &&Problem| problem.severity == Severity::Problem;
    let mut shown = 0;
    for problem in all.iter().filter(is_bad).take(PROBLEMS) {
        shown += problem.number();
        let (subject, what) = (subject(problem), &problem.what);
        let [subject, what, fix] =
            [&subject, what, fix(problem)].map(|text| escape_for_terminal(text.as_ref()));
        let said = [subject, what, fix].into_iter().filter(|text| !text.is_empty());
        text.push_str(&format!("  {}\n", said.collect::<Vec<_>>().join(": ")));
    }
    match bad.saturating_sub(shown) {
        0 => {}
        more => text.push_str(&format!("  and {more} more (--html, --json)\n")),
    }
    text
}

fn subject(problem: &Problem) -> String {
    match problem.number() {
        1 => problem.subject.clone(),
        number => format!("{} and {} more", problem.subject, number.saturating_sub(1)),
    }
}

fn fix(problem: &Problem) -> &String {
    if problem.command.is_empty() { &problem.advice } else { &problem.command }
}

#[cfg(test)]
mod tests {
    use super::summary;
    use crate::report::data::example::{self, HOSTILE};

    #[test]
    fn the_summary_has_the_main_figures() {
        let text = summary(&example::report());
        for part in [
            "cache:    120 images, 480.00 GiB",
            "hits:     120345 launches, 321 pulls, 12 builds, 98.9 % of all",
            "misses:   1234 launches, 45 pulls, 0 builds; 9 references are missing, 5 were added",
            "17 hits of images with an unknown size",
            "unused:   15 images, 180.00 GiB, for 60d, in the image roots that could be read",
            "problems: 3, and notes: 2",
            "  /shared/sif: is 95 % full: sifcache gc --fill-level 90%:80% --dry-run",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains(HOSTILE), "{text}");
    }

    #[test]
    fn unknown_figures_are_not_shown_as_zero() {
        let mut report = example::empty();
        report.sources.clear();
        let text = summary(&report);
        assert!(text.starts_with("period:   unknown: there is no log\n"), "{text}");
        assert!(text.contains("hits:     unknown: there is no log <here>\n"), "{text}");
        assert!(!text.contains(" 0 launches") && text.contains("problems: 0"), "{text}");
    }
}
