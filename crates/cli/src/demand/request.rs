//! A request for an image that is not in the cache.

use jiff::Timestamp;
use sifcache_core::reference::Reference;

/// A request for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The image.
    pub(crate) reference: Reference,
    /// The user ID of the asker, from the kernel or from munge. `None` if only the text of a log
    /// names the asker, because every user can write such a text.
    pub(crate) asker: Option<u32>,
    /// The short name of the node, if it is known; only for reports.
    pub(crate) host: String,
    /// When it was requested.
    pub(crate) time: Timestamp,
}
