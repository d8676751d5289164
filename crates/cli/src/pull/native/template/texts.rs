//! Corrects the texts of a template: it was built from a layout, but the image is pulled from a
//! registry.
//!
//! The source of an image is in the definition (`bootstrap: docker`, `from: alpine`), in the
//! labels, and in the metadata for `inspect`, which contains both. The reference in `from` is what
//! follows `docker://` in the URI of the pull, as written there. Apptainer 1.5 and later also write
//! labels with the full reference and its digest.
//!
//! Source: `addBuildLabels` and `insertDefinition` in `internal/pkg/build/metadata.go` of
//! Apptainer, and `NewDefinitionFromURI` in `pkg/build/types/definition.go`.

use super::Error;
use super::go_json::{self, Strings};
use serde::Deserialize;

/// The prefix of the labels that repeat the definition.
const DEFINITION: &str = "org.label-schema.usage.singularity.deffile.";
/// The labels of Apptainer 1.5 and later about the source.
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The first Apptainer release that writes these labels, as major and minor version.
const FIRST_WITH_BASE: (u32, u32) = (1, 5);

/// The source of an image, as a pull records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The reference as written after `docker://` in the pull's URI.
    pub(crate) reference: String,
    /// The reference with its registry, and with a tag or a digest: `docker.io/library/alpine:3`.
    pub(crate) full_reference: String,
    /// The digest that the reference points to: `sha256:...`.
    pub(crate) digest: String,
}

/// Replaces the source of a template by that of the image.
#[derive(Debug)]
pub(crate) struct Texts {
    layout: String,
    replacements: Vec<(String, String)>,
}

/// The part of the `inspect` metadata that holds the labels.
#[derive(Deserialize)]
struct Metadata {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    labels: Strings,
}

impl Texts {
    /// For a template that was built from `oci:LAYOUT`. `layout` must not occur in the image's
    /// config. `metadata` is the template's `inspect` metadata, and `version` is what the runtime
    /// prints as its version.
    ///
    /// # Errors
    /// The metadata differs from what the known runtimes write.
    pub(super) fn new(
        layout: &str,
        source: &Source,
        metadata: &[u8],
        version: &str,
    ) -> Result<Self, Error> {
        let parsed: Metadata =
            serde_json::from_slice(metadata).map_err(|_| Error::UnknownText("its metadata"))?;
        let before = parsed.data.attributes.labels;
        if count(metadata, go_json::compact(&before).as_bytes()) != 1 {
            return Err(Error::UnknownText("the labels in its metadata"));
        }
        let mut after = before.clone();
        replace_definition(&mut after, layout, source)?;
        if records_base(version) {
            after.insert(BASE_NAME.to_owned(), source.full_reference.clone());
            after.insert(BASE_DIGEST.to_owned(), source.digest.clone());
        }
        let old = definition("oci", layout);
        let new = definition("docker", &source.reference);
        let replacements = vec![
            (go_json::compact(&before), go_json::compact(&after)),
            (go_json::indented(&before), go_json::indented(&after)),
            (inner(&old), inner(&new)),
            (old, new),
        ];
        Ok(Self { layout: layout.to_owned(), replacements })
    }

    /// The text as a pull would have written it.
    ///
    /// # Errors
    /// The text mentions the layout in an unknown place.
    pub(crate) fn correct(&self, text: &[u8]) -> Result<Vec<u8>, Error> {
        let mut text = text.to_vec();
        for (old, new) in &self.replacements {
            text = replace(&text, old.as_bytes(), new.as_bytes());
        }
        match count(&text, self.layout.as_bytes()) {
            0 => Ok(text),
            _ => Err(Error::UnknownText("the source of the image")),
        }
    }
}

/// The two lines of a definition.
fn definition(bootstrap: &str, from: &str) -> String {
    format!("bootstrap: {bootstrap}\nfrom: {from}")
}

/// A string as it appears inside of a JSON literal.
fn inner(text: &str) -> String {
    let quoted = go_json::quoted(text);
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// Replaces the labels that repeat the definition.
fn replace_definition(labels: &mut Strings, layout: &str, source: &Source) -> Result<(), Error> {
    for (key, old, new) in [("bootstrap", "oci", "docker"), ("from", layout, &*source.reference)] {
        match labels.get_mut(&format!("{DEFINITION}{key}")) {
            Some(label) if label == old => new.clone_into(label),
            _ => return Err(Error::UnknownText("the labels about the definition")),
        }
    }
    Ok(())
}

/// Whether this runtime records the full reference and its digest.
fn records_base(version: &str) -> bool {
    let number = version.strip_prefix("apptainer version ").unwrap_or_default();
    let mut numbers = number.split('.').map(|number| number.parse().unwrap_or(0));
    let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    release >= FIRST_WITH_BASE
}

/// How often `part` occurs in `text`.
fn count(text: &[u8], part: &[u8]) -> usize {
    memchr::memmem::find_iter(text, part).count()
}

fn replace(text: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) =
        memchr::memmem::find(rest, old).and_then(|at| rest.split_at_checked(at))
    {
        replaced.extend_from_slice(before);
        replaced.extend_from_slice(new);
        rest = after.get(old.len()..).unwrap_or_default();
    }
    replaced.extend_from_slice(rest);
    replaced
}
