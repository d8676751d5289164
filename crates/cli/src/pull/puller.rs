//! Pulls one image from its registry into the cache.

mod compression;
mod convert;

use crate::cache::hash::{self, Content};
use crate::cache::image_name;
use crate::cache::install::NewImage;
use crate::cache::reserve::Reservations;
use crate::cache::store::Store;
use crate::cache::store::lock::Lock;
use crate::cache::store::metadata::{self, Record};
use crate::cache::store::retention::Retention;
use crate::error::Failure;
use crate::options::{Change, Engine, Pull};
use crate::pull::credentials::Credentials;
use crate::pull::native::stages::{Stages, Stopwatch};
use crate::pull::registry::{self, Image, Registry};
use crate::pull::runtime::{Runtime, Version};
use crate::pull::watch::Watch;
use crate::ui::progress::{Progress, Task};
use compression::Choice;
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::Reference;
use sifcache_core::settings::Settings;
use sifcache_squashfs::compression::Compression;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
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
    version: Version,
    retention: Retention,
    no_https: bool,
    engine: Engine,
    compression: Choice<'a>,
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
    /// What converted the image; `None` if nothing was converted.
    pub(crate) engine: Option<Used>,
}

/// What converted an image.
#[derive(Debug)]
pub(crate) enum Used {
    /// This command, with these stages.
    Native(Stages),
    /// The runtime's own pull.
    Runtime {
        /// Why this command did not convert the image, unless `--engine runtime` was given.
        fallback: Option<String>,
    },
}

impl Used {
    /// The word in JSON.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Native(_) => "native",
            Self::Runtime { .. } => "runtime",
        }
    }

    /// Why this command did not convert the image itself.
    pub(crate) fn fallback(&self) -> Option<&str> {
        match self {
            Self::Runtime { fallback } => fallback.as_deref(),
            Self::Native(_) => None,
        }
    }

    /// How long the stages of a conversion by this command took.
    pub(crate) fn stages(&self) -> Option<&Stages> {
        match self {
            Self::Native(stages) => Some(stages),
            Self::Runtime { .. } => None,
        }
    }
}

impl<'a> Puller<'a> {
    /// Finds the runtime and prepares the registry client.
    ///
    /// # Errors
    /// No runtime is found, its version cannot be determined, the trial of the compression cannot be
    /// started, or the HTTP clients cannot be created.
    pub(crate) fn new(
        store: &'a Store,
        settings: &Settings,
        change: &Change,
        options: &Pull,
        credentials: Credentials,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        let runtime = Runtime::find(settings, options.runtime.as_deref())?;
        let compression = match options.engine {
            Engine::Runtime => Choice::known(Compression::GZIP),
            _ => Choice::new(settings, options.compression, &runtime, store)?,
        };
        Ok(Self {
            store,
            progress,
            registry: Registry::new(options.no_https, credentials.clone())?,
            credentials,
            version: Version::of(&runtime)?,
            runtime,
            retention: Retention::new(change.keep),
            no_https: options.no_https,
            engine: options.engine,
            compression,
            verbose: options.verbose,
            reservations: Reservations::default(),
        })
    }

    /// Pulls `reference` and stores the image as `name`, even if another file has that name. The
    /// caller must hold the lock of the name.
    ///
    /// # Errors
    /// The pull fails; the name is then unchanged.
    pub(crate) fn pull(
        &self,
        reference: &Reference,
        name: &str,
        watch: &Watch<'_>,
    ) -> Result<Pulled, Failure> {
        let begun = Instant::now();
        self.store.can_hold(name)?;
        let uri = Transport::uri_of(&image_name::short(reference));
        let task = self.progress.start_with(&format!("pulling {uri}"), &watch.gauge);
        let image = self.image(reference, &task, watch)?;
        let digests =
            image.as_ref().map(|image| image.manifest.digests.clone()).unwrap_or_default();
        let _lock = self.lock_digest(reference, name, &digests, watch)?;
        let (store, progress, retention) = (self.store, self.progress, self.retention);
        let new_image = NewImage { store, progress, retention, reference, name, digests: &digests };
        let (size, kept, engine) = match self.link(&new_image)? {
            Some((size, kept)) => (size, kept, None),
            None => {
                let image = image.as_ref().map_err(String::as_str);
                if let Some(admit) = watch.admit {
                    admit(self.size(reference, image))?;
                }
                let (size, kept, used) = self.download(&new_image, image, &task, watch)?;
                (size, kept, Some(used))
            }
        };
        let linked = engine.is_none();
        Ok(Pulled { size, took: begun.elapsed(), digests, kept, linked, engine })
    }

    /// The size of the compressed layers, or of the file at a URL, if it is known.
    fn size(&self, reference: &Reference, image: Result<&Image, &str>) -> Option<u64> {
        if reference.transport().is_web() {
            return self.registry.size_of_url(&reference.transport().uri(reference.typed()));
        }
        stated(image)
    }

    fn download(
        &self,
        new_image: &NewImage<'_>,
        image: Result<&Image, &str>,
        task: &Task,
        watch: &Watch<'_>,
    ) -> Result<(u64, Option<PathBuf>, Used), Failure> {
        let scratch = self.store.scratch()?;
        let (mut used, content) =
            self.convert(new_image.reference, image, &scratch, task, watch)?;
        let mut stopwatch = Stopwatch::start();
        let image_file = scratch.path(IMAGE);
        if stated(image).is_none() {
            watch.check_size(fs::metadata(&image_file)?.len())?;
        }
        let image = image_file;
        let content = self.finish(&image, content, task)?;
        if let Used::Native(stages) = &mut used {
            stages.sync = stopwatch.lap();
        }
        let size = content.size;
        let source = Transport::uri_of(&new_image.reference.to_string());
        let kept =
            new_image.commit(&image, source, Some(self.version.text().to_owned()), content)?;
        Ok((size, kept, used))
    }

    /// The image as the registry describes it, or why the registry was not queried or gave no
    /// answer. The image is then still pulled, but without recording a digest: this command queries
    /// a registry in the same way as Apptainer, and another runtime may reach it in another way.
    fn image(
        &self,
        reference: &Reference,
        task: &Task,
        watch: &Watch<'_>,
    ) -> Result<Result<Image, String>, Failure> {
        if !reference.transport().is_registry() {
            return Ok(Err("it is not from a registry of docker images".to_owned()));
        }
        task.say("querying the registry");
        match self.registry.image(reference, self.store.architecture()) {
            Ok(image) => Ok(Ok(image)),
            Err(registry::Error::Stopped(failure)) => Err(failure),
            Err(error) if watch.stop_if_busy && error.delay().is_some() => Err(busy(&error)),
            Err(error) if error.not_found() || error.no_platform() => {
                Err(Failure::Registry(error.to_string()))
            }
            Err(error) => {
                let short = image_name::short(reference);
                self.progress.note(&format!("{short}: pulled without its digest: {error}"));
                Ok(Err(format!("its registry cannot be queried: {error}")))
            }
        }
    }

    /// Locks the digest, so that two names of one image are not downloaded at the same time, even
    /// by two hosts: the second pull waits and then finds the content of the first. A digest that
    /// is pulled under its own name is already locked. There is no deadlock, because no process
    /// that holds the lock of a digest waits for the lock of a tag.
    fn lock_digest(
        &self,
        reference: &Reference,
        name: &str,
        digests: &[String],
        watch: &Watch<'_>,
    ) -> Result<Option<Lock>, Failure> {
        let Some(digest) = digests.last() else { return Ok(None) };
        let pinned = image_name::file_with_digest(reference, digest);
        if pinned == name {
            return Ok(None);
        }
        let waiting = || {
            let short = image_name::short(reference);
            self.progress.note(&format!("{short}: its digest is being pulled; waiting"));
        };
        self.store.lock_while(&pinned, &waiting, &|| watch.wait()).map(Some)
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

    /// Syncs the new image and checks it. Returns its hash, which its record stores for
    /// `verify --deep`, and which is computed if it is not known yet.
    fn finish(
        &self,
        image: &Path,
        known: Option<Content>,
        task: &Task,
    ) -> Result<Content, Failure> {
        if let Some(content) = known {
            self.store.finish(image)?;
            return Ok(content);
        }
        task.say("checking");
        // The hash takes processor time, and the sync waits for the disk.
        thread::scope(|scope| {
            let content = scope.spawn(|| hash::of(image, task));
            self.store.finish(image)?;
            content.join().map_err(|_| Failure::Thread)?
        })
    }
}

/// The size that a manifest states, if there is one.
fn stated(image: Result<&Image, &str>) -> Option<u64> {
    image.ok().map(|image| image.manifest.compressed).filter(|bytes| *bytes > 0)
}

/// The failure for a registry that asks for a pause.
fn busy(error: &registry::Error) -> Failure {
    Failure::Busy { message: error.to_string(), delay: error.delay().unwrap_or_default() }
}
