//! One image from its registry into the cache, by the site's own runtime.

use crate::cache::hash::{self, Content};
use crate::cache::image_name;
use crate::cache::install::Arrival;
use crate::cache::reserve::Reservations;
use crate::cache::store::kept::Keep;
use crate::cache::store::metadata::{self, Known};
use crate::cache::store::scratch::Scratch;
use crate::cache::store::{Store, cannot_write};
use crate::error::{Exit, Failure};
use crate::options::{Change, Pull};
use crate::pull::credentials::Credentials;
use crate::pull::registry::{self, Manifest, Registry};
use crate::pull::runtime::{self, PullOptions, Runtime};
use crate::pull::tmpdir;
use crate::ui::output::plain;
use crate::ui::progress::{Progress, Task};
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use sifcache_core::sif::host_architecture;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a file is called while it is made.
const IMAGE: &str = "image.sif";

/// All that a pull needs; shared by pulls at once.
pub(crate) struct Puller<'a> {
    store: &'a Store,
    progress: &'a Progress,
    registry: Registry,
    credentials: Credentials,
    runtime: Runtime,
    version: String,
    keep: Keep,
    no_https: bool,
    verbose: bool,
    reservations: Reservations,
}

/// A pulled image in its place.
#[derive(Debug)]
pub(crate) struct Pulled {
    /// Its size, in bytes.
    pub(crate) size: u64,
    /// How long it took.
    pub(crate) took: Duration,
    /// What the reference pointed at, as far as the registry said it.
    pub(crate) digests: Vec<String>,
    /// Where the file is kept that had the name before.
    pub(crate) kept: Option<PathBuf>,
    /// Whether the content was in the cache already, under its digest.
    pub(crate) linked: bool,
}

impl<'a> Puller<'a> {
    /// Finds the runtime.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn new(
        store: &'a Store,
        settings: &Settings,
        change: &Change,
        options: &Pull,
        credentials: Credentials,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        let runtime = Runtime::find(settings, options.runtime.as_deref())?;
        Ok(Self {
            store,
            progress,
            registry: Registry::new(options.no_https, credentials.clone())?,
            credentials,
            version: runtime.version(),
            runtime,
            keep: Keep::new(change.keep),
            no_https: options.no_https,
            verbose: options.verbose,
            reservations: Reservations::default(),
        })
    }

    /// Pulls `reference` and gives the image the name, whatever has it now. Whoever calls
    /// holds the name's lock.
    ///
    /// # Errors
    /// Why that failed; then the name is what it was before.
    pub(crate) fn pull(&self, reference: &Reference, name: &str) -> Result<Pulled, Failure> {
        let begun = Instant::now();
        self.store.can_hold(name)?;
        let task =
            self.progress.start(&format!("pulling docker://{}", image_name::short(reference)));
        let manifest = self.manifest(reference, &task)?;
        let digests = manifest.as_ref().map(|m| m.digests.clone()).unwrap_or_default();
        let (store, progress, keep) = (self.store, self.progress, self.keep);
        let arrival = Arrival { store, progress, keep, reference, name, digests: &digests };
        let (size, kept, linked) = match self.link(&arrival)? {
            Some((size, kept)) => (size, kept, true),
            None => {
                let need = manifest.as_ref().map_or(0, |manifest| manifest.compressed);
                let (size, kept) = self.download(&arrival, need, &task)?;
                (size, kept, false)
            }
        };
        Ok(Pulled { size, took: begun.elapsed(), digests, kept, linked })
    }

    fn download(
        &self,
        arrival: &Arrival<'_>,
        need: u64,
        task: &Task,
    ) -> Result<(u64, Option<PathBuf>), Failure> {
        let _room = self.reservations.reserve(need, self.store.root(), &tmpdir::directory()?)?;
        let scratch = self.store.scratch()?;
        self.run(arrival, &scratch, task)?;
        task.say("checking");
        let image = scratch.path(IMAGE);
        self.store.finish(&image)?;
        let content = self.hash(&image, task)?;
        let size = content.size;
        let source = format!("docker://{}", arrival.reference);
        let kept = arrival.settle(&image, source, Some(self.version.clone()), content)?;
        Ok((size, kept))
    }

    /// What the registry says of the reference. A registry that only another runtime than
    /// Apptainer can reach costs the digest and no more.
    fn manifest(&self, reference: &Reference, task: &Task) -> Result<Option<Manifest>, Failure> {
        task.say("asking the registry");
        match self.registry.manifest(reference, self.store.architecture()) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(registry::Error::Stopped(failure)) => Err(failure),
            Err(error) if error.not_found() || error.no_platform() => {
                Err(Failure::new(Exit::UNAVAILABLE, error.to_string()))
            }
            Err(error) => {
                let short = image_name::short(reference);
                self.progress.note(&format!("{short}: pulled without its digest: {error}"));
                Ok(None)
            }
        }
    }

    /// The content may be here already, under its digest: another tag of the same image.
    fn link(&self, arrival: &Arrival<'_>) -> Result<Option<(u64, Option<PathBuf>)>, Failure> {
        let named = |digest: &String| image_name::with_digest(arrival.reference, digest);
        let names = arrival.digests.iter().map(named);
        // The file that is to be pulled again is no copy of the one that it gets.
        let is_copy = |there: &String| {
            there != arrival.name
                && !self.store.is_one_file(there, arrival.name)
                && self.store.is_whole_image(there)
        };
        let mut there = names.filter(is_copy);
        let Some(there) = there.next() else { return Ok(None) };
        let scratch = self.store.scratch()?;
        let image = scratch.path(IMAGE);
        if fs::hard_link(self.store.path(&there), &image).is_err() {
            return Ok(None);
        }
        let metadata = fs::metadata(&image)?;
        let kept = self.store.place(&image, arrival.name, self.keep)?;
        let known = metadata::modified(&metadata)
            .and_then(|time| Known::load(self.store.root(), &there, metadata.len(), time));
        if let Some(known) = known {
            arrival.record(&Known { reference: arrival.reference.to_string(), ..known });
        }
        arrival.link_digests()?;
        Ok(Some((metadata.len(), kept)))
    }

    /// The pull itself. By its digest, if that is known: the tag may move meanwhile.
    fn run(&self, arrival: &Arrival<'_>, scratch: &Scratch, task: &Task) -> Result<(), Failure> {
        let image = match arrival.digests.first() {
            Some(digest) => format!("docker://{}@{digest}", arrival.reference.full_repository()),
            None => format!("docker://{}", arrival.reference),
        };
        let base = tmpdir::directory()?;
        let build = Scratch::new(&base).map_err(|error| cannot_write(&base, &error))?;
        let options = PullOptions {
            no_https: self.no_https,
            credentials: &self.credentials,
            tmpdir: build.directory(),
            lock: scratch.lock(),
            architecture: Some(self.store.architecture()).filter(|one| *one != host_architecture()),
        };
        let pulled =
            self.runtime.pull(&image, &scratch.path(IMAGE), &options, &|line| task.say(line));
        pulled.map_err(|error| self.explain(error))
    }

    fn explain(&self, error: runtime::Error) -> Failure {
        if let runtime::Error::Stopped(failure) = error {
            return failure;
        }
        if self.verbose {
            self.progress.note(&error.output());
        }
        let message = format!("{} cannot pull it: {error}", plain(self.runtime.path()));
        Failure::new(Exit::UNAVAILABLE, message)
    }

    /// Reads the file once more: what its record will say for `verify --deep`.
    fn hash(&self, image: &Path, task: &Task) -> Result<Content, Failure> {
        let mut file = File::open(image)?;
        hash::copy(&mut file, &mut io::sink(), task).map_err(|error| match error {
            hash::Error::Read(error) | hash::Error::Write(error) => error.into(),
            hash::Error::Stopped(failure) => failure,
        })
    }
}
