//! The image roots and their contents: files, records, locks and trust checks. This module uses
//! no network.

pub(crate) mod access;
pub(crate) mod eviction;
pub(crate) mod fill_level;
pub(crate) mod hash;
pub(crate) mod image_name;
pub(crate) mod install;
pub(crate) mod lookup;
pub(crate) mod removal;
pub(crate) mod reserve;
pub(crate) mod runs;
pub(crate) mod select;
pub(crate) mod sif_metadata;
pub(crate) mod squashfs;
pub(crate) mod store;
pub(crate) mod usage;
pub(crate) mod usage_from_logs;
pub(crate) mod view;
