//! Problems, with the command that fixes each.

use super::Page;
use super::section::{command, section, sources};
use super::text::{self, number};
use crate::report::data::problem::{Problem, Severity};
use maud::{Markup, html};

/// The most problems of a page.
const MOST: usize = 200;

pub(super) fn render(page: &Page<'_>) -> Markup {
    section(page, ("problems", "Problems, and what fixes them"), &page.report.problems, |all| {
        html! {
            @if all.is_empty() {
                p.empty { "No problem was found." }
            } @else {
                ul.problems { @for problem in all.iter().take(MOST) { (item(page, problem)) } }
            }
            @if all.len() > MOST {
                p.rest {
                    "The first " (number(MOST as u64)) " of " (number(all.len() as u64)) ". "
                    code { (text::printable(&page.json(None))) } " prints all of them."
                }
            }
        }
    })
}

fn item(page: &Page<'_>, problem: &Problem) -> Markup {
    let (class, word) = match problem.severity {
        Severity::Problem => ("bad", "Problem"),
        Severity::Note => ("minor", "Note"),
    };
    html! {
        li class=(class) {
            p.what {
                strong.badge { (word) } " "
                span.subject { (text::name(&problem.subject)) }
                @if problem.number() > 1 {
                    span.count { " and " (number(problem.number() - 1)) " more" }
                }
                ": " (text::name(&problem.what))
            }
            @if !problem.advice.is_empty() { p { "What to do: " (text::printable(&problem.advice)) } }
            (command(&problem.command))
            (sources(page, &[problem.source]))
        }
    }
}
