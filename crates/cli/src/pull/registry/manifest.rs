//! Parses what a registry returns for a reference: the manifest of an image, or an index.

use serde::Deserialize;

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
    /// The manifest of an image.
    Image(ImageManifest),
    /// A manifest of another schema version.
    OtherSchema(u64),
}

/// The manifest of an image, as it is: nothing in it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageManifest {
    /// Empty if it is missing.
    pub(super) media_type: String,
    pub(super) artifact_type: Option<String>,
    pub(super) config: RawDescriptor,
    /// The layers, lowest first.
    pub(super) layers: Vec<RawDescriptor>,
}

impl ImageManifest {
    /// The size of the compressed layers in bytes.
    pub(super) fn compressed(&self) -> u64 {
        let sizes = self.layers.iter().filter_map(|layer| u64::try_from(layer.size?).ok());
        sizes.fold(0, u64::saturating_add)
    }
}

/// A descriptor (OCI image specification, `descriptor.md`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RawDescriptor {
    pub(super) media_type: String,
    pub(super) digest: String,
    /// In bytes. Negative values are possible, because nothing has been checked.
    pub(super) size: Option<i64>,
    pub(super) urls: Option<Vec<String>>,
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
    #[serde(default)]
    media_type: String,
    artifact_type: Option<String>,
    manifests: Option<Vec<Entry>>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
}

/// Parses a manifest.
///
/// # Errors
/// The text is not a manifest or index.
pub(super) fn parse(text: &[u8]) -> Result<Document, String> {
    let raw: Raw = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    match (raw.schema_version, raw.manifests, raw.config, raw.layers) {
        (2, Some(manifests), ..) => Ok(Document::Index(manifests)),
        (2, None, Some(config), Some(layers)) => Ok(Document::Image(ImageManifest {
            media_type: raw.media_type,
            artifact_type: raw.artifact_type,
            config,
            layers,
        })),
        (2, ..) => Err("it has neither layers nor manifests".to_owned()),
        (version, ..) => Ok(Document::OtherSchema(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, parse};

    #[test]
    fn images_and_indexes_are_parsed() {
        let image = br#"{"schemaVersion": 2, "config": {}, "layers": [{"size": 3}, {"size": -1}]}"#;
        assert!(matches!(parse(image), Ok(Document::Image(image)) if image.compressed() == 3));
        let index = br#"{"schemaVersion": 2, "manifests": [{"digest": "d", "size": 1}]}"#;
        assert!(matches!(parse(index), Ok(Document::Index(entries)) if entries.len() == 1));
        assert_eq!(parse(br#"{"schemaVersion": 1}"#), Ok(Document::OtherSchema(1)));
        for text in ["", "[]", r#"{"schemaVersion": 2, "layers": []}"#] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
