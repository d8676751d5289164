//! Turns a finished file into an image of the cache: creates its names and its record.

use crate::cache::hash::Content;
use crate::cache::image_name;
use crate::cache::store::Store;
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::retention::Retention;
use crate::error::Failure;
use crate::system::file_name;
use crate::ui::progress::Progress;
use jiff::Timestamp;
use sifcache_core::reference::Reference;
use std::fs;
use std::path::{Path, PathBuf};

/// A finished file that is to become an image.
#[derive(Debug)]
pub(crate) struct NewImage<'a> {
    /// The image root in which the file is placed.
    pub(crate) store: &'a Store,
    /// Where notes are printed.
    pub(crate) progress: &'a Progress,
    /// How long a replaced file is kept.
    pub(crate) retention: Retention,
    /// The reference of the image.
    pub(crate) reference: &'a Reference,
    /// The name of the new image, relative to the root.
    pub(crate) name: &'a str,
    /// The digests that the reference points to.
    pub(crate) digests: &'a [String],
}

impl NewImage<'_> {
    /// Gives the finished file its names and writes its record. Returns the path where a replaced
    /// file is kept, if there is one.
    ///
    /// # Errors
    /// A name cannot be created.
    pub(crate) fn commit(
        &self,
        temporary: &Path,
        source: String,
        runtime: Option<String>,
        content: Content,
    ) -> Result<Option<PathBuf>, Failure> {
        // A digest name is stale if it leads to the old file or to a damaged one.
        let is_stale = |pinned: &String| {
            self.store.is_one_file(pinned, self.name)
                || (self.store.is_image(pinned) && !self.store.is_whole_image(pinned))
        };
        let stale: Vec<String> = self.pinned().filter(is_stale).collect();
        let kept = self.store.place(temporary, self.name, self.retention)?;
        for pinned in &stale {
            self.replace(pinned)?;
        }
        let metadata = fs::metadata(self.store.path(self.name)).ok();
        if let Some(modified) = metadata.as_ref().and_then(metadata::modified) {
            self.record(&Record {
                reference: self.reference.to_string(),
                source,
                digests: self.digests.to_vec(),
                added: Timestamp::now(),
                runtime,
                sha256: content.sha256,
                size: content.size,
                architecture: self.store.architecture().to_owned(),
                modified,
            });
        }
        self.link_digests()?;
        Ok(kept)
    }

    /// Replaces the file of a digest name with the new file, atomically.
    fn replace(&self, pinned: &str) -> Result<(), Failure> {
        let scratch = self.store.scratch()?;
        let link = scratch.path("image.sif");
        // Without hard links, the digest name is a symbolic link to the name of the new file.
        if fs::hard_link(self.store.path(self.name), &link).is_ok() {
            self.store.place(&link, pinned, self.retention)?;
        }
        Ok(())
    }

    /// Creates the digest names.
    ///
    /// # Errors
    /// A name cannot be created.
    pub(crate) fn link_digests(&self) -> Result<(), Failure> {
        for pinned in self.pinned() {
            self.store.link_digest(self.name, &pinned, self.retention)?;
        }
        if self.digest_names().any(|name| file_name::too_long(&name).is_some()) {
            let short = image_name::short(self.reference);
            self.progress.note(&format!(
                "{short}: jobs do not find it by its digest, because that file name would have more \
                 than {} bytes",
                file_name::MAX
            ));
        }
        Ok(())
    }

    /// Writes the record under each of the names. An image without a record is still usable, so a
    /// failure only prints a note.
    pub(crate) fn record(&self, record: &Record) {
        for name in self.pinned().chain([self.name.to_owned()]) {
            if name != self.name && is_pinned(self.store, &name, record) {
                continue;
            }
            if let Err(error) = record.save(self.store, &name) {
                self.progress.note(&format!("{name}: cannot write its record: {error}"));
            }
        }
    }

    /// The digest names, except the one that is the file's own name, and those that are too long for
    /// a file.
    fn pinned(&self) -> impl Iterator<Item = String> {
        self.digest_names().filter(|name| file_name::too_long(name).is_none())
    }

    fn digest_names(&self) -> impl Iterator<Item = String> {
        let names =
            self.digests.iter().map(|digest| image_name::file_with_digest(self.reference, digest));
        names.filter(|name| name != self.name)
    }
}

/// Whether the digest name was requested on its own.
fn is_pinned(store: &Store, name: &str, record: &Record) -> bool {
    Record::load(store.root(), name, record.size, record.modified)
        .is_some_and(|own| own.reference.contains('@'))
}

/// Records that a digest name, which was created together with a tag, was also requested on its
/// own. It then stays when the tag moves.
pub(crate) fn pin(store: &Store, reference: &Reference, path: &Path) {
    if let Some((name, record)) = unpinned(store.root(), path) {
        let pinned = Record { reference: reference.to_string(), ..record };
        // The image exists in any case. An error only means that the request is not recorded.
        let _ = pinned.save(store, name);
    }
}

/// The digest name of this path and its record, if the record does not say that the digest was
/// requested on its own.
pub(crate) fn unpinned<'a>(root: &Path, path: &'a Path) -> Option<(&'a str, Record)> {
    let name = path.strip_prefix(root).ok().and_then(Path::to_str)?;
    let metadata = fs::metadata(path).ok()?;
    let time = metadata::modified(&metadata)?;
    let record = Record::load(root, name, metadata.len(), time)?;
    (!record.reference.contains('@')).then_some((name, record))
}
