//! When the kernel's caches suffice for a search, and when the prober has to run.

use super::super::{Answer, CachedCalls, Candidate, Inline, Probe, Prober, Searched, search};
use crate::image::State::{Absent, Image, NoRoot, NotSif, NotTried};
use crate::image::tests::{CACHED, TestRoot, mode, sif};
use crate::layout::Place;
use crate::lookup::SystemCalls;
use crate::settings::Untrusted::{self, Accept, Refuse};
use std::cell::Cell;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

thread_local! {
    /// The number of calls that the caches still answer.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The error of a call that would have to wait.
fn spend() -> io::Result<()> {
    let left = LEFT.get().checked_sub(1);
    left.map(|left| LEFT.set(left)).ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

const LIMITED: CachedCalls = CachedCalls {
    open: |path, flags| spend().and_then(|()| (CACHED.open)(path, flags)),
    relative: SystemCalls {
        open_at: |directory, name, flags| {
            spend().and_then(|()| (CACHED.relative.open_at)(directory, name, flags))
        },
        known_attributes: |file| spend().and_then(|()| (CACHED.relative.known_attributes)(file)),
    },
    local_attributes: |file| spend().and_then(|()| (CACHED.local_attributes)(file)),
    read_start: |file, buffer| spend().and_then(|()| (CACHED.read_start)(file, buffer)),
};

/// A prober that counts its runs.
struct Counted(CachedCalls, Cell<usize>);

impl Prober for Counted {
    fn run(&self, probe: Probe<'_>) -> Vec<Answer> {
        self.1.set(self.1.get() + 1);
        Inline.run(probe)
    }

    fn cached_calls(&self) -> Option<CachedCalls> {
        Some(self.0)
    }
}

/// The candidates, and how often the prober ran.
fn look(
    roots: &[Searched<'_>],
    untrusted: Untrusted,
    calls: CachedCalls,
) -> (Vec<Candidate>, usize) {
    let prober = Counted(calls, Cell::new(0));
    (search(roots, untrusted, &prober), prober.1.get())
}

fn searched<'a>(root: &'a Path, names: &[&str]) -> Searched<'a> {
    let places = names.iter().map(|name| Place::File((*name).to_owned())).collect();
    Searched { root, places }
}

/// How often the prober runs for one name in one root.
fn runs(root: &Path, untrusted: Untrusted, name: &str) -> usize {
    look(&[searched(root, &[name])], untrusted, CACHED).1
}

/// Whichever call would have to wait, the prober then decides, with the same result.
#[test]
fn any_call_may_have_to_wait() {
    let (Some(near), Some(far)) = (TestRoot::new(), TestRoot::new()) else { return };
    near.file("q.io/o/i:2", &sif());
    far.file("q.io/o/i:1", &sif());
    let gone = near.path().join("gone");
    let names = ["none/i:1", "q.io/o/i:1", "q.io/o/i:1.sif"];
    let roots = [&gone, near.path(), far.path(), Path::new("/")].map(|root| searched(root, &names));
    // Each directory above a root is opened, and its attributes are read.
    let above = 2 * [gone.parent(), near.path().parent(), far.path().parent()]
        .map(|parent| parent.unwrap().ancestors().count())
        .iter()
        .sum::<usize>();
    for (untrusted, calls) in [(Refuse, above + 20), (Accept, 18)] {
        let expected = search(&roots, untrusted, &Inline);
        let states: Vec<_> = expected.iter().map(|one| one.state.clone()).collect();
        let of_far = [Absent, Image, NotTried];
        let of_top = [NotTried, NotTried, NotTried];
        assert_eq!(states[0], NoRoot);
        assert_eq!(states[1..], [[Absent, Absent, Absent], of_far, of_top].concat());
        let all = (0..200).find(|left| {
            LEFT.set(*left);
            let (found, runs) = look(&roots, untrusted, LIMITED);
            assert_eq!(found, expected, "{untrusted:?}, {left} calls");
            assert!(runs <= 1, "{untrusted:?}, {left} calls");
            runs == 0
        });
        assert_eq!(all, Some(calls), "{untrusted:?}");
    }
}

#[test]
fn a_root_on_another_kind_of_file_system() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    let remote =
        CachedCalls { local_attributes: |_| Err(io::ErrorKind::Unsupported.into()), ..CACHED };
    let roots = [searched(root.path(), &["o/i:1"])];
    assert_eq!(look(&roots, Refuse, CACHED).1, 0);
    let (found, runs) = look(&roots, Refuse, remote);
    assert_eq!((found[0].state.clone(), runs), (Image, 1));
}

#[test]
fn a_file_whose_start_is_not_in_memory() {
    let Some(root) = TestRoot::new() else { return };
    root.file("o/i:1", &sif());
    root.file("o/other", b"no SIF");
    let cold = CachedCalls { read_start: |_, _| Err(io::ErrorKind::WouldBlock.into()), ..CACHED };
    for (name, state) in [("o/i:1", Image), ("o/other", NotSif)] {
        let (found, runs) = look(&[searched(root.path(), &[name])], Refuse, cold);
        assert_eq!((found[0].state.clone(), runs), (state, 1));
    }
}

/// A refusal has a reason, which the caches may not contain.
#[test]
fn everything_but_images_and_absent_names_is_left_to_the_prober() {
    let Some(root) = TestRoot::new() else { return };
    let file = root.file("o/i:1", &sif());
    root.file("o/empty", b"");
    root.file("o/short", &sif()[..100]);
    root.file("o/other", b"no SIF");
    fs::create_dir(root.path().join("o/directory")).unwrap();
    symlink("i:1", root.path().join("o/link")).unwrap();
    symlink(root.path(), root.path().join("root")).unwrap();
    for untrusted in [Refuse, Accept] {
        for name in ["o/empty", "o/short", "o/other", "o/directory", "o/link"] {
            assert_eq!(runs(root.path(), untrusted, name), 1, "{name} {untrusted:?}");
        }
        for name in ["o/i:1", "o/none", "none/i:1"] {
            assert_eq!(runs(root.path(), untrusted, name), 0, "{name} {untrusted:?}");
            assert_eq!(runs(&root.path().join("root"), untrusted, name), 1);
            assert_eq!(runs(&root.path().join("o/.."), untrusted, name), 1);
        }
    }
    let directory = file.parent().unwrap();
    for path in [directory, root.path()] {
        mode(path, 0o1777);
        assert_eq!(
            (runs(root.path(), Refuse, "o/i:1"), runs(root.path(), Accept, "o/i:1")),
            (1, 0)
        );
        mode(path, 0o755);
    }
    // A directory above the root in which users can create names, but not replace any.
    mode(root.path(), 0o1777);
    assert_eq!(runs(directory, Refuse, "i:1"), 0);
    mode(root.path(), 0o777);
    assert_eq!(runs(directory, Refuse, "i:1"), 1);
}
