//! Pulls one image from its registry into the cache with the site's own runtime.

use crate::cache::hash::{self, Content};
use crate::cache::image_name;
use crate::cache::install::NewImage;
use crate::cache::reserve::Reservations;
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::retention::Retention;
use crate::cache::store::scratch::Scratch;
use crate::cache::store::{Store, cannot_write};
use crate::error::Failure;
use crate::options::{Change, Pull};
use crate::pull::credentials::Credentials;
use crate::pull::registry::{self, Manifest, Registry};
use crate::pull::runtime::{self, PullOptions, Runtime};
use crate::pull::tmpdir;
use crate::ui::progress::{Progress, Task};
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use sifcache_core::sif::host_architecture;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The name of the image file in the scratch directory, where it is created.
const IMAGE: &str = "image.sif";

/// Everything that a pull needs. Concurrent pulls share it.
pub(crate) struct Puller<'a> {
    store: &'a Store,
    progress: &'a Progress,
    registry: Registry,
    credentials: Credentials,
    runtime: Runtime,
    version: String,
    retention: Retention,
    no_https: bool,
    verbose: bool,
    reservations: Reservations,
}

/// A pulled image that has been added to the cache.
#[derive(Debug)]
pub(crate) struct Pulled {
    /// Size of the file in bytes.
    pub(crate) size: u64,
    /// The duration of the pull.
    pub(crate) took: Duration,
    /// The digests that the reference pointed to; empty if the registry could not be queried.
    pub(crate) digests: Vec<String>,
    /// The path where the replaced file is kept, if there is one.
    pub(crate) kept: Option<PathBuf>,
    /// Whether the content was already in the cache under its digest.
    pub(crate) linked: bool,
}

impl<'a> Puller<'a> {
    /// Finds the runtime and prepares the registry client.
    ///
    /// # Errors
    /// If there is no runtime, or the network cannot be used.
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
            retention: Retention::new(change.keep),
            no_https: options.no_https,
            verbose: options.verbose,
            reservations: Reservations::default(),
        })
    }

    /// Pulls `reference` and stores the image as `name`, even if another file has that name. The
    /// caller must hold the lock of the name.
    ///
    /// # Errors
    /// If the pull fails; the name is then unchanged.
    pub(crate) fn pull(&self, reference: &Reference, name: &str) -> Result<Pulled, Failure> {
        let begun = Instant::now();
        self.store.can_hold(name)?;
        let uri = Transport::uri_of(&image_name::short(reference));
        let task = self.progress.start(&format!("pulling {uri}"));
        let manifest = self.manifest(reference, &task)?;
        let digests = manifest.as_ref().map(|m| m.digests.clone()).unwrap_or_default();
        let (store, progress, retention) = (self.store, self.progress, self.retention);
        let new_image = NewImage { store, progress, retention, reference, name, digests: &digests };
        let (size, kept, linked) = match self.link(&new_image)? {
            Some((size, kept)) => (size, kept, true),
            None => {
                let need = manifest.as_ref().map_or(0, |manifest| manifest.compressed);
                let (size, kept) = self.download(&new_image, need, &task)?;
                (size, kept, false)
            }
        };
        Ok(Pulled { size, took: begun.elapsed(), digests, kept, linked })
    }

    fn download(
        &self,
        new_image: &NewImage<'_>,
        need: u64,
        task: &Task,
    ) -> Result<(u64, Option<PathBuf>), Failure> {
        let _room = self.reservations.reserve(need, self.store.root(), &tmpdir::directory()?)?;
        let scratch = self.store.scratch()?;
        self.run(new_image, &scratch, task)?;
        task.say("checking");
        let image = scratch.path(IMAGE);
        self.store.finish(&image)?;
        let content = self.hash(&image, task)?;
        let size = content.size;
        let source = Transport::uri_of(&new_image.reference.to_string());
        let kept = new_image.commit(&image, source, Some(self.version.clone()), content)?;
        Ok((size, kept))
    }

    /// The registry's manifest of the reference. If the registry cannot be queried, the image is
    /// still pulled, but without recording a digest: this command queries a registry in the same
    /// way as Apptainer, and another runtime may reach it in another way.
    fn manifest(&self, reference: &Reference, task: &Task) -> Result<Option<Manifest>, Failure> {
        if !reference.transport().is_registry() {
            return Ok(None);
        }
        task.say("querying the registry");
        match self.registry.manifest(reference, self.store.architecture()) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(registry::Error::Stopped(failure)) => Err(failure),
            Err(error) if error.not_found() || error.no_platform() => {
                Err(Failure::Registry(error.to_string()))
            }
            Err(error) => {
                let short = image_name::short(reference);
                self.progress.note(&format!("{short}: pulled without its digest: {error}"));
                Ok(None)
            }
        }
    }

    /// Reuses the content if it is already in the cache under its digest, for example for another
    /// tag of the same image. Returns its size and the path where a replaced file is kept, or
    /// `None` if there is nothing to reuse.
    fn link(&self, new_image: &NewImage<'_>) -> Result<Option<(u64, Option<PathBuf>)>, Failure> {
        let named = |digest: &String| image_name::file_with_digest(new_image.reference, digest);
        let names = new_image.digests.iter().map(named);
        // A digest name of the file that is to be replaced does not count as another copy.
        let is_copy = |there: &String| {
            there != new_image.name
                && !self.store.is_one_file(there, new_image.name)
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
        let kept = self.store.place(&image, new_image.name, self.retention)?;
        let record = metadata::modified(&metadata)
            .and_then(|time| Record::load(self.store.root(), &there, metadata.len(), time));
        if let Some(record) = record {
            new_image.record(&Record { reference: new_image.reference.to_string(), ..record });
        }
        new_image.link_digests()?;
        Ok(Some((metadata.len(), kept)))
    }

    /// Runs the pull. Uses the digest if it is known, because the tag may move in the meantime. A
    /// URL is used as typed.
    fn run(&self, new_image: &NewImage<'_>, scratch: &Scratch, task: &Task) -> Result<(), Failure> {
        let reference = new_image.reference;
        let image = match new_image.digests.first() {
            Some(digest) => format!("{}@{digest}", reference.full_repository()),
            None if reference.transport().is_web() => reference.transport().uri(reference.typed()),
            None => reference.to_string(),
        };
        let image = Transport::uri_of(&image);
        let base = tmpdir::directory()?;
        let build = Scratch::new(&base).map_err(|error| cannot_write(&base, error))?;
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
        let runtime = self.runtime.path().to_owned();
        Failure::Pull { runtime, problem: error.to_string() }
    }

    /// Reads the file once more to compute the hash that its record stores for `verify --deep`.
    fn hash(&self, image: &Path, task: &Task) -> Result<Content, Failure> {
        let mut file = File::open(image)?;
        hash::copy(&mut file, &mut io::sink(), task).map_err(|error| match error {
            hash::Error::Read(error) | hash::Error::Write(error) => error.into(),
            hash::Error::Stopped(failure) => failure,
        })
    }
}
