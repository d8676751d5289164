//! Builds layers from raw tar headers, merges them, and lists the result.

pub(crate) mod entry;
pub(crate) mod listing;
pub(crate) mod sink;

use entry::Entry;
use sifcache_layers::rules::Rules;
use sifcache_layers::{Error, Limits, Merged, Merger};
use sink::{Broken, Contents};

/// The time of directories without an entry.
pub(crate) const NOW: u32 = 4_000_000_000;

pub(crate) const ROOT: Rules = Rules::ROOT;
pub(crate) const USER: Rules = Rules::USER;

/// The bytes of a layer.
pub(crate) fn layer(entries: impl IntoIterator<Item = Entry>) -> Vec<u8> {
    let mut bytes = Vec::new();
    entries.into_iter().for_each(|entry| bytes.extend(entry.bytes()));
    bytes.extend([0; 1024]);
    bytes
}

/// Merges layers and checks that exactly the contents of files in the tree are in use.
pub(crate) fn merge_bytes(layers: &[Vec<u8>]) -> Result<(Merged, Contents), Error<Broken>> {
    let mut contents = Contents::default();
    let mut merger = Merger::new(Limits::default(), NOW);
    for layer in layers {
        merger.layer(layer.as_slice(), &mut contents)?;
    }
    let merged = merger.finish();
    contents.check(&merged.tree);
    Ok((merged, contents))
}

/// Merges layers and applies rules. The listing has one line for each file below the root.
pub(crate) fn merge_as<const N: usize>(rules: Rules, layers: [Vec<Entry>; N]) -> Vec<String> {
    try_merge_as(rules, layers).unwrap_or_else(|reason| panic!("{reason}"))
}

/// As [`merge_as`], with the reason of a refusal.
pub(crate) fn try_merge_as<const N: usize>(
    rules: Rules,
    layers: [Vec<Entry>; N],
) -> Result<Vec<String>, String> {
    let layers: Vec<Vec<u8>> = layers.into_iter().map(layer).collect();
    let (mut merged, mut contents) = merge_bytes(&layers).map_err(|error| format!("{error}"))?;
    rules.apply(&mut merged, &mut contents).map_err(|reason| reason.to_string())?;
    contents.check(&merged.tree);
    Ok(listing::listing(&merged.tree, &contents))
}

/// The names in the merged tree with type and content or target, for tests of names only.
pub(crate) fn names<const N: usize>(layers: [Vec<Entry>; N]) -> Vec<String> {
    let layers: Vec<Vec<u8>> = layers.into_iter().map(layer).collect();
    let (merged, contents) = merge_bytes(&layers).unwrap_or_else(|error| panic!("{error}"));
    listing::names(&merged.tree, &contents)
}

/// The error of merging these layers.
pub(crate) fn error<const N: usize>(layers: [Vec<Entry>; N]) -> Error<Broken> {
    let layers: Vec<Vec<u8>> = layers.into_iter().map(layer).collect();
    error_of_bytes(&layers)
}

/// The error of merging these layers.
pub(crate) fn error_of_bytes(layers: &[Vec<u8>]) -> Error<Broken> {
    match merge_bytes(layers) {
        Ok(_) => panic!("the layers were merged"),
        Err(error) => error,
    }
}

/// Checks that the layers are left to the runtime, with this text in the reason.
pub(crate) fn assert_unsupported<const N: usize>(layers: [Vec<Entry>; N], text: &str) {
    let error = error(layers);
    assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
    assert!(error.to_string().contains(text), "{error}");
}

/// Checks that the layers are invalid, with this text in the reason.
pub(crate) fn assert_invalid<const N: usize>(layers: [Vec<Entry>; N], text: &str) {
    let error = error(layers);
    assert!(matches!(error, Error::Invalid(_)), "{error:?}");
    assert!(error.to_string().contains(text), "{error}");
}
