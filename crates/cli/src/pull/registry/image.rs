//! The parts of an image that a native fill needs: its config and its layers.
//!
//! Only images that this command certainly reads as the runtimes do are accepted. For anything
//! else there is a [`Fallback`], so that the runtime pulls the image itself.

use super::Manifest;
use super::manifest::{ImageManifest, RawDescriptor};
use std::fmt;

/// The media types of configs: OCI's and docker's.
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// The media types of layers. The compression is recognized by the content and not by these types,
/// as the runtimes do it.
const LAYERS: [&str; 6] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// The media types of manifests of images. An OCI manifest may omit its type.
const MANIFESTS: [&str; 3] = [
    "",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The maximum size of a config in bytes. Real ones have a few KiB.
const MAX_CONFIG_SIZE: u64 = 4 << 20;

/// The maximum number of layers. Docker's own limit is 127.
const MAX_LAYERS: usize = 1000;

/// An image in a registry.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) manifest: Manifest,
    /// The config and the layers, or why the runtime has to pull the image.
    pub(crate) content: Result<Content, Fallback>,
}

/// The content of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) config: Descriptor,
    /// The layers, lowest first. The digests of their uncompressed content, which the config lists
    /// (`diff_ids`), are not used: Apptainer does not check them either.
    pub(crate) layers: Vec<Descriptor>,
}

/// A blob of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// `sha256:HEX`
    pub(crate) digest: String,
    /// The size in bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
}

/// Why only the runtime can pull an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fallback {
    /// The manifest has this schema version instead of 2.
    Schema(u64),
    /// An index of indexes.
    NestedIndex,
    /// An index for the architecture `arm`: the runtime selects the variant of its processor.
    ArmVariant,
    /// The manifest has this media type, which is not that of an image.
    ManifestType(String),
    /// An artifact of this type.
    Artifact(String),
    /// The config has this media type, which is not that of an image's config.
    ConfigType(String),
    /// The config has this size in bytes, which is too much.
    ConfigSize(u64),
    /// The image has this number of layers, which is none or too many.
    Layers(usize),
    /// A layer may be stored elsewhere than in the registry.
    ForeignLayer(String),
    /// A layer is encrypted.
    EncryptedLayer(String),
    /// A layer has this unknown media type.
    LayerType(String),
    /// A digest is not a valid SHA-256 digest.
    Digest(String),
    /// The blob with this digest has no valid size.
    Size(String),
}

/// Part of the output of `--verbose` and `--json`: a predicate of the image. Text from the registry
/// is quoted and cut.
impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(version) => write!(f, "its manifest has the schema version {version}"),
            Self::NestedIndex => f.write_str("it is an index of indexes"),
            Self::ManifestType(name) => {
                write!(f, "its manifest has the unknown media type {}", quoted(name))
            }
            Self::Artifact(name) => write!(f, "it is an artifact of the type {}", quoted(name)),
            Self::ConfigType(name) => {
                write!(f, "its config has the unknown media type {}", quoted(name))
            }
            Self::ConfigSize(size) => write!(f, "its config has {size} bytes"),
            Self::ArmVariant => {
                f.write_str("only the runtime knows this processor's variant of ARM")
            }
            Self::Layers(count) => write!(f, "it has {count} layers"),
            Self::ForeignLayer(digest) => {
                write!(f, "its layer {} may be stored outside of the registry", quoted(digest))
            }
            Self::EncryptedLayer(digest) => write!(f, "its layer {} is encrypted", quoted(digest)),
            Self::LayerType(name) => {
                write!(f, "it has a layer with the unknown media type {}", quoted(name))
            }
            Self::Digest(digest) => {
                write!(f, "{} is not a valid SHA-256 digest", quoted(digest))
            }
            Self::Size(digest) => write!(f, "its blob {} has no valid size", quoted(digest)),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("{:?}", text.chars().take(100).collect::<String>())
}

/// The config and the layers of an image.
///
/// # Errors
/// The runtime has to pull the image.
pub(super) fn content(raw: &ImageManifest) -> Result<Content, Fallback> {
    if !MANIFESTS.contains(&raw.media_type.as_str()) {
        return Err(Fallback::ManifestType(raw.media_type.clone()));
    }
    if let Some(name) = raw.artifact_type.as_ref().filter(|name| !name.is_empty()) {
        return Err(Fallback::Artifact(name.clone()));
    }
    if !CONFIGS.contains(&raw.config.media_type.as_str()) {
        return Err(Fallback::ConfigType(raw.config.media_type.clone()));
    }
    if raw.layers.is_empty() || raw.layers.len() > MAX_LAYERS {
        return Err(Fallback::Layers(raw.layers.len()));
    }
    let config = descriptor(&raw.config)?;
    if config.size > MAX_CONFIG_SIZE {
        return Err(Fallback::ConfigSize(config.size));
    }
    Ok(Content { config, layers: raw.layers.iter().map(layer).collect::<Result<_, _>>()? })
}

fn layer(raw: &RawDescriptor) -> Result<Descriptor, Fallback> {
    let name = raw.media_type.as_str();
    let elsewhere = ["nondistributable", "foreign"].iter().any(|part| name.contains(part));
    if elsewhere || raw.urls.as_ref().is_some_and(|urls| !urls.is_empty()) {
        return Err(Fallback::ForeignLayer(raw.digest.clone()));
    }
    if name.contains("encrypted") {
        return Err(Fallback::EncryptedLayer(raw.digest.clone()));
    }
    if !LAYERS.contains(&name) {
        return Err(Fallback::LayerType(name.to_owned()));
    }
    descriptor(raw)
}

fn descriptor(raw: &RawDescriptor) -> Result<Descriptor, Fallback> {
    if !is_sha256(&raw.digest) {
        return Err(Fallback::Digest(raw.digest.clone()));
    }
    let size = raw.size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
    let size = size.ok_or_else(|| Fallback::Size(raw.digest.clone()))?;
    Ok(Descriptor { digest: raw.digest.clone(), size, media_type: raw.media_type.clone() })
}

fn is_sha256(digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
