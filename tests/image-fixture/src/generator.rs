//! Random images.

mod choices;
mod layers;
mod model;

use crate::compression::Compression;
use crate::image::{Blobs, Dialect, Layer, with_platform};
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
    /// The media types of its manifest.
    pub dialect: Dialect,
}

/// The image of a seed.
#[must_use]
pub fn image(seed: u64) -> Image {
    let mut random = Random::new(seed);
    let layers = layers::layers(&mut random).into_iter();
    let layers = layers.map(|entries| stored(&mut random, entries)).collect();
    let config = choices::config(&mut random);
    let dialect = if random.one_in(2) { Dialect::Docker } else { Dialect::Oci };
    Image { layers, config, index: random.one_in(5), dialect }
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
        let mut blobs = Blobs::new(self.dialect);
        let manifest = blobs.image(&self.layers, &self.config, architecture)?;
        if !self.index {
            return Ok((blobs, manifest));
        }
        let decoy = Layer::new(
            vec![crate::archive::Entry::file("decoy", "")],
            Compression::Gzip { members: 1 },
        );
        let decoy = blobs.image(&[decoy], &json!({}), architecture)?;
        let on = |os: &str, architecture: &str| {
            with_platform(&decoy, &json!({"os": os, "architecture": architecture}))
        };
        let others = [on("unknown", "unknown"), on("linux", "s390x"), on("windows", architecture)];
        let named = blobs.index(&[&others[..], &[manifest, decoy.clone()]].concat());
        Ok((blobs, named))
    }
}

#[cfg(test)]
mod tests;
