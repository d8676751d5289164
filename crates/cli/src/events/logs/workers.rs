//! Processes the chunks of a log in several threads, and adds the results in order.

use super::chunks::{Chunk, Chunks};
use super::part::{Part, Reader};
use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// The maximum number of threads. Reading is then the bottleneck, and each needs some memory.
const MOST: usize = 4;

/// The results of chunks.
struct Results<'a> {
    /// The number of the next chunk to add.
    next: u64,
    /// Later chunks that are already processed.
    later: BTreeMap<u64, Part>,
    /// Chunks whose memory can be used again.
    spare: Vec<Chunk>,
    add: &'a mut (dyn FnMut(&Part) + Send),
}

impl Results<'_> {
    fn take(&mut self, number: u64, part: Part) {
        self.later.insert(number, part);
        while let Some(part) = self.later.remove(&self.next) {
            (self.add)(&part);
            self.spare.push(part.chunk);
            self.next += 1;
        }
    }
}

/// Processes all chunks. `first` is the number of the first chunk. Calls `add` with the results in
/// the order of the chunks. Returns the number of the next chunk, and why the rest of the log could
/// not be read or decompressed.
pub(super) fn read(
    chunks: &mut Chunks,
    reader: Reader<'_>,
    first: u64,
    add: &mut (dyn FnMut(&Part) + Send),
) -> (u64, io::Result<()>) {
    let results = Results { next: first, later: BTreeMap::new(), spare: Vec::new(), add };
    let results = Mutex::new(results);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST);
    let (sender, receiver) = mpsc::sync_channel::<(u64, Chunk)>(1);
    let receiver = Mutex::new(receiver);
    let one = |(number, chunk)| {
        let part = reader.read(chunk, number);
        lock(&results).take(number, part);
    };
    let work = || {
        while let Some(next) = receive(&receiver) {
            one(next);
        }
    };
    let mut number = first;
    let result = thread::scope(|scope| {
        let start = |_: &usize| thread::Builder::new().spawn_scoped(scope, work).is_ok();
        let has_workers = (0..threads).filter(start).count() > 0;
        let result = loop {
            let spare = lock(&results).spare.pop().unwrap_or_default();
            let chunk = match chunks.next(spare) {
                Ok(Some(chunk)) => chunk,
                end => break end.map(drop),
            };
            // Without any thread, for example because of a limit, this one does the work.
            match has_workers {
                true => drop(sender.send((number, chunk))),
                false => one((number, chunk)),
            }
            number += 1;
        };
        drop(sender);
        result
    });
    (number, result)
}

fn receive(receiver: &Mutex<Receiver<(u64, Chunk)>>) -> Option<(u64, Chunk)> {
    lock(receiver).recv().ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
