//! Writes the image that the runtime converts into a template: an OCI image layout.
//!
//! ```text
//! layout/oci-layout
//! layout/index.json            the list of manifests, with one entry
//! layout/blobs/sha256/DIGEST   the manifest, the config and the layers
//! ```
//!
//! Source of the format: <https://github.com/opencontainers/image-spec>, `image-layout.md`.

use super::{Error, config};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Writes a layout into the new directory `layout`: the image with the config `image_config`,
/// whose layers are the archives `tars`.
///
/// # Errors
/// A file cannot be written, or the config cannot be adapted to the layers.
pub(super) fn write(layout: &Path, image_config: &[u8], tars: &[Vec<u8>]) -> Result<(), Error> {
    let diff_ids: Vec<String> = tars.iter().map(|tar| digest(tar)).collect();
    let config = config::with_layers(image_config, &diff_ids).ok_or(Error::UnclearConfig)?;
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let config = blob(&blobs, CONFIG, &config)?;
    let layers = tars.iter().map(|tar| blob(&blobs, LAYER, &compressed(tar)?));
    let layers = layers.collect::<io::Result<Vec<Value>>>()?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
    });
    let manifest = blob(&blobs, MANIFEST, manifest.to_string().as_bytes())?;
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(layout.join("index.json"), index.to_string())?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(())
}

/// Writes a blob, and returns its descriptor.
fn blob(blobs: &Path, media_type: &str, content: &[u8]) -> io::Result<Value> {
    let digest = digest(content);
    let name = digest.split_once(':').map_or("", |(_, hex)| hex);
    fs::write(blobs.join(name), content)?;
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": content.len() }))
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(content))
}

fn compressed(tar: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
    gzip.write_all(tar)?;
    gzip.finish()
}
