//! What a user reads about a miss.

use crate::choice::Choice;
use crate::decision::Decision;
use crate::settings::{OnMiss, Settings};
use crate::tags::{self, Tags};

/// In front of every line, so that a user knows who speaks.
const NAME: &str = "sifcache: ";

/// The whole message about a miss, several lines, each ended by a line feed.
///
/// It says what is missing, where was looked, what was refused, which tags are
/// there, and how to go on. Reads the image roots.
#[must_use]
pub fn miss(decision: &Decision, settings: &Settings, choice: Choice, on_miss: OnMiss) -> String {
    let Some(reference) = &decision.reference else { return String::new() };
    let mut lines = vec![
        format!("{reference} is not in the image cache of this cluster"),
        format!("searched: {}", roots(settings)),
    ];
    for candidate in decision.refused() {
        lines.push(format!("refused: {} is {}", candidate.path.display(), candidate.state));
    }
    lines.push(available(&reference.short_repository(), &tags::similar(reference, settings)));
    lines.push(next_step(choice, on_miss).to_owned());
    lines.iter().flat_map(|line| [NAME, line, "\n"]).collect()
}

/// The same in one line, for the other nodes of a step.
#[must_use]
pub fn short_miss(decision: &Decision, settings: &Settings, node: &str) -> String {
    let Some(reference) = &decision.reference else { return String::new() };
    let roots = roots(settings);
    format!("{NAME}{node}: {reference} is not in the image cache of this node ({roots})\n")
}

fn roots(settings: &Settings) -> String {
    let roots: Vec<String> = settings.image_roots.iter().map(|r| r.display().to_string()).collect();
    roots.join(", ")
}

fn available(repository: &str, tags: &Tags) -> String {
    match (tags.shown.join(", "), tags.more) {
        (shown, _) if shown.is_empty() => format!("no other tag of {repository} is there"),
        (shown, 0) => format!("tags of {repository} that are there: {shown}"),
        (shown, more) => format!("tags of {repository} that are there: {shown} and {more} more"),
    }
}

fn next_step(choice: Choice, on_miss: OnMiss) -> &'static str {
    match (on_miss, choice) {
        (OnMiss::Fail, Choice::Require) => {
            "the task ends here because of --sif-cache=require (or SIF_CACHE=require); use a tag that \
             is there, ask the admins to add this image, or let the runtime pull it with --sif-cache=off"
        }
        (OnMiss::Fail, _) => {
            "the task ends here, as this site has set it; use a tag that is there, ask the admins to \
             add this image, or let the runtime pull it with --sif-cache=off"
        }
        _ => {
            "the runtime pulls it from its registry now; ask the admins to add this image, \
             or use a tag that is there"
        }
    }
}
