//! The images that a view shows: those that a job would find under the roots of the view.

use crate::cache::image_name;
use crate::cache::store::architecture;
use crate::cache::store::scan::{self, Image};
use crate::error::Failure;
use rayon::prelude::*;
use sifcache_core::candidate;
use sifcache_core::image::{Root, State};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Untrusted;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The images of several roots, in the order of lookups.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    roots: Vec<RootImages>,
}

/// The images of one root that a job would use.
#[derive(Debug)]
struct RootImages {
    root: PathBuf,
    /// The reference that leads to each name, and the digests of its file.
    names: HashMap<String, (Reference, Vec<String>)>,
}

impl Catalog {
    /// Examines the images under `roots`. A root that does not exist has none. All images are for
    /// the architecture of the last root. Calls `progress` for each image.
    ///
    /// # Errors
    /// If a directory cannot be read, or the last root declares an invalid architecture.
    pub(crate) fn read(
        roots: &[PathBuf],
        untrusted: Untrusted,
        progress: &(dyn Fn() + Sync),
    ) -> Result<Self, Failure> {
        let last = roots.last().map_or(Path::new("/"), PathBuf::as_path);
        let wanted = architecture::wanted(last, None)?;
        let read = |path: &PathBuf| {
            let root = Root::enter(path, untrusted);
            let names = match root.problem() {
                Some(_) => HashMap::new(),
                None => usable(path, |name| {
                    progress();
                    architecture::check(&root, name, wanted) == State::Image
                })?,
            };
            Ok(RootImages { root: path.clone(), names })
        };
        Ok(Self { roots: roots.iter().map(read).collect::<Result<_, Failure>>()? })
    }

    /// The references that lead to an image, each with the digests that it is known to point to,
    /// by their normal form.
    pub(crate) fn references(&self) -> BTreeMap<String, (Reference, Vec<String>)> {
        let mut all: BTreeMap<String, (Reference, Vec<String>)> = BTreeMap::new();
        // The root that a lookup examines first determines the digests.
        for images in self.roots.iter().rev() {
            for (reference, digests) in images.names.values() {
                all.insert(reference.to_string(), (reference.clone(), digests.clone()));
            }
        }
        all
    }

    /// The image that a job finds for this reference as typed. A file that another reference also
    /// leads to is not used, so that each link shows its own reference.
    pub(crate) fn find(&self, typed: &Reference) -> Option<PathBuf> {
        let candidates = candidate::names(typed);
        let normal = typed.to_string();
        self.roots.iter().find_map(|images| {
            let is_own = |name: &&String| {
                images.names.get(*name).is_some_and(|(one, _)| one.to_string() == normal)
            };
            candidates.iter().find(is_own).map(|name| images.root.join(name))
        })
    }
}

/// The names of the images that satisfy `is_usable` and that a reference leads to.
fn usable(
    root: &Path,
    is_usable: impl Fn(&str) -> bool + Sync,
) -> Result<HashMap<String, (Reference, Vec<String>)>, Failure> {
    let scan = scan::images(root).map_err(|(path, error)| Failure::read(&path, error))?;
    let names = scan.images.par_iter().flat_map_iter(|image: &Image| {
        let references = image.references();
        let digests = image.digests(&references);
        let with_reference = |name: &String| {
            let reference = image_name::reference(name)?;
            is_usable(name).then(|| (name.clone(), (reference, digests.clone())))
        };
        image.names.iter().filter_map(with_reference).collect::<Vec<_>>()
    });
    Ok(names.collect())
}
