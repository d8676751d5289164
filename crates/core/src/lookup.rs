//! The lookup: checks the candidates in the image roots in order, up to the first image.

use crate::image::{Root, State};
use crate::settings::Untrusted;
use std::path::{Path, PathBuf};

/// A file that may hold the image, and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The image root as in the site's settings, joined with the file name.
    pub path: PathBuf,
    /// The result of the probe.
    pub state: State,
}

/// The result of probing one image root: a state for each name in the order of the names, or
/// [`State::NoRoot`] or [`State::NoAnswer`] for the root as a whole.
pub type Answer = Result<Vec<State>, State>;

/// Probes image roots one after the other and passes each answer to the callback immediately.
pub type Probe<'a> = &'a dyn Fn(&mut dyn FnMut(Answer));

/// Runs probes, either in the calling process or in a helper process with a timeout.
pub trait Prober {
    /// Runs `probe` and returns the answers that it passed to its callback.
    ///
    /// On a timeout, the prober appends [`State::NoAnswer`] for the root that did not answer. The
    /// search then calls the prober again for the remaining roots.
    fn run(&self, probe: Probe<'_>) -> Vec<Answer>;
}

/// Runs probes in the calling process without a timeout.
#[derive(Debug, Clone, Copy)]
pub struct Inline;

impl Prober for Inline {
    fn run(&self, probe: Probe<'_>) -> Vec<Answer> {
        let mut answers = Vec::new();
        probe(&mut |answer| answers.push(answer));
        answers
    }
}

/// Looks up the first image among `names` in `roots`.
///
/// The result contains every candidate of every root in lookup order. The candidates after the
/// image are [`State::NotTried`]. A root that does not exist or does not answer is represented by a
/// single candidate with the path of the root.
#[must_use]
pub fn search(
    roots: &[PathBuf],
    names: &[String],
    untrusted: Untrusted,
    prober: &dyn Prober,
) -> Vec<Candidate> {
    let mut answers: Vec<Answer> = Vec::with_capacity(roots.len());
    while let Some(rest) = roots.get(answers.len()..).filter(|rest| !rest.is_empty()) {
        let more = prober.run(&|report| probe(rest, names, untrusted, report));
        let found = more.iter().any(has_image);
        let none = more.is_empty();
        answers.extend(more);
        if found || none {
            break;
        }
    }
    let not_tried = Ok(vec![State::NotTried; names.len()]);
    answers.resize(roots.len(), not_tried);
    roots.iter().zip(answers).flat_map(|(root, answer)| candidates(root, names, answer)).collect()
}

/// Probes the roots up to the first one with an image. Later roots are not accessed, because they
/// may hang.
fn probe(
    roots: &[PathBuf],
    names: &[String],
    untrusted: Untrusted,
    report: &mut dyn FnMut(Answer),
) {
    for root in roots {
        let answer = probe_root(root, names, untrusted);
        let found = has_image(&answer);
        report(answer);
        if found {
            return;
        }
    }
}

/// Whether the search ends with this answer.
#[must_use]
pub fn has_image(answer: &Answer) -> bool {
    answer.as_ref().is_ok_and(|states| states.contains(&State::Image))
}

fn candidates(root: &Path, names: &[String], answer: Answer) -> Vec<Candidate> {
    let named = |(name, state)| Candidate { path: root.join::<&String>(name), state };
    match answer {
        Err(state) => vec![Candidate { path: root.to_owned(), state }],
        Ok(states) => names.iter().zip(states).map(named).collect(),
    }
}

fn probe_root(root: &Path, names: &[String], untrusted: Untrusted) -> Answer {
    let root = Root::enter(root, untrusted);
    if root.is_missing() {
        return Err(State::NoRoot);
    }
    let mut found = false;
    let mut check = |name: &String| {
        let state = if found { State::NotTried } else { root.check(name) };
        found |= state == State::Image;
        state
    };
    Ok(names.iter().map(&mut check).collect())
}

#[cfg(test)]
mod tests;
