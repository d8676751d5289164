//! Views: directories of symbolic links to the images of the cache, under the file names that
//! workflow engines compute. An engine that is pointed to its directory finds the site's files
//! without pulling, and without sifcache in the job.
//!
//! ```text
//! VIEW/
//!   nextflow/o-i-1.img -> /shared/sif/o/i:1
//!   cwltool/o_s_i:1.sif
//!   cwltool-old/o_i:1.sif                    for releases before September 2026
//!   miniwdl/docker___o_i_1.sif
//!   snakemake/63163f7d38f86b76ef7b3b7586da9f7a.simg
//!   shpc/o/i/1/o-i-1-sha256:HEX.sif
//! ```
//!
//! The file `.sifcache/views.json` of an image root records the views. The images alone determine
//! the content of a view, so the next change completes an interrupted one:
//!
//! - A link is *ours* if its target is in an image root of the view and its name is one that an
//!   engine computes for the reference of that target. Nothing else in a view is changed.
//! - A link is replaced with rename(2). A name is removed only if it no longer has an image, or if
//!   a second reference has the same name.

pub(crate) mod catalog;
pub(crate) mod engine;
pub(crate) mod entries;
mod links;
pub(crate) mod plan;
pub(crate) mod registration;
pub(crate) mod spelling;
pub(crate) mod sync;
pub(crate) mod update;

use crate::cache::store::{STATE, hex};
use crate::error::Failure;
use engine::{Engine, Layout};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sifcache_core::settings::Settings;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A view, as it is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct View {
    /// Its absolute path.
    pub(crate) directory: PathBuf,
    /// The engines that it serves.
    pub(crate) engines: BTreeSet<Engine>,
    /// The image roots whose images it shows, in the order of lookups. It is registered in the last
    /// one.
    pub(crate) roots: Vec<PathBuf>,
}

impl View {
    /// The layouts of its engines.
    pub(crate) fn layouts(&self) -> Vec<Layout> {
        self.engines.iter().flat_map(|engine| engine.layouts()).collect()
    }

    /// The path of a layout's directory.
    pub(crate) fn path(&self, layout: Layout) -> PathBuf {
        self.directory.join(layout.directory())
    }

    /// The image root in which it is registered.
    pub(crate) fn home(&self) -> &Path {
        self.roots.last().map_or(Path::new("/"), PathBuf::as_path)
    }

    /// The lock file that is held while the view changes.
    pub(crate) fn lock_file(&self) -> PathBuf {
        // No image has a name with a blank, so no lock of an image has this name.
        let name = [b"view ", self.directory.as_os_str().as_bytes()].concat();
        self.home().join(STATE).join("lock").join(hex(&Sha256::digest(name)))
    }

    /// Checks that neither the view nor an image root contains the other one: the links would be
    /// images of the cache, or an engine that searches the view would find the image root.
    ///
    /// # Errors
    /// One contains the other.
    pub(crate) fn refuse_nesting(&self, settings: &Settings) -> Result<(), Failure> {
        let view = real(&self.directory);
        for (root, _) in settings.search_path() {
            let other = real(root);
            if view.starts_with(&other) || other.starts_with(&view) {
                let (view, root) = (self.directory.clone(), root.to_owned());
                return Err(Failure::ViewInRoot { view, root });
            }
        }
        Ok(())
    }
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    match (fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(real), _, _) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}
