//! Processes the chunks of a log in several threads, and adds the results in order.

use super::chunks::{Chunk, Chunks};
use super::part::{Part, Reader};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// The maximum number of threads. Reading is then the bottleneck, and each needs some memory.
const MOST: usize = 4;

/// The log that is read.
struct Input<'a> {
    chunks: &'a mut Chunks,
    /// The number of the next chunk.
    next: u64,
    failed: Option<io::Error>,
}

impl Input<'_> {
    /// Reads the next chunk, and returns its number as well. `None` at the end of the log, and after
    /// a failure.
    fn next(&mut self, spare: Chunk) -> Option<(u64, Chunk)> {
        if self.failed.is_some() {
            return None;
        }
        let chunk = self.chunks.next(spare).unwrap_or_else(|error| {
            self.failed = Some(error);
            None
        })?;
        self.next += 1;
        Some((self.next - 1, chunk))
    }
}

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
    let input = Mutex::new(Input { chunks, next: first, failed: None });
    let results = Results { next: first, later: BTreeMap::new(), spare: Vec::new(), add };
    let results = Mutex::new(results);
    // A thread processes the chunks that it has read, because they are in the cache of its core.
    let work = || {
        loop {
            let spare = lock(&results).spare.pop().unwrap_or_default();
            let Some((number, chunk)) = lock(&input).next(spare) else { break };
            let part = reader.read(chunk, number);
            lock(&results).take(number, part);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST);
    thread::scope(|scope| {
        // Without any other thread, for example because of a limit, this one does all the work.
        for _ in 1..threads {
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let input = input.into_inner().unwrap_or_else(PoisonError::into_inner);
    (input.next, input.failed.map_or(Ok(()), Err))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::events::logs::chunks::Chunks;
    use crate::events::logs::part::{Part, Reader};
    use crate::events::logs::tally::Tally;
    use crate::ui::progress::Progress;
    use jiff::Timestamp;
    use memchr::memmem::Finder;
    use std::io::{self, BufReader, Cursor, Read};

    /// Reads a log whose first chunk has the number 5. Returns the lines in the order in which they
    /// were added, and the number of the next chunk.
    fn lines(log: impl Read + Send + 'static) -> (Vec<u8>, u64, io::Result<()>) {
        let task = Progress::new(true).reading("log", 0);
        let mut chunks = Chunks::new(Box::new(BufReader::new(log)), task);
        let (tally, finder) = (Tally::new(None, None), Finder::new("sifcache"));
        let reader = Reader { now: Timestamp::now(), finder: &finder, tally: &tally };
        let mut all = Vec::new();
        let mut add = |part: &Part| all.extend_from_slice(part.chunk.bytes());
        let (next, result) = read(&mut chunks, reader, 5, &mut add);
        (all, next, result)
    }

    fn numbers() -> Vec<u8> {
        (0..1_000_000).map(|number| format!("{number}\n")).collect::<String>().into_bytes()
    }

    #[test]
    fn chunks_are_added_in_order() {
        let (all, next, result) = lines(Cursor::new(numbers()));
        assert!(all == numbers(), "{} bytes", all.len());
        assert!(next > 10 && result.is_ok());
        assert_eq!(lines(io::empty()).1, 5);
    }

    /// Fails once; the next reads succeed.
    struct Broken(usize);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::Error::other("broken")),
                2..100 => Ok(buffer.len().min(1)),
                _ => Ok(0),
            }
        }
    }

    #[test]
    fn the_first_failure_ends_the_log() {
        let (all, _, result) = lines(Cursor::new(numbers()).chain(Broken(0)));
        assert_eq!(result.unwrap_err().to_string(), "broken");
        assert!(numbers().starts_with(&all), "{} bytes", all.len());
    }
}
