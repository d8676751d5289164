//! The content of the cache.

use super::List;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

/// The content of the image roots.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Cache {
    /// In the order in which jobs look them up.
    pub(crate) roots: Vec<Root>,
    /// Images and bytes of all roots that sifcache fills.
    pub(crate) images: u64,
    pub(crate) bytes: u64,
    /// The growth of the cache by the images that still exist, in the order of the days. Days without an
    /// added image are left out.
    pub(crate) growth: Vec<Growth>,
}

impl Cache {
    /// Why the images are unknown: the problem of the first image root, if none of those that sifcache
    /// fills could be read.
    pub(crate) fn unread(&self) -> Option<&str> {
        let own = || self.roots.iter().filter(|root| root.layout.is_none());
        let first = own().next()?.error.as_deref();
        first.filter(|_| own().all(|root| root.error.is_some()))
    }

    /// Whether an image root that sifcache fills could not be read.
    pub(crate) fn is_partial(&self) -> bool {
        self.roots.iter().any(|root| root.layout.is_none() && root.error.is_some())
    }
}

/// An image root.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Root {
    pub(crate) path: String,
    /// The layout, if another tool fills the root: `nextflow`. Its files are not counted.
    pub(crate) layout: Option<String>,
    /// The images; `None` if they are not counted or the root cannot be read.
    pub(crate) images: Option<u64>,
    /// Their size in bytes. A file with several names counts once.
    pub(crate) bytes: Option<u64>,
    /// The number of names that do not lead to a valid image.
    pub(crate) invalid_files: Option<u64>,
    /// The files that were removed or replaced and are still kept: their size in bytes, and the
    /// time at which the next of them is deleted.
    pub(crate) kept_bytes: u64,
    pub(crate) kept_until: Option<Timestamp>,
    /// `None` if the file system does not answer.
    pub(crate) file_system: Option<FileSystem>,
    /// Why the root cannot be read.
    pub(crate) error: Option<String>,
}

/// The file system of an image root, as for df: without the blocks that are reserved for root.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct FileSystem {
    pub(crate) used_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) used_inodes: u64,
    /// Zero if the file system has no limit.
    pub(crate) total_inodes: u64,
}

/// Images that were added on one day and still exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Growth {
    pub(crate) day: Date,
    pub(crate) added_images: u64,
    pub(crate) added_bytes: u64,
    /// The sums up to this day.
    pub(crate) images: u64,
    pub(crate) bytes: u64,
}

/// The images that served no command for some time.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Unused {
    /// The time without use, as on the command line: `60d`.
    pub(crate) unused_for: String,
    /// Images and bytes of the roots that `command` works on.
    pub(crate) images: u64,
    pub(crate) bytes: u64,
    /// Why the logs do not prove that these images were not used; `gc` then removes none of them.
    pub(crate) unproven: Option<String>,
    /// The commands that list what would be removed, one for each root with unused images.
    pub(crate) commands: Vec<String>,
    /// The least recently used first.
    pub(crate) list: List<UnusedImage>,
}

/// An image that served no command for some time.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UnusedImage {
    /// In short form, or the path relative to its root if no reference leads to it.
    pub(crate) reference: String,
    pub(crate) path: String,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) added: Timestamp,
    /// `None` if no use is known.
    pub(crate) last_served: Option<Timestamp>,
}
