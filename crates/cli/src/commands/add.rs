//! `sifcache add`: pulls missing images.

use crate::cache::install;
use crate::cache::lookup;
use crate::cache::runs::{Begun, Command};
use crate::cache::squashfs;
use crate::cache::store::architecture::{self, Architecture};
use crate::cache::store::{self, Store};
use crate::cache::view::update;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{Change, Pull, REFERENCE, Site};
use crate::pull::adder::Adder;
use crate::pull::credentials::Credentials;
use crate::pull::outcome::{self, Outcome, Report, Status};
use crate::pull::puller::Puller;
use crate::pull::watch::Watch;
use crate::reference_list;
use crate::site;
use crate::system::pool;
use crate::system::signals;
use crate::ui::progress::Progress;
use clap::Args;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::path::{Path, PathBuf};

/// Pull images into the cache
///
/// sifcache downloads the layers and converts them to the SIF file that the site's own runtime
/// would have made, many times faster than the runtime does (docs/fill.md). Images that it does not
/// know how to convert are pulled with the runtime. Either way, the new file is a temporary file
/// beside the final path. It is checked as a job would check it, synced and made readable by all
/// users. It is then stored under the image's short name, and also under its digest, so that
/// references with a digest find it. Images that are already in the cache are left alone, unless
/// their root file system is truncated or damaged; those are pulled again. If nothing has to be
/// changed, no permission to write is needed.
///
/// The runtime's credentials are used: APPTAINER_DOCKER_USERNAME and APPTAINER_DOCKER_PASSWORD (or
/// SINGULARITY_...), the file of `apptainer registry login`, --authfile or --docker-login. The
/// runtime's own cache is not used unless APPTAINER_DISABLE_CACHE=false is set. The runtime unpacks
/// images in APPTAINER_TMPDIR; sifcache itself unpacks nothing.
///
/// sifcache queries the registry in the same way as Apptainer: with the certificates of this host
/// (or of SSL_CERT_FILE and SSL_CERT_DIR), the mirrors of registries.conf, and the proxies of
/// HTTPS_PROXY and NO_PROXY (docs/registries.md). If that query fails, the image is pulled with the
/// runtime, and its digest is not recorded.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Add {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    pull: Pull,
    /// Add the images in this file: one reference per line, # starts a comment; - is standard input
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Also pull images that are already in the cache; the old file is kept (see --keep)
    #[arg(long)]
    force: bool,
    /// Show what would be pulled
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object per reference
    #[arg(long)]
    json: bool,
    /// References to add: ubuntu:22.04, docker://quay.io/o/i:1, o/i@sha256:..., or URIs of oras,
    /// library, https and http
    #[arg(value_hint = REFERENCE, value_name = "REF", required_unless_present = "from")]
    references: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  One image:
      sifcache add determinedai/environments:cuda-11.3-pytorch-1.10-tf-2.8-gpu-69f397f
  All missing images of a list, which you can keep in git:
      sifcache add --from images.txt --jobs 4
  References that jobs requested but did not find:
      sifcache misses --refs | sifcache add --from -
  For the nodes of another architecture:
      sifcache add --into /shared/sif-arm64 --arch arm64 ubuntu:22.04
  With the fastest compression, if all your hosts can read it (docs/compression.md):
      sifcache add --compression zstd ubuntu:22.04
  From a registry that needs credentials:
      sifcache add --docker-login registry.example.org/team/image:1

Exit status:
   0  all images are in the cache now
   1  some images are not, or a view is not current; standard error shows the reasons
  64  wrong usage, or an invalid image reference
  65  a line of a list is not a valid image reference, or the layers of the only image are invalid
  69  there is no runtime, or the pull of the only image failed
  73  something cannot be written
  77  not permitted
  78  the site's settings are invalid or missing, or jobs would not trust the image root
 130  interrupted; nothing is left behind

The JSON objects are described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Add) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let references = reference_list::gather(&args.references, &args.from)?;
    let root = site::target(&settings, args.change.into.as_deref())?;
    store::require(&root)?;
    let progress = Progress::new(args.json);
    let report = Report::new(&progress, args.json);
    let architecture = architecture::wanted(&root, args.pull.arch)?;
    if args.dry_run {
        let outcome = |reference: &Reference| plan(args, &settings, reference, architecture);
        return report.all(references.iter().map(|one| (one, Ok(outcome(one)))));
    }
    signals::watch()?;
    let begun = Begun::now(&root, Command::Add);
    let store = match Store::open_for(&root, &settings, architecture) {
        Err(failure) if failure.exit() == Exit::NO_PERMISSION => {
            let present = all_present(args, &settings, &root, &references, architecture);
            let present = present.ok_or(failure)?;
            return report.all(references.iter().zip(present.into_iter().map(Ok)));
        }
        store => store?,
    };
    let set_up = || puller(args, &settings, &store, &progress);
    let adder = Adder::new(&settings, &store, &progress, args.force, &set_up);
    let done = pool::each(args.pull.jobs.into(), &references, &|reference| {
        let outcome = signals::check().and_then(|()| adder.add(reference, &Watch::default()));
        let reported = report.one(reference, &outcome);
        outcome.and(reported)
    });
    begun.end(update::after(&settings, &root, outcome::exit(done)))
}

/// The outcomes if nothing has to be changed: all images are in the cache, and the digests among the
/// references are recorded as requested.
fn all_present(
    args: &Add,
    settings: &Settings,
    root: &Path,
    references: &[Reference],
    architecture: Architecture,
) -> Option<Vec<Outcome>> {
    let is_recorded = |reference: &Reference, outcome: &Outcome| {
        let path = outcome.path.as_deref().filter(|_| reference.digest().is_some());
        path.is_none_or(|path| install::unpinned(root, path).is_none())
    };
    let one = |reference: &Reference| {
        let outcome = plan(args, settings, reference, architecture);
        let is_done = outcome.status == Status::Present && is_recorded(reference, &outcome);
        is_done.then_some(outcome)
    };
    references.iter().map(one).collect()
}

fn plan(
    args: &Add,
    settings: &Settings,
    reference: &Reference,
    architecture: Architecture,
) -> Outcome {
    match lookup::find_for(settings, reference, architecture) {
        Some(path) if !args.force && squashfs::check(&path).is_ok() => {
            Outcome::of(Status::Present, path)
        }
        _ => Outcome::without_path(Status::WouldPull),
    }
}

fn puller<'a>(
    args: &Add,
    settings: &Settings,
    store: &'a Store,
    progress: &'a Progress,
) -> Result<Puller<'a>, Failure> {
    let (change, pull) = (&args.change, &args.pull);
    let credentials = Credentials::find(pull.docker_login, pull.authfile.as_deref())?;
    Puller::new(store, settings, change, pull, credentials, progress)
}
