//! `sifcache import`: adds a local SIF file, for clusters without internet access.

use crate::cache::hash::{self, Content};
use crate::cache::image_name;
use crate::cache::install::NewImage;
use crate::cache::lookup;
use crate::cache::reserve;
use crate::cache::sif_metadata::{self, Origin};
use crate::cache::squashfs;
use crate::cache::store::architecture::{self, Architecture};
use crate::cache::store::retention::Retention;
use crate::cache::store::{Store, cannot_write};
use crate::cache::view::update;
use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{Change, REFERENCE, Site};
use crate::pull::outcome::{Outcome, Report, Status};
use crate::pull::puller::Pulled;
use crate::site;
use crate::system::signals;
use crate::ui::escape::escape_for_terminal;
use crate::ui::progress::Progress;
use clap::Args;
use sifcache_core::image::{Root, State};
use sifcache_core::reference::Reference;
use sifcache_core::settings::{Settings, Untrusted};
use sifcache_core::sif;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Add a local SIF file to the cache
///
/// For clusters without internet access: pull the image elsewhere, copy the file to the cluster,
/// and import it. The file is copied beside its final path, checked, synced and made readable for
/// all before it gets the image's name. Plain cp into the image root also works, but without these
/// checks.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Import {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    change: Change,
    /// Replace an existing image with the same reference; the old file is kept (see --keep)
    #[arg(long)]
    force: bool,
    /// The digest that the reference pointed to when the file was pulled, so that references with
    /// this digest also find it; `sifcache list --json` shows it on the system where the image was
    /// pulled
    #[arg(long, value_name = "sha256:HEX")]
    digest: Vec<String>,
    /// The architecture that the file must have, as a Go name (arm64); by default the one declared
    /// for the image root (docs/cache.md), else this host's
    #[arg(long, value_name = "ARCH", value_parser = architecture::parse)]
    arch: Option<Architecture>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The SIF file; - is standard input
    file: PathBuf,
    /// The reference that jobs use for it; by default the one that the file was pulled from, as
    /// recorded in the file by the runtime
    #[arg(value_hint = REFERENCE, value_name = "REF")]
    reference: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  On a machine with internet access, and then on the cluster:
      apptainer pull env.sif docker://determinedai/environments:cpu
      sifcache import env.sif determinedai/environments:cpu
  The same without a file in between:
      ssh outside cat env.sif | sifcache import - determinedai/environments:cpu
  Under the reference that `apptainer pull` recorded in the file:
      sifcache import alpine_3.20.sif

Exit status:
   0  the image is in the cache
   1  the image is in the cache, but a view is not current
  64  wrong usage, or REF is not a valid image reference
  65  the file is not a valid image for this host
  73  there is no space, or an image of that name already exists
  74  reading or writing failed
  77  not permitted
  78  the site's settings are invalid or missing, or jobs would not trust the image root
 130  interrupted; nothing is left behind

The JSON object is described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Import) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    let root = site::target(&settings, args.change.into.as_deref())?;
    let architecture = architecture::wanted(&root, args.arch)?;
    let size = size(&args.file, architecture)?;
    let origin = if is_pipe(&args.file) { None } else { sif_metadata::origin(&args.file) };
    let reference = reference(args, origin.as_ref())?;
    for digest in &args.digest {
        if !reference.transport().is_registry() {
            return Err(Failure::NoDigests(image_name::short(&reference)));
        }
        image_name::parse(&image_name::with_digest(&reference, digest))?;
    }
    let progress = Progress::new(args.json);
    signals::watch()?;
    let store = Store::open_for(&root, &settings, architecture)?;
    // A digest that the file records for another reference does not apply to this one.
    let origin = origin.filter(|origin| origin.reference.to_string() == reference.to_string());
    let recorded = origin.and_then(|origin| origin.digest);
    let importer =
        Importer { args, settings: &settings, store: &store, progress: &progress, recorded };
    let outcome = importer.import(&reference, size)?;
    let reported = Report::new(&progress, args.json).one(&reference, &Ok(outcome));
    update::after(&settings, &root, reported.map(|()| Exit::OK))
}

/// The reference for the file: the one given on the command line, else the one that it was pulled
/// from.
fn reference(args: &Import, origin: Option<&Origin>) -> Result<Reference, Failure> {
    match (&args.reference, origin) {
        (Some(text), _) => image_name::parse(text),
        (None, Some(origin)) => Ok(origin.reference.clone()),
        (None, None) => Err(Failure::NoRecordedReference(args.file.clone())),
    }
}

/// The size of the file in bytes, or 0 for a pipe. A file that is not a valid image is refused
/// before it is copied.
fn size(file: &Path, architecture: Architecture) -> Result<u64, Failure> {
    let failed = |error| Failure::read(file, error);
    if is_pipe(file) {
        return Ok(0);
    }
    let path = std::path::absolute(file)?;
    let metadata = fs::metadata(&path).map_err(failed)?;
    if !metadata.is_file() {
        return Ok(0);
    }
    let (parent, name) = (path.parent(), path.file_name());
    let name = name.unwrap_or_default().to_string_lossy();
    let root = Root::enter(parent.unwrap_or(Path::new("/")), Untrusted::Accept);
    match architecture::check(&root, &name, architecture) {
        State::Image => Ok(metadata.len()),
        state => {
            let problem = architecture::describe(&state, architecture).to_string();
            let advice = match state {
                State::WrongArchitecture(actual) if actual != sif::UNKNOWN_ARCHITECTURE => {
                    format!("; use --arch {actual}")
                }
                _ => String::new(),
            };
            Err(Failure::InvalidFile { path: file.to_owned(), problem, advice })
        }
    }
}

fn is_pipe(file: &Path) -> bool {
    file.as_os_str() == "-"
}

struct Importer<'a> {
    args: &'a Import,
    settings: &'a Settings,
    store: &'a Store,
    progress: &'a Progress,
    /// The digest that the runtime recorded in the file.
    recorded: Option<String>,
}

impl Importer<'_> {
    fn import(&self, reference: &Reference, size: u64) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let name = image_name::file(reference);
        self.store.can_hold(&name)?;
        let waiting =
            || self.progress.note(&format!("{name}: another command is working on it; waiting"));
        let _lock = self.store.lock(&name, &waiting)?;
        if !self.args.force && self.store.is_image(&name) {
            let path = self.store.path(&name);
            let state = match squashfs::check(&path) {
                Ok(()) => String::new(),
                Err(damage) => format!(", but it is damaged: {damage}"),
            };
            return Err(Failure::Exists { path, state });
        }
        if !self.args.force {
            self.store.refuse_own_image(&name)?;
        }
        if let Some(free) = self.store.free().filter(|free| *free < size) {
            return Err(reserve::too_little(self.store.root(), size, free));
        }
        let retention = Retention::new(self.args.change.keep);
        let digests = self.digests(reference);
        let (store, progress) = (self.store, self.progress);
        let new_image =
            NewImage { store, progress, retention, reference, name: &name, digests: &digests };
        let scratch = self.store.scratch()?;
        let temporary = scratch.path("image.sif");
        let content = self.copy(&name, size, &temporary)?;
        self.store.finish(&temporary)?;
        let size = content.size;
        let kept = new_image.commit(&temporary, self.source(), None, content)?;
        let path = self.store.path(&name);
        let pulled =
            Pulled { size, took: begun.elapsed(), digests, kept, linked: false, engine: None };
        match lookup::find_for(self.settings, reference, self.store.architecture()) {
            Some(found) if found == path => {
                Ok(Outcome::pulled(Status::Added, path, pulled, reference))
            }
            found => Err(lookup::not_found_there(&path, found.as_deref())),
        }
    }

    fn digests(&self, reference: &Reference) -> Vec<String> {
        let own = reference.digest().map(str::to_owned);
        let given = own.into_iter().chain(self.args.digest.iter().cloned());
        let mut digests: Vec<String> = Vec::new();
        for digest in given.chain(self.recorded.clone()) {
            if !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        digests
    }

    fn copy(&self, name: &str, size: u64, temporary: &Path) -> Result<Content, Failure> {
        let task = self.progress.bytes(&format!("importing {name}"), size);
        let failed = |error| cannot_write(temporary, error);
        let mut to = File::create(temporary).map_err(failed)?;
        let mut from: Box<dyn hash::Source> = match is_pipe(&self.args.file) {
            true => Box::new(io::stdin().lock()),
            false => Box::new(File::open(&self.args.file)?),
        };
        hash::copy(&mut *from, &mut to, &task).map_err(|error| match error {
            hash::Error::Write(error) => failed(error),
            hash::Error::Stopped(failure) => failure,
            hash::Error::Read(error) => Failure::read(&self.args.file, error),
        })
    }

    fn source(&self) -> String {
        match is_pipe(&self.args.file) {
            true => "-".to_owned(),
            false => escape_for_terminal(&self.args.file),
        }
    }
}
