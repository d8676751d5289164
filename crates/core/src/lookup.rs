//! The lookup: checks the candidates in the image roots in order, up to the first image.

mod by_digest;

use crate::image::State;
pub use crate::image::by_descriptor::SystemCalls;
pub use crate::image::cached::CachedCalls;
use crate::image::cached::{Cached, Entered};
use crate::image::visit::Visit;
use crate::image_uri::ImageUri;
use crate::layout::{Layout, Place};
use crate::reference::Reference;
use crate::settings::{Settings, Untrusted};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A file that may hold the image, and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The image root as in the site's settings, joined with the file name.
    pub path: PathBuf,
    /// The result of the probe.
    pub state: State,
}

/// An image root, and the places under it where the image may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched<'a> {
    /// The image root.
    pub root: &'a Path,
    /// The places, in lookup order.
    pub places: Vec<Place<'a>>,
}

/// The result of probing one image root: a candidate for each place in the order of the places, or
/// [`State::NoRoot`] or [`State::NoAnswer`] for the root as a whole.
pub type Answer = Result<Vec<Candidate>, State>;

/// Probes image roots one after the other and passes each answer to the callback immediately.
pub type Probe<'a> = &'a dyn Fn(&mut dyn FnMut(Answer));

/// Runs probes, either in the calling process or in a helper process with a timeout.
pub trait Prober {
    /// Runs `probe` and returns the answers that it passed to its callback.
    ///
    /// On a timeout, the prober appends [`State::NoAnswer`] for the root that did not answer. The
    /// search then calls the prober again for the remaining roots.
    fn run(&self, probe: Probe<'_>) -> Vec<Answer>;

    /// The calls with which a probe opens files relative to directories. Without them, a probe finds
    /// files by their paths, which costs a file server more requests.
    fn system_calls(&self) -> Option<SystemCalls> {
        None
    }

    /// The calls that answer from the kernel's caches. With them, the search first probes the roots
    /// for which the caches suffice, and runs the prober only for the others.
    fn cached_calls(&self) -> Option<CachedCalls> {
        None
    }
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

/// The image roots of a site that may have the image of a URI, in lookup order. A root that another
/// tool fills is omitted if that tool cannot have stored the image.
#[must_use]
pub fn roots<'a>(settings: &'a Settings, uri: &'a ImageUri) -> Vec<Searched<'a>> {
    let own = || uri.candidate_names().into_iter().map(Place::File).collect();
    let searched = |(root, layout): (&'a Path, Option<Layout>)| Searched {
        root,
        places: layout.map_or_else(own, |layout| layout.places(uri)),
    };
    settings.search_path().map(searched).filter(|one| !one.places.is_empty()).collect()
}

/// Looks up the first image in `roots`.
///
/// The result contains every candidate of every root in lookup order. The candidates after the
/// image are [`State::NotTried`]. A root that does not exist or does not answer is represented by a
/// single candidate with the path of the root.
#[must_use]
pub fn search(roots: &[Searched<'_>], untrusted: Untrusted, prober: &dyn Prober) -> Vec<Candidate> {
    let mut answers: Vec<Answer> = Vec::with_capacity(roots.len());
    if let Some(calls) = prober.cached_calls() {
        probe_cached(roots, untrusted, calls, &mut answers);
    }
    while let Some(rest) = roots.get(answers.len()..).filter(|rest| !rest.is_empty()) {
        if answers.last().is_some_and(has_image) {
            break;
        }
        let more = prober.run(&|report| probe(rest, untrusted, prober.system_calls(), report));
        let none = more.is_empty();
        answers.extend(more);
        if none || answers.iter().any(has_image) {
            break;
        }
    }
    let mut answers = answers.into_iter();
    let mut candidates = Vec::new();
    for root in roots {
        candidates.append(&mut root.candidates(answers.next()));
    }
    candidates
}

/// Probes the roots up to the first one with an image. Later roots are not accessed, because they
/// may hang.
fn probe(
    roots: &[Searched<'_>],
    untrusted: Untrusted,
    calls: Option<SystemCalls>,
    report: &mut dyn FnMut(Answer),
) {
    for root in roots {
        let answer = root.probe(untrusted, calls);
        let found = has_image(&answer);
        report(answer);
        if found {
            return;
        }
    }
}

/// Probes the roots up to the first one with an image, or up to the first one for which the kernel's
/// caches do not suffice.
fn probe_cached(
    roots: &[Searched<'_>],
    untrusted: Untrusted,
    calls: CachedCalls,
    answers: &mut Vec<Answer>,
) {
    for root in roots {
        let Some(answer) = root.probe_cached(untrusted, calls) else { return };
        let found = has_image(&answer);
        answers.push(answer);
        if found {
            return;
        }
    }
}

/// Whether the search ends with this answer.
#[must_use]
pub fn has_image(answer: &Answer) -> bool {
    answer.as_ref().is_ok_and(|all| all.iter().any(|one| one.state == State::Image))
}

impl Searched<'_> {
    /// The candidates of a root; `answer` is `None` if it was not probed.
    fn candidates(&self, answer: Option<Answer>) -> Vec<Candidate> {
        match answer {
            Some(Ok(candidates)) => candidates,
            Some(Err(state)) => vec![Candidate { path: self.root.to_owned(), state }],
            None => {
                self.places.iter().map(|place| self.candidate(place, State::NotTried)).collect()
            }
        }
    }

    fn candidate(&self, place: &Place<'_>, state: State) -> Candidate {
        Candidate { path: below(self.root, &place.name()), state }
    }

    fn probe(&self, untrusted: Untrusted, calls: Option<SystemCalls>) -> Answer {
        let mut root = Visit::new(self.root, untrusted, calls);
        if root.is_missing() {
            return Err(State::NoRoot);
        }
        let mut found = false;
        let mut check = |place: &Place<'_>| {
            let candidate = match (found, place) {
                (true, _) => self.candidate(place, State::NotTried),
                (false, Place::File(name)) => self.candidate(place, root.check(name, None)),
                (false, Place::Recorded(name, reference)) => {
                    let origin = |theirs: &Reference| is_same(reference, theirs);
                    self.candidate(place, root.check(name, Some(&origin)))
                }
                (false, Place::ByDigest(by)) => match by_digest::check(&mut root, by) {
                    (Some(name), state) => Candidate { path: root.join(&name), state },
                    (None, state) => self.candidate(place, state),
                },
            };
            found |= candidate.state == State::Image;
            candidate
        };
        Ok(self.places.iter().map(&mut check).collect())
    }

    /// Probes the root if the kernel's caches suffice, and otherwise returns `None`. Directories are
    /// not read and the origin of a file is not compared, so this covers only the site's own layout.
    fn probe_cached(&self, untrusted: Untrusted, calls: CachedCalls) -> Option<Answer> {
        let mut root = match Cached::enter(self.root, untrusted, calls)? {
            Entered::Root(root) => root,
            Entered::Missing => return Some(Err(State::NoRoot)),
        };
        let mut found = false;
        let mut check = |place: &Place<'_>| {
            let Place::File(name) = place else { return None };
            let state = if found { State::NotTried } else { root.check(name)? };
            found = found || state == State::Image;
            Some(self.candidate(place, state))
        };
        self.places.iter().map(&mut check).collect::<Option<_>>().map(Ok)
    }
}

/// The path of the file `name` below an image root. This does the same as [`Path::join`], which looks
/// for special cases and allocates the path twice: a lookup makes the paths of all candidates.
fn below(root: &Path, name: &str) -> PathBuf {
    let root = root.as_os_str();
    let separator = if root.as_encoded_bytes().ends_with(b"/") { "" } else { "/" };
    let mut path = OsString::with_capacity(root.len() + separator.len() + name.len());
    for part in [root, separator.as_ref(), name.as_ref()] {
        path.push(part);
    }
    path.into()
}

/// Whether a pull of `theirs` gave the image of `wanted`. A digest in `wanted` takes precedence
/// over its tag, as in every other lookup.
fn is_same(wanted: &Reference, theirs: &Reference) -> bool {
    let tags = || theirs.digest().is_none() && wanted.tag() == theirs.tag();
    is_same_repository(wanted, theirs)
        && wanted.digest().map_or_else(tags, |digest| theirs.digest() == Some(digest))
}

fn is_same_repository(one: &Reference, other: &Reference) -> bool {
    (one.registry(), one.repository()) == (other.registry(), other.repository())
}

#[cfg(test)]
mod tests;
