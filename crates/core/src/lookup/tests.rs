use super::{Answer, Look, search, wait};
use crate::image::State;
use crate::image::tests::{TestRoot, sif};
use crate::settings::Untrusted;
use std::cell::Cell;
use std::path::Path;

fn states(roots: &[&TestRoot], names: &[&str]) -> Vec<State> {
    let roots: Vec<_> = roots.iter().map(|root| root.path().to_owned()).collect();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    search(&roots, &names, Untrusted::Refuse, &wait).into_iter().map(|c| c.state).collect()
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
    let found = search(&[root.path().to_owned()], &["a/b:1".to_owned()], Untrusted::Refuse, &wait);
    assert_eq!(found[0].path, root.path().join("a/b:1"));
}

#[test]
fn a_root_that_is_not_there_is_named_once() {
    let Some(far) = TestRoot::new() else { return };
    far.file("b", &sif());
    let gone = far.path().join("gone");
    let names = ["a".to_owned(), "b".to_owned()];
    for untrusted in [Untrusted::Refuse, Untrusted::Accept] {
        let found = search(&[gone.clone(), far.path().to_owned()], &names, untrusted, &wait);
        let states: Vec<_> = found.iter().map(|one| one.state.clone()).collect();
        assert_eq!(states, [State::NoRoot, State::Absent, State::Image], "{untrusted:?}");
        assert_eq!(found[0].path, gone);
        // Behind the image nobody looks, not even whether the root is there.
        let found = search(&[far.path().to_owned(), gone.clone()], &names, untrusted, &wait);
        assert_eq!(found[2].state, State::NotTried);
    }
}

/// Answers as a process does that is lost at the first root.
fn lost(asked: &Cell<usize>) -> impl Fn(Look<'_>) -> Vec<Answer> {
    |look| match asked.replace(asked.get() + 1) {
        0 => vec![Err(State::NoAnswer)],
        _ => wait(look),
    }
}

/// It stands for its candidates, and the next ones are asked all the same; behind the image
/// nobody asks.
#[test]
fn a_root_that_does_not_answer() {
    let (Some(near), Some(far)) = (TestRoot::new(), TestRoot::new()) else { return };
    far.file("b", &sif());
    let roots = ["/silent".into(), near.path().to_owned(), far.path().to_owned(), "/".into()];
    let names = ["a".to_owned(), "b".to_owned()];
    let asked = Cell::new(0);
    let found = search(&roots, &names, Untrusted::Refuse, &lost(&asked));
    let states: Vec<_> = found.iter().map(|one| one.state.clone()).collect();
    use State::{Absent, Image, NoAnswer, NotTried};
    let expected = [NoAnswer, Absent, Absent, Absent, Image, NotTried, NotTried];
    assert_eq!(states, expected);
    assert_eq!((found[0].path.as_path(), asked.get()), (Path::new("/silent"), 2));
}

/// Whoever asks and gets nothing at all does not ask for ever.
#[test]
fn no_answers() {
    let found = search(&["/a".into()], &["b".to_owned()], Untrusted::Refuse, &|_| Vec::new());
    assert_eq!(found[0].state, State::NotTried);
}
