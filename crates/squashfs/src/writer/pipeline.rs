//! Compresses blocks on several threads and writes them in the order in which they arrived.
//!
//! ```text
//! store ──▶ jobs ──▶ compressors, one a core ──▶ results ──▶ placer: sorts by number, writes
//!   ▲                                                           │
//!   └──────────────── buffers, a fixed number ◀─────────────────┘
//! ```
//!
//! The fixed number of buffers bounds the memory: a block gets its buffers when it enters, in the
//! order of the blocks, so the block that the placer waits for always has them.

use super::Options;
use super::error::Error;
use super::placer::{Done, Outcome, Placed, Placer};
use crate::checksums::checksum;
use crate::compression::compressor::Compressor;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// The largest number of compressors: each needs up to 4 MiB, for zstd with level 19.
const MOST_COMPRESSORS: usize = 32;

/// The memory of a block on its way through the pipeline.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
}

struct Job {
    number: u32,
    buffers: Buffers,
}

/// The threads and the channels between them.
#[derive(Debug)]
pub(super) struct Pipeline {
    jobs: SyncSender<Job>,
    spare: Receiver<Buffers>,
    compressors: Vec<JoinHandle<()>>,
    placer: JoinHandle<Result<Placed, Error>>,
    next: u32,
}

impl Pipeline {
    /// Starts the threads. The first block gets the number `placed.blocks.len()`.
    ///
    /// # Errors
    /// The compression cannot be set up, or a thread cannot be started.
    pub(super) fn start(file: Arc<File>, options: Options, placed: Placed) -> Result<Self, Error> {
        let workers = options.workers.clamp(1, MOST_COMPRESSORS);
        let count = 2 * workers + 2;
        let next = u32::try_from(placed.blocks.len()).map_err(|_| Error::TooMany("blocks"))?;
        let (jobs, queue) = sync_channel(count);
        let (recycle, spare) = channel();
        let (results, done) = channel();
        for _ in 0..count {
            // Cannot fail: the receiver exists.
            let _ = recycle.send(Buffers::default());
        }
        let placer = Placer::new(file, options.offset, placed, next);
        let spawn = thread::Builder::new().name("squashfs-place".into());
        let placer =
            spawn.spawn(move || placer.run(&done, &recycle)).map_err(Error::Compression)?;
        let queue = Arc::new(Mutex::new(queue));
        let compressors = (0..workers).map(|_| compressor(options, &queue, &results));
        let compressors = compressors.collect::<Result<_, _>>()?;
        Ok(Self { jobs, spare, compressors, placer, next })
    }

    /// Hands a block over and returns its number. `block` becomes an empty buffer.
    ///
    /// # Errors
    /// An earlier block could not be written: [`Pipeline::finish`] says why.
    pub(super) fn submit(&mut self, block: &mut Vec<u8>) -> Result<u32, Error> {
        let mut buffers = self.spare.recv().map_err(|_| Error::Thread)?;
        std::mem::swap(&mut buffers.input, block);
        block.clear();
        let number = self.next;
        self.next = number.checked_add(1).ok_or(Error::TooMany("blocks"))?;
        self.jobs.send(Job { number, buffers }).map_err(|_| Error::Thread)?;
        Ok(number)
    }

    /// The number that the next block will get.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Waits until all blocks are written.
    ///
    /// # Errors
    /// A block could not be written.
    pub(super) fn finish(self) -> Result<Placed, Error> {
        drop(self.jobs);
        let ended = self.compressors.into_iter().map(JoinHandle::join).all(|result| result.is_ok());
        let placed = self.placer.join().map_err(|_| Error::Thread)??;
        if ended && placed.blocks.len() == self.next as usize {
            Ok(placed)
        } else {
            Err(Error::Thread)
        }
    }
}

fn compressor(
    options: Options,
    queue: &Arc<Mutex<Receiver<Job>>>,
    results: &Sender<Done>,
) -> Result<JoinHandle<()>, Error> {
    let mut compressor = Compressor::new(options.compression).map_err(Error::Compression)?;
    let (queue, results) = (Arc::clone(queue), results.clone());
    let zeros = vec![0; options.block_size as usize];
    let work = move || {
        loop {
            let next = queue.lock().map(|queue| queue.recv());
            let Ok(Ok(Job { number, mut buffers })) = next else { return };
            // Without a result for this number, the placer would wait forever.
            let work = AssertUnwindSafe(|| process(&mut compressor, &mut buffers, &zeros));
            let (outcome, checksum) = catch_unwind(work).unwrap_or((Outcome::Failed, 0));
            if results.send(Done { number, buffers, outcome, checksum }).is_err() {
                return;
            }
        }
    };
    let spawn = thread::Builder::new().name("squashfs-press".into());
    spawn.spawn(work).map_err(Error::Compression)
}

fn process(compressor: &mut Compressor, buffers: &mut Buffers, zeros: &[u8]) -> (Outcome, u64) {
    let Buffers { input, output } = buffers;
    if zeros.get(..input.len()) == Some(input.as_slice()) {
        return (Outcome::Zeros, 0);
    }
    match compressor.compress(input, output) {
        Some(length) => (Outcome::Compressed(length), checksum(input)),
        None => (Outcome::Stored, checksum(input)),
    }
}
