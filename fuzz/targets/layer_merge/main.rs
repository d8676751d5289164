//! Layers: merged, they give the tree of a model that works with paths as text. The rules of a
//! runtime then keep the contents that are still in use, and no others.
#![no_main]

mod actions;

// The model and the tools of the crate's own tests.
#[allow(unused, reason = "the tests use all of it")]
#[path = "../../../crates/layers/tests/layers/model.rs"]
#[rustfmt::skip]
mod model;
#[allow(unused, reason = "the tests use all of it")]
#[path = "../../../crates/layers/tests/layers/support/mod.rs"]
#[rustfmt::skip]
mod support;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use support::{ROOT, USER, listing, merge_bytes};

fuzz_target!(|bytes: &[u8]| {
    let Ok(layers) = actions::layers(&mut Unstructured::new(bytes)) else { return };
    let (model, layers, refused) = model::accepted(layers);
    let (merged, contents) = merge_bytes(&layers).expect("a tree");
    assert_eq!(listing::listing(&merged.tree, &contents), model.listing());
    for rules in [ROOT, USER] {
        let (mut merged, mut contents) = (merged.clone(), contents.clone());
        rules.apply(&mut merged, &mut contents).expect("rules for these files");
        contents.check(&merged.tree);
    }
    if let Some(refused) = refused {
        assert!(merge_bytes(&refused).is_err(), "the model refuses these layers");
    }
});
