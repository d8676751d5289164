//! Finds problems with the files under the image roots, without reading complete images.

pub(crate) mod file;
pub(crate) mod finding;
pub(crate) mod fix;
pub(crate) mod survey;

mod duplicates;
mod hidden;
mod misnamed;
mod names;
mod orphans;
mod paths;
mod proper_name;
mod records;
mod spelling;
mod tree;
mod views;
