//! The destination of the contents of files.

use sifcache_squashfs::tree::ContentId;
use sifcache_squashfs::writer::{StoreError, Writer};
use std::io::Read;

/// Stores the contents of regular files while layers are merged. The writer of a squashfs is one.
pub trait ContentSink {
    /// Why a content could not be stored.
    type Error;

    /// Reads exactly `size` bytes from `data` and stores them. `None` if `size` is 0. `path` is the
    /// path of the file in the image, without a leading slash. Equal contents may get the same
    /// number; each call then counts as one more use.
    ///
    /// # Errors
    ///
    /// If the content cannot be stored, or if `data` cannot be read. The merge recognizes the
    /// latter itself, because `data` belongs to it.
    fn store(
        &mut self,
        path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> Result<Option<ContentId>, Self::Error>;

    /// Takes back one use of a content, because the last name of its file is gone.
    fn forget(&mut self, content: ContentId);
}

impl ContentSink for Writer {
    type Error = StoreError;

    fn store(
        &mut self,
        path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> Result<Option<ContentId>, StoreError> {
        Self::store(self, path, size, data)
    }

    fn forget(&mut self, content: ContentId) {
        Self::forget(self, content);
    }
}
