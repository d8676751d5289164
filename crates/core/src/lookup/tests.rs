mod cached;
mod foreign;

use super::{Answer, CachedCalls, Candidate, Inline, Probe, Prober, Searched, SystemCalls};
use crate::image::State;
use crate::image::tests::{CACHED, CALLS, TestRoot, sif};
use crate::layout::Place;
use crate::settings::Untrusted;
use std::cell::Cell;
use std::path::{Path, PathBuf};

fn search(
    roots: &[PathBuf],
    names: &[String],
    untrusted: Untrusted,
    prober: &dyn Prober,
) -> Vec<Candidate> {
    let places = || names.iter().cloned().map(Place::File).collect();
    let roots: Vec<_> = roots.iter().map(|root| Searched { root, places: places() }).collect();
    let found = super::search(&roots, untrusted, prober);
    assert_ways_agree(&roots, untrusted);
    found
}

/// Asserts that the ways to the candidates have the same result.
fn assert_ways_agree(roots: &[Searched<'_>], untrusted: Untrusted) {
    let by_path = super::search(roots, untrusted, &Inline);
    assert_eq!(super::search(roots, untrusted, &Relative), by_path);
    assert_eq!(super::search(roots, untrusted, &Cached), by_path);
}

/// A prober that opens files relative to directories.
struct Relative;

/// A prober for roots that are cached.
struct Cached;

impl Prober for Cached {
    fn run(&self, probe: Probe<'_>) -> Vec<Answer> {
        Inline.run(probe)
    }

    fn cached_calls(&self) -> Option<CachedCalls> {
        Some(CACHED)
    }
}

impl Prober for Relative {
    fn run(&self, probe: Probe<'_>) -> Vec<Answer> {
        Inline.run(probe)
    }

    fn system_calls(&self) -> Option<SystemCalls> {
        Some(CALLS)
    }
}

fn states(roots: &[&TestRoot], names: &[&str]) -> Vec<State> {
    let roots: Vec<_> = roots.iter().map(|root| root.path().to_owned()).collect();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    search(&roots, &names, Untrusted::Refuse, &Inline).into_iter().map(|c| c.state).collect()
}

#[test]
fn names_in_order_then_roots_in_order() {
    let (Some(near), Some(far)) = (TestRoot::new(), TestRoot::new()) else { return };
    far.file("a", &sif());
    far.file("b", &sif());
    use State::{Absent, Image, NotTried};
    assert_eq!(states(&[&near, &far], &["a", "b"]), [Absent, Absent, Image, NotTried]);
    near.file("b", &sif());
    assert_eq!(states(&[&near, &far], &["a", "b"]), [Absent, Image, NotTried, NotTried]);
    near.file("a", b"");
    assert_eq!(states(&[&near, &far], &["a", "b"]), [State::Empty, Image, NotTried, NotTried]);
    assert_eq!(states(&[&near, &far], &["c"]), [Absent, Absent]);
    assert!(states(&[], &["c"]).is_empty());
}

#[test]
fn paths_are_the_roots_as_written() {
    let Some(root) = TestRoot::new() else { return };
    let found =
        search(&[root.path().to_owned()], &["a/b:1".to_owned()], Untrusted::Refuse, &Inline);
    assert_eq!(found[0].path, root.path().join("a/b:1"));
}

#[test]
fn a_missing_root_is_a_single_candidate() {
    let Some(far) = TestRoot::new() else { return };
    far.file("b", &sif());
    let gone = far.path().join("gone");
    let names = ["a".to_owned(), "b".to_owned()];
    for untrusted in [Untrusted::Refuse, Untrusted::Accept] {
        let found = search(&[gone.clone(), far.path().to_owned()], &names, untrusted, &Inline);
        let states: Vec<_> = found.iter().map(|one| one.state.clone()).collect();
        assert_eq!(states, [State::NoRoot, State::Absent, State::Image], "{untrusted:?}");
        assert_eq!(found[0].path, gone);
        // Roots after the image are not probed.
        let found = search(&[far.path().to_owned(), gone.clone()], &names, untrusted, &Inline);
        assert_eq!(found[2].state, State::NotTried);
    }
}

/// A prober whose first run times out. It counts the runs.
struct FirstTimesOut(Cell<usize>);

impl Prober for FirstTimesOut {
    fn run(&self, probe: Probe<'_>) -> Vec<Answer> {
        match self.0.replace(self.0.get() + 1) {
            0 => vec![Err(State::NoAnswer)],
            _ => Inline.run(probe),
        }
    }
}

/// A root that times out is a single candidate. The roots after it are still probed, up to the
/// image.
#[test]
fn the_search_continues_after_a_root_that_times_out() {
    let (Some(near), Some(far)) = (TestRoot::new(), TestRoot::new()) else { return };
    far.file("b", &sif());
    let roots = ["/silent".into(), near.path().to_owned(), far.path().to_owned(), "/".into()];
    let names = ["a".to_owned(), "b".to_owned()];
    let prober = FirstTimesOut(Cell::new(0));
    let found = search(&roots, &names, Untrusted::Refuse, &prober);
    let states: Vec<_> = found.iter().map(|one| one.state.clone()).collect();
    use State::{Absent, Image, NoAnswer, NotTried};
    let expected = [NoAnswer, Absent, Absent, Absent, Image, NotTried, NotTried];
    assert_eq!(states, expected);
    assert_eq!((found[0].path.as_path(), prober.0.get()), (Path::new("/silent"), 2));
}

/// The search ends if a prober returns no answers.
#[test]
fn the_search_ends_without_answers() {
    struct Silent;
    impl Prober for Silent {
        fn run(&self, _: Probe<'_>) -> Vec<Answer> {
            Vec::new()
        }
    }
    let found = search(&["/a".into()], &["b".to_owned()], Untrusted::Refuse, &Silent);
    assert_eq!(found[0].state, State::NotTried);
}

#[test]
fn the_path_of_a_candidate_is_that_of_a_join() {
    for root in ["/", "/sif", "/sif/", "/a b/c"] {
        for name in ["o/i:1", "_https/h.io/i.sif"] {
            let joined = Path::new(root).join(name);
            assert_eq!(super::below(Path::new(root), name).as_os_str(), joined.as_os_str());
        }
    }
}
