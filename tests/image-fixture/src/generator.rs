//! Random images.

mod choices;
mod layers;
mod model;

use crate::compression::Compression;
use crate::image::{Blobs, Layer};
use crate::random::Random;
use serde_json::{Value, json};
use std::io;

/// A random image.
#[derive(Debug, Clone)]
pub struct Image {
    /// The layers from the lowest to the highest.
    pub layers: Vec<Layer>,
    /// The `config` of its configuration.
    pub config: Value,
    /// Whether a tag names an index, in which other platforms surround the image.
    pub index: bool,
}

/// The image of a seed.
#[must_use]
pub fn image(seed: u64) -> Image {
    let mut random = Random::new(seed);
    let layers = layers::layers(&mut random).into_iter();
    let layers = layers.map(|entries| stored(&mut random, entries)).collect();
    Image { layers, config: choices::config(&mut random), index: random.one_in(5) }
}

/// Stores a layer in a random form. Runtimes recognize the form by its first bytes, so the media
/// type may be one of another form.
fn stored(random: &mut Random, entries: Vec<crate::archive::Entry>) -> Layer {
    let compression = match random.below(10) {
        0 => Compression::Plain,
        1 | 2 => Compression::Zstd { frames: 1 + random.below(3), skippable: random.one_in(2) },
        3 => Compression::Stargz,
        _ => Compression::Gzip { members: 1 + random.below(3) },
    };
    let mut layer = Layer::new(entries, compression);
    if random.one_in(4)
        && let Some(media_type) = random.pick(&choices::MEDIA_TYPES)
    {
        layer.media_type = (*media_type).to_owned();
    }
    layer
}

impl Image {
    /// The blobs of the image, and the descriptor of what a tag names.
    ///
    /// # Errors
    /// A layer cannot be compressed.
    pub fn blobs(&self, architecture: &str) -> io::Result<(Blobs, Value)> {
        let mut blobs = Blobs::default();
        let manifest = blobs.image(&self.layers, &self.config, architecture)?;
        if !self.index {
            return Ok((blobs, manifest));
        }
        let decoy = Layer::new(
            vec![crate::archive::Entry::file("decoy", "")],
            Compression::Gzip { members: 1 },
        );
        let decoy = blobs.image(&[decoy], &json!({}), architecture)?;
        let mut manifests = vec![platform(&decoy, "unknown", "unknown")];
        manifests.push(platform(&decoy, "linux", "s390x"));
        manifests.extend([manifest, platform(&decoy, "windows", architecture), decoy]);
        let named = blobs.index(&manifests);
        Ok((blobs, named))
    }
}

/// The descriptor with another platform.
fn platform(descriptor: &Value, system: &str, architecture: &str) -> Value {
    let mut descriptor = descriptor.clone();
    if let Some(fields) = descriptor.as_object_mut() {
        let platform = json!({"os": system, "architecture": architecture});
        fields.insert("platform".to_owned(), platform);
    }
    descriptor
}
