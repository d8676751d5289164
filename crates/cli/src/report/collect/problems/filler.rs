//! Images that the filler did not add, and a filler that has ended.

use super::{at_most, note, problem};
use crate::report::collect::Facts;
use crate::report::collect::filler::{Filler, Known};
use crate::report::data::problem::Problem;
use crate::report::data::source::SourceId;
use crate::ui::format;

/// A running filler changes its beat at least every 10 seconds. The rest of the time is for clocks
/// that differ.
const ALIVE: i64 = 60;

/// The problems of the filler.
pub(super) fn problems(facts: &Facts<'_>) -> Vec<Problem> {
    let Some(filler) = &facts.filler else { return Vec::new() };
    let root = filler.root.to_string_lossy();
    let mut all: Vec<Problem> = Vec::new();
    if let Some(error) = &filler.error {
        let what = format!("the state of the filler cannot be read: {error}");
        all.push(note("filler-not-read", SourceId::Filler, &root, what));
    }
    for kind in ["failed", "refused-by-policy"] {
        let of_kind = filler.items.iter().filter(|(_, known)| known.reason.kind == kind);
        let queue = || facts.lines.of("queue", &[]);
        let row = |(name, known): &(&String, &Known)| row(facts, name, known);
        all.extend(at_most(facts, &of_kind.collect::<Vec<_>>(), &row, &queue));
    }
    all.extend(silent(facts, filler));
    all
}

fn row(facts: &Facts<'_>, name: &str, known: &Known) -> Problem {
    let users = match known.users {
        0 => String::new(),
        1 => " (1 user asked)".to_owned(),
        users => format!(" ({users} users asked)"),
    };
    let why = &known.reason.why;
    let problem = match known.reason.kind {
        "failed" => {
            let what = format!("the filler could not add it: {why}{users}");
            problem("fill-failed", SourceId::Filler, name, what)
        }
        _ => {
            let what = format!("the policy of the filler refuses it: {why}{users}");
            note("fill-refused", SourceId::Filler, name, what)
        }
    };
    problem.command(facts.lines.of("add", &[name.as_ref()]))
}

/// A filler that ran as a service, and does not run any more.
fn silent(facts: &Facts<'_>, filler: &Filler) -> Option<Problem> {
    let beat = filler.beat?;
    if facts.now.duration_since(beat).as_secs() <= ALIVE {
        return None;
    }
    let what = format!("no filler has run there since {}", format::minute(beat));
    let root = filler.root.to_string_lossy();
    let note = note("filler-silent", SourceId::Filler, &root, what);
    Some(note.command("systemctl status sifcache-fill.service"))
}
