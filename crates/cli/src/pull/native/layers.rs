//! The layers of an image as streams of tar bytes, lowest first.
//!
//! Each layer has two threads: one downloads it into a bounded pipe, and once the layer is the next
//! one to be read, another decompresses it into a second pipe. Upper layers are downloaded while
//! lower ones are read, as far as their data fit into the pipes: nothing is written to disk.
//!
//! ```text
//! registry -> download thread -> pipe (BUFFER) -> decompression thread -> pipe (OUTPUT) -> reader
//! ```
//!
//! An error of a thread arrives at the reader after the data that precede it. The digest of a layer
//! is checked before the reader gets its end.

mod decompress;
mod error;
mod pipe;

pub(crate) use error::LayerError;

use crate::pull::registry::{Blob, Cancel, Descriptor, Registry};
use decompress::Limit;
use pipe::{Abandoned, Receiver, Sender};
use sifcache_core::reference::Reference;
use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::slice;
use std::thread::{self, Builder, Scope};

/// The maximum number of layers that are downloaded before they are read.
const AHEAD: usize = 6;

/// The maximum number of compressed bytes of one layer in memory.
const BUFFER: u64 = 16 << 20;

/// The maximum number of compressed bytes of all layers in memory.
const BUFFERS: u64 = 48 << 20;

/// The maximum number of decompressed bytes in memory.
const OUTPUT: usize = 8 << 20;

/// The number of bytes in a part of the data, except for the last one.
const PART: usize = 256 << 10;

/// How the layers are read.
#[derive(Clone, Copy)]
pub(crate) struct Options<'a> {
    /// The maximum number of decompressed bytes of all layers together.
    pub(crate) limit: u64,
    /// Called with the number of compressed bytes that have arrived, from several threads.
    pub(crate) on_bytes: &'a (dyn Fn(u64) + Sync),
    /// Ends the downloads.
    pub(crate) cancel: &'a Cancel,
}

/// The layers of an image that have not been read.
pub(crate) struct Layers<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    registry: &'env Registry,
    reference: &'env Reference,
    options: Options<'env>,
    /// The layers whose download has not begun.
    rest: slice::Iter<'env, Descriptor>,
    downloads: VecDeque<Download<'env>>,
    /// The bytes in memory that the layer that is read at the moment may need.
    current: u64,
    limit: Limit,
    cancel: Cancel,
}

/// A layer that is being downloaded.
struct Download<'env> {
    source: &'env Descriptor,
    data: Receiver,
}

/// The tar bytes of a layer.
pub(crate) struct Layer(Receiver);

/// Reads layers with `consume`. All threads have ended when this returns: downloads that are no
/// longer needed are cancelled.
///
/// # Panics
/// If one of the threads panics.
pub(crate) fn with<'env, R>(
    registry: &'env Registry,
    reference: &'env Reference,
    layers: &'env [Descriptor],
    options: Options<'env>,
    consume: impl for<'scope> FnOnce(&mut Layers<'scope, 'env>) -> R,
) -> R {
    thread::scope(|scope| {
        consume(&mut Layers {
            scope,
            registry,
            reference,
            options,
            rest: layers.iter(),
            downloads: VecDeque::new(),
            current: 0,
            limit: Limit::new(options.limit),
            cancel: options.cancel.part(),
        })
    })
}

impl<'env> Layers<'_, 'env> {
    /// The next layer, or `None` after the uppermost one. The previous one must have been read.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(crate) fn next(&mut self) -> Result<Option<Layer>, LayerError> {
        self.current = 0;
        self.download()?;
        let Some(Download { source, data }) = self.downloads.pop_front() else { return Ok(None) };
        self.current = need(source);
        let (sender, receiver) = pipe::new(OUTPUT);
        let limit = self.limit.clone();
        self.spawn(move || decompress::run(data, &sender, &limit))?;
        Ok(Some(Layer(receiver)))
    }

    /// Starts as many downloads as the limits allow, and at least one.
    fn download(&mut self) -> Result<(), LayerError> {
        while let Some(source) = self.rest.as_slice().first() {
            let needs = self.downloads.iter().map(|download| need(download.source));
            let whole = needs.sum::<u64>() + self.current + need(source);
            let full = self.downloads.len() >= AHEAD || whole > BUFFERS;
            if full && !self.downloads.is_empty() {
                break;
            }
            self.rest.next();
            let (sender, data) = pipe::new(usize::try_from(BUFFER).unwrap_or(usize::MAX));
            let blob = self.registry.blob(self.reference, source, &self.cancel);
            let on_bytes = self.options.on_bytes;
            self.spawn(move || download(blob, &sender, on_bytes))?;
            self.downloads.push_back(Download { source, data });
        }
        Ok(())
    }

    fn spawn(&self, work: impl FnOnce() + Send + 'env) -> Result<(), LayerError> {
        let spawned = Builder::new().name("layer".to_owned()).spawn_scoped(self.scope, work);
        spawned.map(drop).map_err(LayerError::Thread)
    }
}

/// Ends the downloads. Otherwise their threads would wait for data until the end of a blob.
impl Drop for Layers<'_, '_> {
    fn drop(&mut self) {
        self.cancel.cancel("the layers are not read any more");
    }
}

/// The bytes in memory that a layer may need.
fn need(source: &Descriptor) -> u64 {
    source.size.min(BUFFER)
}

fn download(mut blob: Blob<'_>, sender: &Sender, on_bytes: &dyn Fn(u64)) {
    let mut part = Vec::new();
    let end = loop {
        match blob.next() {
            Ok(Some(bytes)) => {
                on_bytes(bytes.len() as u64);
                if pack(&bytes, &mut part, sender).is_err() {
                    return;
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(LayerError::Registry(error)),
        }
    };
    // A reader that needs no more data does not need the end either.
    if part.is_empty() || sender.send(part).is_ok() {
        sender.end(end);
    }
}

/// Adds bytes to a part, and sends each part that is full.
///
/// # Errors
/// The reader needs no more data.
fn pack(mut bytes: &[u8], part: &mut Vec<u8>, sender: &Sender) -> Result<(), Abandoned> {
    while !bytes.is_empty() {
        if part.is_empty() {
            *part = sender.part();
            part.clear();
            part.reserve_exact(PART);
        }
        let (now, rest) = bytes.split_at(bytes.len().min(PART.saturating_sub(part.len())));
        part.extend_from_slice(now);
        bytes = rest;
        if part.len() >= PART {
            sender.send(std::mem::take(part))?;
        }
    }
    Ok(())
}

impl Layer {
    /// Reads the rest of the layer, which may be more than the end of the tar archive in it.
    ///
    /// # Errors
    /// The rest cannot be read, which includes a wrong digest.
    pub(crate) fn finish(mut self) -> Result<(), LayerError> {
        io::copy(&mut self.0, &mut io::sink()).map(drop).map_err(LayerError::from)
    }
}

impl Read for Layer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Layer {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

#[cfg(test)]
mod tests;
