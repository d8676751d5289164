//! Checks how pulls and builds in jobs are answered: the setting `pull=`.

mod grace;

use super::finding::Finding;
use super::host::Host;
use super::slurm::Release;
use crate::cache::store::STATE;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::nested::{SHIM, installed};
use sifcache_core::settings::{Nested, Pull, Settings};
use std::path::Path;
use walkdir::WalkDir;

/// The maximum number of entries of an image root that are read.
const MAX_ENTRIES: usize = 10_000;

/// Slurm has a function to prepend an argument to a task's command since this release.
const PREPENDS: Release = Release(23, 11);

/// Runs the checks of this area.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let Some(settings) = &host.site.settings else {
        return vec![Finding::skipped("pull", "without settings, pulls are left to the runtime")];
    };
    let mut findings = vec![setting(settings)];
    if settings.pull != Pull::Off {
        findings.extend(shim(host, settings));
        findings.extend(release(host, settings));
    }
    if settings.pull == Pull::Link {
        findings.extend(links(host, settings));
    }
    findings
}

fn setting(settings: &Settings) -> Finding {
    let result = match settings.pull {
        Pull::Off => {
            let message = "pull=off: the runtime pulls and builds images from their registry, even \
                           if they are in the cache";
            return Finding::note("pull", message);
        }
        Pull::Copy => "pull=copy: a pull of an image in the cache makes a copy of it",
        Pull::Link => "pull=link: a pull of an image in the cache makes a link to it",
    };
    let scripts = match settings.nested {
        Nested::Off => "; with nested=off, only if it is a task's own command",
        Nested::Path | Nested::Preload => "",
    };
    Finding::ok("pull", format!("{result}, and a build uses it{scripts}"))
}

/// With another value of `nested`, another area checks the shim.
fn shim(host: &Host, settings: &Settings) -> Option<Finding> {
    let path = installed(SHIM);
    let is_missing = settings.nested == Nested::Off && !host.is_program(Path::new(&path));
    is_missing.then(|| {
        let message = format!("{path}: missing, so the runtime pulls images from their registry");
        Finding::warn("shim", message).advice("run make install, or set pull=off")
    })
}

fn release(host: &Host, settings: &Settings) -> Option<Finding> {
    let (release, _) = host.release().ok().filter(|(release, _)| *release < PREPENDS)?;
    let which = match settings.nested {
        Nested::Path => "that names the runtime with its path",
        Nested::Preload | Nested::Off => "with this value of nested=",
    };
    let message =
        format!("Slurm {release}: a pull as a task's own command {which} is left to the runtime");
    Some(Finding::note("own-command", message).advice("write such a pull into a job script"))
}

/// Files of pulls link to names with a digest in the last image root of sifcache's own layout.
fn links(host: &Host, settings: &Settings) -> Vec<Finding> {
    let Some(root) = settings.image_roots.last() else {
        let message = "all image roots have the layout of another tool, so pulls make copies";
        return vec![
            Finding::warn("digest-names", message)
                .advice("add a root of sifcache's own layout, or set pull=copy"),
        ];
    };
    if !host.path(root).is_dir() {
        let why = format!("{}: is not on this host", escape_for_terminal(root));
        return vec![Finding::skipped("digest-names", why)];
    }
    vec![digest_names(host, root), grace::check(host, root)]
}

/// Whether images have names to which a pull can link.
fn digest_names(host: &Host, root: &Path) -> Finding {
    let name = escape_for_terminal(root);
    let (mut files, mut symbolic) = (0_usize, false);
    let walk = WalkDir::new(host.path(root)).min_depth(1).follow_links(true).into_iter();
    let walk = walk.filter_entry(|entry| !(entry.depth() == 1 && entry.file_name() == STATE));
    for entry in walk.take(MAX_ENTRIES).flatten().filter(|entry| !entry.file_type().is_dir()) {
        files += 1;
        if !entry.file_name().to_string_lossy().contains("@sha256:") {
            continue;
        }
        if !entry.path_is_symlink() {
            let message = format!("{name}: has names with a digest, to which pulls link");
            return Finding::ok("digest-names", message);
        }
        symbolic = true;
    }
    match (files, symbolic) {
        (0, _) => Finding::skipped("digest-names", format!("{name}: has no files yet")),
        (_, true) => {
            let message = format!("{name}: names with a digest are symbolic links");
            Finding::warn("digest-names", format!("{message}, so pulls make copies")).advice(
                "put the image root on a file system with hard links, and add the images again",
            )
        }
        (_, false) => {
            let message = format!("{name}: none of {files} files has a name with a digest");
            Finding::warn("digest-names", format!("{message}, so pulls make copies")).advice(
                "`sifcache add` and `sifcache import --digest` create these names; a file that was \
                 copied there has none",
            )
        }
    }
}
