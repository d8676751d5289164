//! Random layers, merged and compared with the [`model`](crate::model).

use crate::model::{Action, accepted};
use crate::support::{listing, merge_bytes};
use proptest::prelude::*;

/// Paths of few names, so that entries meet.
fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof![8 => "[abc]", 1 => Just("..".to_owned()), 1 => Just(".".to_owned())];
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"))
}

/// A path whose last component is a name.
fn named_path() -> impl Strategy<Value = String> {
    (prop::option::of(path()), "[abc]").prop_map(|(path, name)| match path {
        Some(path) => format!("{path}/{name}"),
        None => name,
    })
}

fn target() -> impl Strategy<Value = String> {
    (any::<bool>(), path())
        .prop_map(|(absolute, path)| format!("{}{path}", if absolute { "/" } else { "" }))
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => path().prop_map(Action::Directory),
        4 => path().prop_map(Action::File),
        3 => (path(), target()).prop_map(|(path, to)| Action::Symlink(path, to)),
        2 => (path(), path()).prop_map(|(path, to)| Action::HardLink(path, to)),
        2 => named_path().prop_map(Action::Whiteout),
        1 => path().prop_map(Action::Opaque),
    ]
}

fn layers() -> impl Strategy<Value = Vec<Vec<Action>>> {
    prop::collection::vec(prop::collection::vec(action(), 0..9), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_layers_give_the_tree_of_the_model(layers in layers()) {
        let (model, bytes, refused) = accepted(layers);
        let merged = merge_bytes(&bytes);
        let (merged, contents) = merged.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(listing::listing(&merged.tree, &contents), model.listing());
        if let Some(refused) = refused {
            prop_assert!(merge_bytes(&refused).is_err());
        }
    }
}
