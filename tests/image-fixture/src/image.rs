//! An OCI image as blobs, and the directory that holds them.
//!
//! ```text
//! DIR/oci-layout
//! DIR/index.json          a descriptor of what a tag names: a manifest, or an index of manifests
//! DIR/blobs/sha256/HEX    layers, configurations, manifests, indexes
//! ```
//!
//! Source: the OCI image format specification, "Image Layout".

use crate::archive::{self, Entry};
use crate::compression::Compression;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// The media types of manifests, indexes and configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Those of OCI.
    #[default]
    Oci,
    /// Those of Docker: image manifest version 2, schema 2.
    Docker,
}

impl Dialect {
    fn manifest(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn index(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.index.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }
}

/// A layer: its entries, and how it is stored.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The entries of the archive.
    pub entries: Vec<Entry>,
    /// How the archive is stored.
    pub compression: Compression,
    /// The media type, which may differ from the usual one.
    pub media_type: String,
}

impl Layer {
    /// A layer that is stored as the compression says.
    #[must_use]
    pub fn new(entries: Vec<Entry>, compression: Compression) -> Self {
        Self { entries, compression, media_type: compression.media_type().to_owned() }
    }

    /// The archive. That of eStargz has a table of contents, which is empty here.
    #[must_use]
    pub fn archive(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let table = br#"{"version":1,"entries":[]}"#;
        let table = Entry::file("stargz.index.json", table.as_slice());
        let table = (self.compression == Compression::Stargz).then_some(&table);
        for entry in self.entries.iter().chain(table) {
            entry.write(&mut bytes);
        }
        archive::end(&mut bytes);
        bytes
    }
}

/// The blobs of images that belong together.
#[derive(Debug, Clone, Default)]
pub struct Blobs {
    blobs: BTreeMap<String, Vec<u8>>,
    dialect: Dialect,
}

impl Blobs {
    /// No blobs. Manifests have the media types of this dialect.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { blobs: BTreeMap::new(), dialect }
    }

    /// Adds a blob, and returns its descriptor.
    pub fn add(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = format!("sha256:{:x}", Sha256::digest(&bytes));
        let size = bytes.len();
        self.blobs.insert(digest.clone(), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    /// Adds an image of these layers. `config` is the `config` of its configuration, as
    /// `docker inspect` shows it. Returns the descriptor of its manifest.
    ///
    /// # Errors
    /// A layer cannot be compressed.
    pub fn image(
        &mut self,
        layers: &[Layer],
        config: &Value,
        architecture: &str,
    ) -> io::Result<Value> {
        let (mut descriptors, mut diff_ids) = (Vec::new(), Vec::new());
        for layer in layers {
            let archive = layer.archive();
            let stored = layer.compression.apply(&archive)?;
            diff_ids.push(format!("sha256:{:x}", Sha256::digest(&archive)));
            descriptors.push(self.add(&layer.media_type, stored));
        }
        let config = json!({
            "architecture": architecture, "os": "linux", "created": "2026-01-02T03:04:05Z",
            "config": config, "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = self.add(self.dialect.config(), text(&config));
        let descriptor = self.manifest(&config, &descriptors);
        Ok(with_platform(&descriptor, &json!({"architecture": architecture, "os": "linux"})))
    }

    /// Adds a manifest of these blobs, and returns its descriptor.
    pub fn manifest(&mut self, config: &Value, layers: &[Value]) -> Value {
        let kind = self.dialect.manifest();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers,
        });
        self.add(kind, text(&manifest))
    }

    /// Adds an index of manifests, and returns its descriptor.
    pub fn index(&mut self, manifests: &[Value]) -> Value {
        let kind = self.dialect.index();
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": manifests});
        self.add(kind, text(&index))
    }

    /// Writes a new layout of what `named` describes.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, named: &Value, directory: &Path) -> io::Result<()> {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        for (digest, bytes) in &self.blobs {
            fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
        }
        let kind = Dialect::Oci.index();
        let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": [named]});
        fs::write(directory.join("index.json"), text(&index))?;
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
    }
}

/// The descriptor with this platform; `null` removes the platform.
#[must_use]
pub fn with_platform(descriptor: &Value, platform: &Value) -> Value {
    let mut descriptor = descriptor.clone();
    if let Some(fields) = descriptor.as_object_mut() {
        fields.remove("platform");
        if !platform.is_null() {
            fields.insert("platform".to_owned(), platform.clone());
        }
    }
    descriptor
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
