//! The look-up: candidates over the image roots, in order, until one is an image.

use crate::image::{Root, State};
use crate::settings::Untrusted;
use std::path::{Path, PathBuf};

/// A file that a reference may be stored as, and what it turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its path: the image root as the site wrote it, and the name.
    pub path: PathBuf,
    /// What is there.
    pub state: State,
}

/// What an image root has: a state for each name, or why it has none as a whole, which is
/// [`State::NoRoot`] or [`State::NoAnswer`].
pub type Answer = Result<Vec<State>, State>;

/// Looks into roots, one after the other, and tells what each has.
pub type Look<'a> = &'a dyn Fn(&mut dyn FnMut(Answer));

/// The way to the answers: calls what it is given, or has it called in a process that it
/// need not wait for. The last one is [`State::NoAnswer`] of a root that has not told.
pub type Ask<'a> = &'a dyn Fn(Look<'_>) -> Vec<Answer>;

/// Asks here, and waits for the answers however long it takes.
#[must_use]
pub fn wait(look: Look<'_>) -> Vec<Answer> {
    let mut answers = Vec::new();
    look(&mut |answer| answers.push(answer));
    answers
}

/// Every candidate of every root in the order of look-up; the first image ends the
/// search, and those after it are [`State::NotTried`]. A root that is not there, or does not
/// answer, stands for all its candidates.
#[must_use]
pub fn search(
    roots: &[PathBuf],
    names: &[String],
    untrusted: Untrusted,
    ask: Ask<'_>,
) -> Vec<Candidate> {
    let mut answers: Vec<Answer> = Vec::with_capacity(roots.len());
    while let Some(rest) = roots.get(answers.len()..).filter(|rest| !rest.is_empty()) {
        let more = ask(&|tell| look(rest, names, untrusted, tell));
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

/// Looks into roots up to the one with the image. One behind that must not be touched: it
/// may hang.
fn look(roots: &[PathBuf], names: &[String], untrusted: Untrusted, tell: &mut dyn FnMut(Answer)) {
    for root in roots {
        let answer = look_into(root, names, untrusted);
        let found = has_image(&answer);
        tell(answer);
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

/// Looks into one root.
fn look_into(root: &Path, names: &[String], untrusted: Untrusted) -> Answer {
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
