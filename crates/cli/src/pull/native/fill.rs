//! Converts an image to a SIF file in one pass: downloads, merges, compresses and verifies it.
//!
//! ```text
//! layers ──▶ tree of names ──────────────┬─▶ tables
//!        └─▶ contents ──▶ data blocks    │
//! template ──▶ runtime's files and rules ┘
//! ```
//!
//! The runtime builds the template while the layers are read. The contents of files go straight to
//! the new file, and the tables follow when the tree is complete.

use super::architecture::{self, Code};
use super::flush;
use super::layers::{self, LayerError};
use super::sink::{self, Sink};
use super::stages::{Stages, Stopwatch};
use super::template::{self, Template};
use crate::cache::hash;
use crate::cache::store::cannot_write;
use crate::error::Failure;
use crate::pull::registry::{self, Cancel, Content, Registry};
use crate::pull::runtime;
use crate::system::signals;
use crate::ui::progress::Task;
use sifcache_core::reference::Reference;
use sifcache_layers::{Limits, Merged, Merger};
use sifcache_squashfs::checksums::Checksums;
use sifcache_squashfs::compression::Compression;
use sifcache_squashfs::reader::{Damage, Reader, Stopped};
use sifcache_squashfs::sif;
use sifcache_squashfs::writer::{self, BLOCK_SIZE, Finished, Writer};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The end of the table of objects in a SIF file, in bytes.
const SIF_TABLE: u64 = 32_176;
/// The space for texts that do not depend on the config. The runtime uses about half of it.
const TEXTS: u64 = 8 << 10;
/// The texts repeat parts of the config: labels, environment, commands. Escaping can lengthen them.
const COPIES_OF_CONFIG: u64 = 4;
/// The partition begins at a multiple of this.
const PAGE: u64 = 4096;
/// The size to which the layers of any image may expand, in total: 4 GiB.
const EXPANDED: u64 = 4 << 30;
/// The size to which larger images may expand, as a multiple of the size of their compressed
/// layers. Images rarely reach 10.
const EXPANSION: u64 = 100;

/// An image to convert.
pub(crate) struct Job<'a> {
    /// Where the layers are.
    pub(crate) registry: &'a Registry,
    /// The image.
    pub(crate) reference: &'a Reference,
    /// Its config and layers.
    pub(crate) content: &'a Content,
    /// How the runtime builds the template.
    pub(crate) template: template::Request<'a>,
    /// The compression of the new file.
    pub(crate) compression: Compression,
    /// The path of the new file.
    pub(crate) image: &'a Path,
    /// Shows the downloaded bytes.
    pub(crate) task: &'a Task,
    /// Ends the downloads.
    pub(crate) cancel: &'a Cancel,
}

/// An image that was converted.
pub(crate) struct Converted {
    /// How long the stages took. The sync follows.
    pub(crate) stages: Stages,
    /// The hash and the size of the file.
    pub(crate) content: hash::Content,
}

/// Why an image was not converted.
#[derive(Debug)]
pub(crate) enum Error {
    /// The runtime has to convert the image, for this reason.
    Fallback(String),
    /// The layers cannot be downloaded. The runtime may reach the registry in a way that this
    /// command does not know.
    Download(registry::Error),
    /// The image cannot be converted, and the runtime could not convert it either.
    Failed(Failure),
}

impl Error {
    /// How long the registry asks to wait, if it does.
    fn delay(&self) -> Option<Duration> {
        match self {
            Self::Download(error) => error.delay(),
            Self::Fallback(_) | Self::Failed(_) => None,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Converts the image to the new file. The file is verified, but not synced.
///
/// # Errors
/// The runtime has to pull the image, or the conversion failed. The file may be there,
/// incomplete.
pub(crate) fn convert(job: &Job<'_>) -> Result<Converted, Error> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(job.image);
    let file = file.map_err(|error| cannot_write(job.image, error))?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let template = scope.spawn(|| {
            let template = Template::build(&job.template);
            stop.store(template.is_err(), Ordering::Relaxed);
            template
        });
        let (written, flushed) = flush::during(&file, || write(job, &file, &stop, template));
        let converted = written?;
        flushed.map_err(|error| cannot_write(job.image, error))?;
        Ok(converted)
    })
}

fn write(
    job: &Job<'_>,
    file: &File,
    stop: &AtomicBool,
    template: ScopedJoinHandle<'_, Result<Template, template::Error>>,
) -> Result<Converted, Error> {
    let (mut stages, mut watch) = (Stages::default(), Stopwatch::start());
    let (now, offset) = (now(), partition_offset(job.template.config));
    let options = writer::Options {
        offset,
        compression: job.compression,
        workers: workers(),
        block_size: BLOCK_SIZE,
        time: now,
    };
    let clone = file.try_clone().map_err(|error| cannot_write(job.image, error))?;
    let writer = Writer::new(clone, options).map_err(|error| writing(job, error))?;
    let mut sink = Sink { writer, stop };
    let merged = merge(job, now, &mut sink);
    let template = template.join().map_err(|_| Failure::Thread)?;
    let merged = match merged {
        // The registry asks for a pause, so an error of the template does not matter.
        Err(error) if error.delay().is_some() => return Err(error),
        merged => merged,
    };
    // A failure of the template also stops the merge, so it comes first.
    let template = template.map_err(no_template)?;
    let mut merged = merged?;
    let architecture = finish_tree(job, &template, &mut merged, now, &mut sink)?;
    stages.layers = watch.lap();
    job.task.say("writing");
    let finished = sink.writer.finish(&merged.tree).map_err(|error| writing(job, error))?;
    drop(merged);
    write_sif(&template, architecture, file, offset, finished.size)?;
    stages.tables = watch.lap();
    job.task.say("verifying");
    let content = check(job, file, offset, &finished)?;
    stages.verification = watch.lap();
    Ok(Converted { stages, content })
}

/// Merges the layers, lowest first.
fn merge(job: &Job<'_>, now: u32, sink: &mut Sink<'_>) -> Result<Merged, Error> {
    let size: u64 = job.content.layers.iter().map(|layer| layer.size).sum();
    let limit = size.saturating_mul(EXPANSION).max(EXPANDED);
    let on_bytes = |bytes: u64| job.task.advance(bytes);
    let options = layers::Options { limit, on_bytes: &on_bytes, cancel: job.cancel };
    let mut merger = Merger::new(Limits { bytes: limit, ..Limits::default() }, now);
    layers::with(job.registry, job.reference, &job.content.layers, options, |layers| {
        while let Some(mut layer) = layers.next().map_err(reading)? {
            signals::check()?;
            merger.layer(&mut layer, sink).map_err(|error| merging(job, error))?;
            layer.finish().map_err(reading)?;
        }
        Ok(())
    })
    .map(|()| merger.finish())
}

/// Turns the merged layers into the root file system that the runtime would pack. Returns the
/// architecture of its programs, if it has any.
fn finish_tree(
    job: &Job<'_>,
    template: &Template,
    merged: &mut Merged,
    now: u32,
    sink: &mut Sink<'_>,
) -> Result<Option<Code>, Error> {
    let rules = template.rules();
    rules.unpacked(merged, sink).map_err(|reason| Error::Fallback(reason.to_string()))?;
    template.lay_over(&mut merged.tree, now, sink).map_err(|error| match error {
        template::overlay::Error::Store(error) => storing(job, error),
        error @ template::overlay::Error::Unsupported { .. } => Error::Fallback(error.to_string()),
    })?;
    // The runtime looks at the programs before it packs them.
    let head = |content| sink.writer.head(content);
    let architecture = architecture::find(&merged.tree, template.is_privileged(), &head);
    let architecture = architecture.map_err(|error| Error::Fallback(error.to_string()))?;
    rules.packed(&mut merged.tree, sink);
    Ok(architecture)
}

/// Writes everything but the partition, as it is in the template except for the architecture.
fn write_sif(
    template: &Template,
    architecture: Option<Code>,
    file: &File,
    offset: u64,
    size: u64,
) -> Result<(), Error> {
    let fallback = |error: sif::Error| Error::Fallback(error.to_string());
    let mut sif = sif::read(template.file()).map_err(fallback)?;
    if let Some(code) = architecture {
        sif.set_architecture(code);
    }
    for object in sif.objects_mut() {
        object.data = template.texts().correct(&object.data).map_err(no_template)?;
    }
    sif::write_around(file, &sif, offset, size).map_err(|error| match error {
        sif::Error::Write(error) => Error::Failed(Failure::Io(error)),
        error => fallback(error),
    })
}

/// Verifies the new file and computes its hash, both at the same time: the hash takes one processor
/// only, and the data are in memory.
fn check(job: &Job<'_>, file: &File, offset: u64, new: &Finished) -> Result<hash::Content, Error> {
    thread::scope(|scope| {
        let content = scope.spawn(|| hash::of(job.image, job.task));
        verify(file, offset, new.size, &new.checksums)?;
        Ok(content.join().map_err(|_| Failure::Thread)??)
    })
}

/// Reads the new file back, decompresses each block and compares it with what was compressed.
fn verify(file: &File, offset: u64, size: u64, checksums: &Checksums) -> Result<(), Error> {
    let verified = file
        .try_clone()
        .map_err(Damage::from)
        .and_then(|file| Reader::open(file, offset, size))
        .and_then(|reader| {
            reader.verify(checksums, workers(), &mut |_| signals::check().map_err(|_| Stopped))
        });
    signals::check()?;
    verified.map_err(|damage| Failure::InvalidImage(damage.to_string()).into())
}

/// The offset of the partition. It is needed before the texts of the template are known.
fn partition_offset(config: &[u8]) -> u64 {
    let config = u64::try_from(config.len()).unwrap_or(u64::MAX);
    let texts = TEXTS.saturating_add(config.saturating_mul(COPIES_OF_CONFIG));
    SIF_TABLE.saturating_add(texts).next_multiple_of(PAGE)
}

fn now() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    u32::try_from(now).unwrap_or(u32::MAX)
}

fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn no_template(error: template::Error) -> Error {
    match error {
        template::Error::Runtime(runtime::Error::Stopped(failure)) => Error::Failed(failure),
        error => Error::Fallback(error.to_string()),
    }
}

fn merging(job: &Job<'_>, error: sifcache_layers::Error<sink::Error>) -> Error {
    match error {
        sifcache_layers::Error::Unsupported(reason) => Error::Fallback(reason.to_string()),
        sifcache_layers::Error::Invalid(reason) => {
            Failure::InvalidLayers(reason.to_string()).into()
        }
        sifcache_layers::Error::Read(error) => reading(error.into()),
        sifcache_layers::Error::Store(error) => storing(job, error),
    }
}

/// A failure to read a layer.
fn reading(error: LayerError) -> Error {
    match error {
        LayerError::Registry(registry::Error::Stopped(failure)) => Error::Failed(failure),
        LayerError::Registry(error) => Error::Download(error),
        error @ LayerError::TooLarge(_) => {
            Failure::InvalidLayers(format!("{error}; --engine runtime has no such limit")).into()
        }
        error if error.is_left_to_the_runtime() => Error::Fallback(error.to_string()),
        error => Failure::Registry(error.to_string()).into(),
    }
}

fn storing(job: &Job<'_>, error: sink::Error) -> Error {
    match error {
        sink::Error::Stopped(failure) => Error::Failed(failure),
        // The reason is the template's error, which is reported instead.
        sink::Error::NoTemplate => Error::Fallback("there is no template".to_owned()),
        sink::Error::Store(writer::StoreError::Read(error)) => reading(error.into()),
        sink::Error::Store(writer::StoreError::Write(error)) => writing(job, error),
    }
}

fn writing(job: &Job<'_>, error: writer::Error) -> Error {
    match error {
        writer::Error::Write(error) | writer::Error::ReadBack(error) => {
            cannot_write(job.image, error).into()
        }
        error => Error::Fallback(error.to_string()),
    }
}
