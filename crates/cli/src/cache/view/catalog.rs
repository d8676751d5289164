//! The images that a view shows: those that a job would find under the roots of the view.

use crate::cache::store::architecture;
use crate::cache::store::other_roots::OtherRoots;
use crate::cache::store::scan::{self, Unread};
use crate::error::Failure;
use rayon::prelude::*;
use sifcache_core::candidate;
use sifcache_core::image::{Root, State};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Untrusted;
use sifcache_core::transport::Transport;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The images of several roots, in the order of lookups.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    roots: Vec<RootImages>,
}

/// The images of one root that a job would use.
#[derive(Debug)]
struct RootImages {
    names: HashMap<String, Named>,
}

/// The reference of a name, the path of its file, and its digests.
#[derive(Debug)]
struct Named {
    /// All links to the file share this path.
    path: Arc<Path>,
    reference: Reference,
    /// The normal form of the reference.
    normal: String,
    /// The digests that the reference is known to point to.
    digests: Vec<String>,
}

impl Catalog {
    /// Examines the images under `roots`. A root that does not exist has none. All images are for
    /// the architecture of the last root. Calls `progress` for each image.
    ///
    /// # Errors
    /// A directory cannot be read, or the last root declares an invalid architecture.
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
                None => {
                    let others = OtherRoots::among(roots.iter().map(PathBuf::as_path), path);
                    usable(path, &others, |name| {
                        progress();
                        architecture::check(&root, name, wanted) == State::Image
                    })?
                }
            };
            Ok(RootImages { names })
        };
        Ok(Self { roots: roots.iter().map(read).collect::<Result<_, Failure>>()? })
    }

    /// The references that lead to an image, sorted by their normal form.
    pub(crate) fn references(&self) -> Vec<&Reference> {
        let mut all: Vec<&Named> = self.roots.iter().flat_map(|one| one.names.values()).collect();
        all.par_sort_unstable_by(|one, other| one.normal.cmp(&other.normal));
        all.dedup_by(|one, other| one.normal == other.normal);
        all.into_iter().map(|one| &one.reference).collect()
    }

    /// The image that a job finds for this reference as typed, and its digests. A file that another
    /// reference also leads to is not used, so that each link shows its own reference.
    pub(crate) fn find(&self, typed: &Reference) -> Option<(&Arc<Path>, &[String])> {
        let candidates = candidate::names(typed);
        let normal = typed.to_string();
        self.roots.iter().find_map(|images| {
            candidates.iter().find_map(|name| {
                let named = images.names.get(name).filter(|one| one.normal == normal)?;
                Some((&named.path, named.digests.as_slice()))
            })
        })
    }
}

/// The names of the images that satisfy `is_usable` and that a reference leads to.
fn usable(
    root: &Path,
    others: &OtherRoots,
    is_usable: impl Fn(&str) -> bool + Sync,
) -> Result<HashMap<String, Named>, Failure> {
    let files = scan::unread(root, others).map_err(|(path, error)| Failure::read(&path, error))?;
    let names = files.into_par_iter().flat_map_iter(|Unread { names, digests }| {
        // The engines have no names for images of other transports.
        let of_docker = |one: &(String, Reference)| one.1.transport() == Transport::Docker;
        let usable = names.into_iter().filter(of_docker).filter(|(name, _)| is_usable(name));
        let named = |(name, reference): (String, Reference)| {
            let (normal, path) = (reference.to_string(), root.join(&name).into());
            (name, Named { path, reference, normal, digests: digests.clone() })
        };
        usable.map(named).collect::<Vec<_>>()
    });
    Ok(names.collect())
}
