//! The source files for staging: the images that jobs find in the other image roots.

use super::message::Item;
use crate::cache::hash;
use crate::cache::image_name;
use crate::cache::lookup;
use crate::cache::squashfs;
use crate::cache::store::metadata::{self, Record};
use crate::error::Failure;
use crate::ui::escape::escape_for_terminal;
use crate::ui::progress::Progress;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// A source file, and the data that nodes need about it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) item: Item,
}

/// The settings without the destination root, which cannot be a foreign root.
pub(crate) fn others(settings: &Settings, destination: &Path) -> Settings {
    settings.with_roots_that(|root| root != destination)
}

/// Finds the file of a reference.
///
/// # Errors
/// There is no such file, it is damaged, or it cannot be read.
pub(crate) fn find(
    others: &Settings,
    reference: &Reference,
    progress: &Progress,
) -> Result<Source, Failure> {
    let Some(path) = lookup::find(others, reference) else {
        let roots = others.search_path().map(|(root, _)| root.to_owned()).collect();
        let name = image_name::short(reference);
        return Err(Failure::NotInCache { name, roots });
    };
    if let Err(damage) = squashfs::check(&path) {
        let short = image_name::short(reference);
        let advice = format!("`sifcache add {short}` pulls it again");
        return Err(Failure::Damaged { path, problem: damage.to_string(), advice });
    }
    let item = item(others, reference, &path, progress)?;
    Ok(Source { path, item })
}

fn item(
    others: &Settings,
    reference: &Reference,
    path: &Path,
    progress: &Progress,
) -> Result<Item, Failure> {
    let unreadable = |error| Failure::read(path, error);
    let metadata = path.metadata().map_err(unreadable)?;
    let record = record(others, path, &metadata);
    let (sha256, size) = match &record {
        Some(record) => (record.sha256.clone(), record.size),
        None => {
            let task =
                progress.bytes(&format!("reading {}", escape_for_terminal(path)), metadata.len());
            let mut file = File::open(path).map_err(unreadable)?;
            let content = hash::copy(&mut file, &mut io::sink(), &task).map_err(|e| match e {
                hash::Error::Read(error) | hash::Error::Write(error) => unreadable(error),
                hash::Error::Stopped(failure) => failure,
            })?;
            (content.sha256, content.size)
        }
    };
    Ok(Item {
        reference: image_name::short(reference),
        size,
        sha256,
        digests: record.as_ref().map(|record| record.digests.clone()).unwrap_or_default(),
        source: record
            .as_ref()
            .map_or_else(|| escape_for_terminal(path), |record| record.source.clone()),
        runtime: record.and_then(|record| record.runtime),
    })
}

/// The record of a file under one of the roots, if there is one for its current content.
pub(crate) fn record(others: &Settings, path: &Path, metadata: &Metadata) -> Option<Record> {
    let modified = metadata::modified(metadata)?;
    others.image_roots.iter().find_map(|root| {
        let name = path.strip_prefix(root).ok()?.to_str()?;
        Record::load(root, name, metadata.len(), modified)
    })
}

#[cfg(test)]
mod tests {
    use super::others;
    use sifcache_core::settings::Settings;
    use std::path::Path;

    /// Nodes get the image that jobs find without the local copy.
    #[test]
    fn the_order_of_the_other_roots_stays() {
        for (roots, expected) in [
            ("/l:nextflow=/n:/s", &["/n", "/s"] as &[&str]),
            ("nextflow=/n:/l:/s", &["/n", "/s"]),
            ("/s:nextflow=/n:/l:pulls=/p", &["/s", "/n", "/p"]),
            ("/s:/l:nextflow=/n:/t", &["/s", "/n", "/t"]),
        ] {
            let settings = Settings::parse(&[format!("image_root={roots}")]).unwrap();
            let others = others(&settings, Path::new("/l"));
            let left = others.search_path().map(|(root, _)| root);
            assert!(left.eq(expected.iter().map(Path::new)), "{roots}");
        }
    }
}
