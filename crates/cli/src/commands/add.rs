//! `sifcache add`: pulls missing images.

use crate::cache::image_name;
use crate::cache::install;
use crate::cache::lookup;
use crate::cache::squashfs::{self, Damage};
use crate::cache::store::Store;
use crate::cache::store::architecture::{self, Architecture};
use crate::cache::view::update;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{Change, Pull, Site};
use crate::pull::credentials::Credentials;
use crate::pull::outcome::{self, Outcome, Report, Status};
use crate::pull::puller::Puller;
use crate::reference_list;
use crate::site;
use crate::system::pool;
use crate::system::signals;
use crate::ui::escape::escape_for_terminal;
use crate::ui::progress::Progress;
use clap::Args;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Pull images into the cache
///
/// sifcache downloads the layers and converts them to the SIF file that the site's own runtime
/// would have made, many times faster than the runtime does (docs/fill.md). Images that it does not
/// know how to convert are pulled with the runtime. Either way, the new file is a temporary file
/// beside the final path. It is checked as a job would check it, synced and made readable by all
/// users. It is then stored under the image's short name, and also under its digest, so that
/// references with a digest find it. Images that are already in the cache are left alone, unless
/// their root file system is truncated or damaged; those are pulled again.
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
    #[arg(value_name = "REF", required_unless_present = "from")]
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
    let progress = Progress::new(args.json);
    let report = Report::new(&progress, args.json);
    let architecture = architecture::wanted(&root, args.pull.arch)?;
    if args.dry_run {
        let outcome = |reference: &Reference| plan(args, &settings, reference, architecture);
        return report.all(references.iter().map(|one| (one, Ok(outcome(one)))));
    }
    signals::watch()?;
    let store = Store::open_for(&root, &settings, architecture)?;
    let adder = Adder { args, settings: &settings, store: &store, progress: &progress };
    let puller = OnceLock::new();
    let done = pool::each(args.pull.jobs.into(), &references, &|reference| {
        let outcome = adder.add(reference, &puller);
        report.one(reference, &outcome)?;
        outcome.map(drop)
    });
    update::after(&settings, &root, outcome::exit(done))
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

struct Adder<'a> {
    args: &'a Add,
    settings: &'a Settings,
    store: &'a Store,
    progress: &'a Progress,
}

impl<'a> Adder<'a> {
    fn add(
        &self,
        reference: &Reference,
        puller: &OnceLock<Result<Puller<'a>, Arc<Failure>>>,
    ) -> Result<Outcome, Failure> {
        signals::check()?;
        if let Some(path) = self.there(reference)? {
            if reference.digest().is_some() {
                install::pin(self.store, reference, &path);
            }
            return Ok(Outcome::of(Status::Present, path));
        }
        let name = image_name::file(reference);
        self.store.can_hold(&name)?;
        let waiting =
            || self.progress.note(&format!("{name}: another command is working on it; waiting"));
        let _lock = self.store.lock(&name, &waiting)?;
        if let Some(path) = self.there(reference)? {
            return Ok(Outcome::of(Status::Present, path));
        }
        if !self.args.force {
            self.store.refuse_own_image(&name)?;
        }
        // Set up only when needed: images that are already in the cache need neither a runtime nor
        // credentials.
        let puller = puller.get_or_init(|| self.puller()).as_ref();
        let puller = puller.map_err(|failure| Failure::Shared(Arc::clone(failure)))?;
        let pulled = puller.pull(reference, &name)?;
        let path = self.store.path(&name);
        match lookup::find_for(self.settings, reference, self.store.architecture()) {
            Some(found) if found == path => {
                Ok(Outcome::pulled(Status::Added, path, pulled, reference))
            }
            found => Err(lookup::not_found_there(&path, found.as_deref())),
        }
    }

    /// The image that a job finds, or `None` if it has to be pulled.
    fn there(&self, reference: &Reference) -> Result<Option<PathBuf>, Failure> {
        let found = lookup::find_for(self.settings, reference, self.store.architecture());
        let Some(path) = found.filter(|_| !self.args.force) else { return Ok(None) };
        let Err(damage) = squashfs::check(&path) else { return Ok(Some(path)) };
        let problem = damage.to_string();
        // Another pull would not help: jobs would still find this file first.
        if path != self.store.path(&image_name::file(reference)) {
            let advice = "remove it, or replace it there with --into";
            return Err(Failure::Damaged { path, problem, advice: advice.to_owned() });
        }
        if matches!(damage, Damage::Io(_)) {
            return Err(Failure::Unreadable { path, problem });
        }
        let path = escape_for_terminal(&path);
        self.progress.note(&format!("{path} is damaged: {problem}; pulling it again"));
        Ok(None)
    }

    fn puller(&self) -> Result<Puller<'a>, Arc<Failure>> {
        let (change, pull) = (&self.args.change, &self.args.pull);
        Credentials::find(pull.docker_login, pull.authfile.as_deref())
            .and_then(|found| {
                Puller::new(self.store, self.settings, change, pull, found, self.progress)
            })
            .map_err(Arc::new)
    }
}
