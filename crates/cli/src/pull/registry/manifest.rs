//! Parses what a registry returns for a reference: the manifest of an image, or an index.

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The media types that Apptainer also requests.
pub(super) const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The parts of a manifest that this command uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    /// An index with one manifest for each platform.
    Index(Vec<Entry>),
    /// The manifest of an image, with the size of its compressed layers in bytes.
    Image { compressed: u64 },
}

/// The entry of a manifest in an index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    pub(super) digest: String,
    pub(super) platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) architecture: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u64,
    manifests: Option<Vec<Entry>>,
    config: Option<IgnoredAny>,
    layers: Option<Vec<Layer>>,
}

#[derive(Deserialize)]
struct Layer {
    size: i64,
}

/// Parses a manifest.
///
/// # Errors
/// If the text is not a manifest or index with schema version 2.
pub(super) fn parse(text: &[u8]) -> Result<Document, String> {
    let raw: Raw = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    match (raw.schema_version, raw.manifests, raw.config, raw.layers) {
        (2, Some(manifests), ..) => Ok(Document::Index(manifests)),
        (2, None, Some(_), Some(layers)) => {
            let sizes = layers.iter().filter_map(|layer| u64::try_from(layer.size).ok());
            Ok(Document::Image { compressed: sizes.fold(0, u64::saturating_add) })
        }
        (2, ..) => Err("it has neither layers nor manifests".to_owned()),
        (version, ..) => Err(format!("its schemaVersion is {version} and not 2")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, parse};

    #[test]
    fn images_and_indexes_are_parsed() {
        let image = br#"{"schemaVersion": 2, "config": {}, "layers": [{"size": 3}, {"size": -1}]}"#;
        assert_eq!(parse(image), Ok(Document::Image { compressed: 3 }));
        let index = br#"{"schemaVersion": 2, "manifests": [{"digest": "d", "size": 1}]}"#;
        assert!(matches!(parse(index), Ok(Document::Index(entries)) if entries.len() == 1));
        for text in ["", "[]", r#"{"schemaVersion": 1}"#, r#"{"schemaVersion": 2, "layers": []}"#] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
