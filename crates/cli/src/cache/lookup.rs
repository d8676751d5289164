//! Looks up a reference as a job would, without a helper process.

use crate::cache::store::architecture::{self, Architecture};
use crate::error::Failure;
use crate::system::helper;
use sifcache_core::image::{Root, State};
use sifcache_core::image_uri::ImageUri;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use sifcache_core::sif::host_architecture;
use sifcache_core::{candidate, lookup};
use std::path::{Path, PathBuf};

/// The image that a job on this host would use.
pub(crate) fn find(settings: &Settings, reference: &Reference) -> Option<PathBuf> {
    let uri = ImageUri::new(reference.clone());
    lookup::search(&lookup::roots(settings, &uri), settings.untrusted, &lookup::Inline)
        .into_iter()
        .find(|candidate| candidate.state == State::Image)
        .map(|candidate| candidate.path)
}

/// The image that a job would use on a node of this architecture. For another architecture than
/// this host's, only the image roots of sifcache's own layout are searched. Roots that do not answer
/// are left out, as in a job.
pub(crate) fn find_for(
    settings: &Settings,
    reference: &Reference,
    architecture: Architecture,
) -> Option<PathBuf> {
    let settings = &answering(settings);
    if architecture == host_architecture() {
        return find(settings, reference);
    }
    let names = candidate::names(reference);
    settings.image_roots.iter().find_map(|path| {
        let root = Root::enter(path, settings.untrusted);
        let is_image =
            |name: &&String| architecture::check(&root, name, architecture) == State::Image;
        names.iter().find(is_image).map(|name| root.join(name))
    })
}

/// The settings without the roots that do not answer, if there are several roots.
fn answering(settings: &Settings) -> Settings {
    match settings.lookup_timeout.filter(|_| settings.search_path().count() > 1) {
        Some(limit) => settings.with_roots_that(|root| helper::root_answers(root, limit)),
        None => settings.clone(),
    }
}

/// The failure for an image that is in place but that a job would not use. `found` is the image
/// that a job would use instead, if there is one.
pub(crate) fn not_found_there(path: &Path, found: Option<&Path>) -> Failure {
    Failure::NotFoundByJobs { path: path.to_owned(), found: found.map(Path::to_owned) }
}
