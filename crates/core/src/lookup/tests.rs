use super::search;
use crate::image::State;
use crate::image::tests::{TestRoot, sif};
use crate::settings::Untrusted;

fn states(roots: &[&TestRoot], names: &[&str]) -> Vec<State> {
    let roots: Vec<_> = roots.iter().map(|root| root.path().to_owned()).collect();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    search(&roots, &names, Untrusted::Refuse).into_iter().map(|c| c.state).collect()
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
    let root = std::path::PathBuf::from("/nowhere/sif");
    let found = search(std::slice::from_ref(&root), &["a/b:1".to_owned()], Untrusted::Refuse);
    assert_eq!(found[0].path, root.join("a/b:1"));
}
