//! Passes contents on to the writer, unless the conversion has to stop.

use crate::error::Failure;
use crate::system::signals;
use sifcache_layers::ContentSink;
use sifcache_squashfs::tree::ContentId;
use sifcache_squashfs::writer::{StoreError, Writer};
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

/// The writer, and a flag that ends the conversion.
pub(super) struct Sink<'a> {
    pub(super) writer: Writer,
    /// Set if the runtime could not build the template.
    pub(super) stop: &'a AtomicBool,
}

/// Why a content was not stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A signal asks the command to end.
    #[error(transparent)]
    Stopped(Failure),
    /// The flag is set.
    #[error("there is no template")]
    NoTemplate,
    /// The writer failed.
    #[error(transparent)]
    Store(StoreError),
}

impl ContentSink for Sink<'_> {
    type Error = Error;

    fn store(
        &mut self,
        path: &[u8],
        size: u64,
        data: &mut dyn Read,
    ) -> Result<Option<ContentId>, Error> {
        signals::check().map_err(Error::Stopped)?;
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::NoTemplate);
        }
        self.writer.store(path, size, data).map_err(Error::Store)
    }

    fn forget(&mut self, content: ContentId) {
        self.writer.forget(content);
    }
}
