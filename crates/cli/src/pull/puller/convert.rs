//! Converts an image to a SIF file: with this command, or else with the runtime's own pull.

use super::{IMAGE, Puller, Used, busy, stated};
use crate::cache::hash;
use crate::cache::image_name;
use crate::cache::store::scratch::Scratch;
use crate::error::Failure;
use crate::options::Engine;
use crate::pull::growth::Growth;
use crate::pull::native::fill::{self, Converted, Job};
use crate::pull::native::template::{Request, Source};
use crate::pull::registry::{self, Content, Image};
use crate::pull::runtime::{self, PullOptions};
use crate::pull::tmpdir;
use crate::pull::watch::Watch;
use crate::ui::progress::Task;
use sifcache_core::image_uri::Transport;
use sifcache_core::reference::Reference;
use sifcache_core::sif::host_architecture;
use sifcache_squashfs::compression::Compression;
use std::fs;
use std::time::Duration;

/// The space that this command needs in the temporary directory: the template, with some reserve.
const TEMPLATE_SPACE: u64 = 10 << 20;
/// Assumed ratio of the space for unpacking to the size of the compressed layers: the unpacked
/// layers are larger than the compressed ones, and both exist at the same time.
const UNPACKED: u64 = 3;

impl Puller<'_> {
    /// Creates the file [`IMAGE`] in `scratch`. `image` is an error if the registry does not know
    /// the image, or was not asked: the reason why only the runtime can pull it. Returns the hash
    /// of the file too, if this command converted the image.
    pub(super) fn convert(
        &self,
        reference: &Reference,
        image: Result<&Image, &str>,
        scratch: &Scratch,
        task: &Task,
        watch: &Watch<'_>,
    ) -> Result<(Used, Option<hash::Content>), Failure> {
        if self.engine == Engine::Runtime {
            self.run(reference, image.ok(), scratch, (task, watch))?;
            return Ok((Used::Runtime { fallback: None }, None));
        }
        let why = match image {
            Err(why) => why.to_owned(),
            Ok(image) => match &image.content {
                Err(fallback) => fallback.to_string(),
                Ok(content) => match self.native(reference, image, content, scratch, (task, watch))
                {
                    Ok(new) => return Ok((Used::Native(new.stages), Some(new.content))),
                    Err(fill::Error::Failed(failure)) => return Err(failure),
                    Err(fill::Error::Fallback(why)) => why,
                    Err(fill::Error::Download(error))
                        if watch.stop_if_busy && error.delay().is_some() =>
                    {
                        return Err(busy(&error));
                    }
                    Err(fill::Error::Download(registry::Error::Cancelled)) => String::new(),
                    Err(fill::Error::Download(error)) if self.engine == Engine::Native => {
                        return Err(Failure::Registry(error.to_string()));
                    }
                    Err(fill::Error::Download(error)) => {
                        format!("a part of it cannot be downloaded: {error}")
                    }
                },
            },
        };
        // After a cancelled download, the runtime must not try it either.
        watch.check()?;
        if self.engine == Engine::Native {
            return Err(Failure::NotNative(why));
        }
        if self.verbose {
            let short = image_name::short(reference);
            self.progress.note(&format!("{short}: pulled with the runtime: {why}"));
        }
        // What an incomplete conversion has left.
        let _ = fs::remove_file(scratch.path(IMAGE));
        self.run(reference, image.ok(), scratch, (task, watch))?;
        Ok((Used::Runtime { fallback: Some(why) }, None))
    }

    /// Converts the image with this command. If its compression turns out to be unusable on this
    /// host, converts it again.
    fn native(
        &self,
        reference: &Reference,
        image: &Image,
        content: &Content,
        scratch: &Scratch,
        watched: (&Task, &Watch<'_>),
    ) -> Result<Converted, fill::Error> {
        let first = self.compression.likely();
        let converted = self.fill(reference, image, content, scratch, first, watched)?;
        match self.compression.proven(self.progress)? {
            proven if proven == first => Ok(converted),
            proven => {
                fs::remove_file(scratch.path(IMAGE)).map_err(Failure::Io)?;
                self.fill(reference, image, content, scratch, proven, watched)
            }
        }
    }

    fn fill(
        &self,
        reference: &Reference,
        image: &Image,
        content: &Content,
        scratch: &Scratch,
        compression: Compression,
        (task, watch): (&Task, &Watch<'_>),
    ) -> Result<Converted, fill::Error> {
        let config = self.registry.config(reference, content, &watch.cancel).map_err(no_config)?;
        let base = tmpdir::directory()?;
        let packed = image.manifest.compressed;
        let spaces = [(self.store.root(), packed), (base.as_path(), TEMPLATE_SPACE)];
        let _room = self.reservations.reserve(&spaces)?;
        let template = Scratch::new(&base).map_err(|error| Failure::output(&base, error))?;
        let source = Source {
            reference: requested(reference, Some(image)),
            full_reference: requested(reference, Some(image)),
            digest: image.manifest.digests.first().cloned().unwrap_or_default(),
        };
        task.expect(packed);
        fill::convert(&Job {
            registry: &self.registry,
            reference,
            content,
            template: Request {
                runtime: &self.runtime,
                version: &self.version,
                config: &config,
                source: &source,
                directory: template.directory(),
                lock: scratch.lock(),
                architecture: self.other_architecture(),
            },
            compression,
            image: &scratch.path(IMAGE),
            task,
            cancel: &watch.cancel,
        })
    }

    /// Runs the runtime's pull.
    fn run(
        &self,
        reference: &Reference,
        image: Option<&Image>,
        scratch: &Scratch,
        (task, watch): (&Task, &Watch<'_>),
    ) -> Result<(), Failure> {
        let base = tmpdir::directory()?;
        let packed = image.map_or(0, |image| image.manifest.compressed);
        let spaces =
            [(self.store.root(), packed), (base.as_path(), packed.saturating_mul(UNPACKED))];
        let _room = self.reservations.reserve(&spaces)?;
        let build = Scratch::new(&base).map_err(|error| Failure::output(&base, error))?;
        let options = PullOptions {
            no_https: self.no_https,
            credentials: &self.credentials,
            tmpdir: build.directory(),
            lock: scratch.lock(),
            architecture: self.other_architecture(),
        };
        let uri = Transport::uri_of(&requested(reference, image));
        let file = scratch.path(IMAGE);
        let report = |line: &str| {
            watch.gauge.touch();
            task.say(line);
        };
        let growth = Growth::new([scratch.directory(), build.directory()]);
        let is_unknown = stated(image.ok_or("")).is_none();
        let check = || {
            watch.check()?;
            if !growth.has_grown() {
                return Ok(());
            }
            watch.gauge.touch();
            match fs::metadata(&file) {
                Ok(metadata) if is_unknown => watch.check_size(metadata.len()),
                _ => Ok(()),
            }
        };
        let pulled = self.runtime.pull(&uri, &file, &options, &report, &check);
        pulled.map_err(|error| match error.is_about_a_rate_limit() && watch.stop_if_busy {
            // The runtime does not say how long.
            true => Failure::Busy { message: error.to_string(), delay: Duration::ZERO },
            false => self.explain(error),
        })
    }

    /// The architecture to convert for, if it is not this host's.
    fn other_architecture(&self) -> Option<crate::cache::store::architecture::Architecture> {
        Some(self.store.architecture()).filter(|one| *one != host_architecture())
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
}

/// The failure if the config cannot be downloaded.
fn no_config(error: registry::Error) -> fill::Error {
    match error {
        registry::Error::Stopped(failure) => fill::Error::Failed(failure),
        error if error.delay().is_some() => fill::Error::Download(error),
        error => fill::Error::Fallback(format!("its config cannot be downloaded: {error}")),
    }
}

/// The reference that is pulled. It has the digest, if that is known, because the tag may move in
/// the meantime. A URL is used as typed.
fn requested(reference: &Reference, image: Option<&Image>) -> String {
    match image.and_then(|image| image.manifest.digests.first()) {
        Some(digest) => format!("{}@{digest}", reference.full_repository()),
        None if reference.transport().is_web() => reference.transport().uri(reference.typed()),
        None => reference.to_string(),
    }
}
