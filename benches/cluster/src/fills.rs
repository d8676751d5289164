//! Conversions of images: `sifcache add` compared with `apptainer pull`, with the least that the
//! work takes, and reads from the results.

mod bound;
mod enroot;
mod page;
mod reads;
mod registry;
mod sample;

use crate::testbed;
use anyhow::{Context, Result, ensure};
use sample::{Sample, Variant};
use std::fs;
use std::path::Path;

/// The images that `benches/fill/images` makes.
const IMAGES: [&str; 3] = ["big", "many", "real"];
/// Where the images and all temporary files are on the login node: on this machine's disk.
const DIRECTORY: &str = "/shared/fill";

/// All measurements of one image.
struct Measured {
    name: &'static str,
    /// The samples of each variant, in the order of the variants.
    samples: Vec<Vec<Sample>>,
    /// The largest number of bytes on disk beside the new image, of each variant.
    disk: Vec<u64>,
    /// The processor seconds of separate programs that do the same work.
    bound: Option<bound::Bound>,
}

/// Measures and writes the page. `command` is the built command, `images` the directory of the
/// layouts, `enroot` the built source directory of enroot, if enroot is measured too.
///
/// # Errors
/// A command fails.
pub(crate) fn run(
    command: &Path,
    images: &Path,
    enroot: Option<&Path>,
    into: &Path,
    rounds: usize,
) -> Result<()> {
    testbed::push(command, "/usr/local/bin/sifcache", "755")?;
    let enroot = enroot.map(enroot::install).transpose()?;
    let variants: Vec<Variant> =
        sample::VARIANTS.into_iter().chain(enroot.as_ref().map(|_| enroot::VARIANT)).collect();
    registry::start()?;
    let mut all = Vec::new();
    for name in IMAGES {
        let layout = images.join(name);
        if layout.join("index.json").exists() {
            all.push(measure(name, &layout, &variants, rounds)?);
        }
    }
    ensure!(!all.is_empty(), "{}: no images", images.display());
    let measured: Vec<&str> = all.iter().map(|image| image.name).collect();
    let reads = reads::all(&measured, rounds)?;
    let page = page::page(&all, &variants, &reads, enroot, rounds)?;
    fs::write(into, page).with_context(|| into.display().to_string())
}

fn measure(
    name: &'static str,
    layout: &Path,
    variants: &[Variant],
    rounds: usize,
) -> Result<Measured> {
    registry::push(name, layout)?;
    // The first conversions fill the page cache of the registry, and are not timed.
    let disk: Result<Vec<u64>> = variants.iter().map(|one: &Variant| one.disk(name)).collect();
    let mut samples: Vec<Vec<Sample>> = variants.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for place in 0..variants.len() {
            let index = (place + round) % variants.len();
            let (Some(variant), Some(samples)) = (variants.get(index), samples.get_mut(index))
            else {
                continue;
            };
            samples.push(variant.convert(name)?);
            if round + 1 == rounds && index < sample::VARIANTS.len() {
                sample::keep(&kept(name, index))?;
            }
        }
    }
    Ok(Measured { name, samples, disk: disk?, bound: bound::bound(layout).ok() })
}

/// Where the last result of a variant is kept, for the reads.
fn kept(image: &str, variant: usize) -> String {
    format!("{DIRECTORY}/{image}-{variant}.sif")
}
