//! Findings about the files of the image roots, as `verify` has them.

use super::{at_most, note, problem};
use crate::cache::image_name;
use crate::inspect::finding::{self, Finding};
use crate::inspect::fix::Fix;
use crate::report::collect::Facts;
use crate::report::command_line;
use crate::report::data::cache::Cache;
use crate::report::data::problem::Problem;
use crate::report::data::source::SourceId;
use sifcache_core::image::State;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

/// The findings that say that something works as it should.
const NORMAL: [&str; 2] = [finding::KEPT, finding::IN_PROGRESS];

/// The kind of an image root that does not exist or cannot be read. `verify` also uses its word for
/// an absent root for files that it was told to check.
const ROOT_NOT_READ: &str = "root-not-read";

/// The findings about the content of an image, which a new copy replaces.
fn needs_new_copy(token: &str) -> bool {
    let states = [
        State::Empty,
        State::NotSif,
        State::BadTable,
        State::NoRootFileSystem,
        State::Truncated { size: 0, needed: 0 },
    ];
    token == finding::DAMAGED || states.iter().any(|state| state.token() == token)
}

/// The problems with files. Of each kind, at most `--top` are listed one by one.
pub(super) fn problems(facts: &Facts<'_>, cache: &Cache) -> Vec<Problem> {
    let mut by_kind: BTreeMap<(&str, bool), Vec<&Finding>> = BTreeMap::new();
    for finding in facts.findings.iter().filter(|finding| !NORMAL.contains(&finding.token)) {
        by_kind.entry((finding.token, finding.is_problem)).or_default().push(finding);
    }
    let mut all = Vec::new();
    for findings in by_kind.into_values() {
        let verify = || facts.lines.of("verify", &[]);
        all.extend(at_most(facts, &findings, &|finding| row(facts, finding), &verify));
    }
    // A root that cannot be read, if no finding says so.
    let is_new = |path: &str| !facts.findings.iter().any(|one| one.path == Path::new(path));
    for root in cache.roots.iter().filter(|root| is_new(&root.path)) {
        if let Some(error) = &root.error {
            let problem = problem(ROOT_NOT_READ, SourceId::Roots, &root.path, error.as_str());
            all.push(problem.command(facts.lines.of("doctor", &[])));
        }
    }
    all
}

fn row(facts: &Facts<'_>, finding: &Finding) -> Problem {
    let new = if finding.is_problem { problem } else { note };
    let subject = finding.path.to_string_lossy();
    let kind = if is_no_root(finding) { ROOT_NOT_READ } else { finding.token };
    new(kind, SourceId::Verify, &subject, finding.message())
        .advice(finding.advice.as_str())
        .command(command(facts, finding))
}

/// Whether there is no directory in the place of an image root.
fn is_no_root(finding: &Finding) -> bool {
    [finding::ABSENT, finding::NOT_A_DIRECTORY].contains(&finding.token)
}

/// The command that fixes it, or that shows more about it.
fn command(facts: &Facts<'_>, finding: &Finding) -> String {
    // A report is text, which cannot name such a file.
    if finding.path.to_str().is_none() {
        return facts.lines.of("verify", &[]);
    }
    if is_no_root(finding) {
        return facts.lines.of("doctor", &[]);
    }
    let path = finding.path.as_os_str();
    let verify = |options: &[&str]| {
        let words: Vec<&OsStr> = options.iter().map(OsStr::new).chain([path]).collect();
        facts.lines.of("verify", &words)
    };
    let is_inside = facts.holdings.roots.iter().any(|root| finding.path.starts_with(&root.path));
    match &finding.fix {
        Some(Fix::View(view, _)) => {
            return facts.lines.of("view", &[view.directory.as_os_str()]);
        }
        Some(Fix::Rename { .. }) => return verify(&["--fix", "--rename"]),
        Some(_) if is_inside => return verify(&["--fix"]),
        Some(_) => return facts.lines.of("verify", &["--fix".as_ref()]),
        None => {}
    }
    let reference = facts
        .holdings
        .roots
        .iter()
        .find_map(|root| finding.path.strip_prefix(&root.path).ok()?.to_str())
        .and_then(image_name::reference);
    match (reference, finding.advice.as_str()) {
        (Some(reference), _) if needs_new_copy(finding.token) => {
            facts.lines.of("add", &[image_name::short(&reference).as_ref()])
        }
        (_, "chown it to root") => command_line::plain(&["chown".as_ref(), "root".as_ref(), path]),
        (_, mode @ ("chmod g-w" | "chmod go-w")) => {
            let mode = mode.trim_start_matches("chmod ");
            command_line::plain(&["chmod".as_ref(), mode.as_ref(), path])
        }
        _ if is_inside => verify(&[]),
        _ => String::new(),
    }
}
