//! An image root as `sifcache add` leaves it: files, digest names, records.

use crate::image::{self, Image};
use crate::random::Random;
use crate::sif::{Template, write_sparse};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Images are up to this old, in seconds.
const OLDEST: u64 = 400 * 86_400;

/// Writes `images` images with their digest names and records.
///
/// # Errors
/// A file cannot be written, or exists.
pub fn write(root: &Path, images: usize) -> io::Result<()> {
    let (template, now) = (Template::new()?, Timestamp::now());
    for part in ["tmp", "lock", "kept", "metadata"] {
        fs::create_dir_all(root.join(".sifcache").join(part))?;
    }
    for (image, index) in image::all(images).zip(0..) {
        let age = Random::of(2, index).below(OLDEST * 1000);
        let age = SignedDuration::from_millis(i64::try_from(age).map_err(io::Error::other)?);
        one(root, &image, &template, now.checked_sub(age).map_err(io::Error::other)?)?;
    }
    Ok(())
}

fn one(root: &Path, image: &Image, template: &Template, added: Timestamp) -> io::Result<()> {
    let (path, bytes) = (root.join(&image.name), template.image(&image.source));
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let file = File::create_new(&path)?;
    write_sparse(&file, &bytes)?;
    let modified = added.as_microsecond() / 1000 * 1000 - 1_000_000;
    let since = Duration::from_micros(u64::try_from(modified).map_err(io::Error::other)?);
    file.set_modified(SystemTime::UNIX_EPOCH + since)?;
    let sha256: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    let record = json!({
        "reference": image.reference,
        "source": image.source,
        "digests": image.digests,
        "added": added.to_string(),
        "runtime": (!image.digests.is_empty()).then_some("apptainer version 1.4.5"),
        "sha256": sha256,
        "size": bytes.len(),
        "architecture": sif_fixture::host_architecture(),
        "modified": Timestamp::from_microsecond(modified).map_err(io::Error::other)?.to_string(),
    });
    for name in image.pinned.iter().chain([&image.name]) {
        if name != &image.name {
            fs::hard_link(&path, root.join(name))?;
        }
        let record_path = root.join(".sifcache/metadata").join(format!("{name}.json"));
        record_path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(record_path, serde_json::to_vec_pretty(&record)?)?;
    }
    Ok(())
}
