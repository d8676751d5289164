//! Reads many blocks on several processors, in the order of the file.

use super::block::BlockReader;
use super::{Damage, Reader, Stopped};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// The number of blocks that a thread takes at once. Neighbouring blocks are read by one thread.
const RUN: usize = 8;

/// Called from time to time with the number of bytes that were read since the last call. If it
/// returns an error, the work stops with [`Damage::Stopped`].
pub type OnProgress<'a> = &'a mut dyn FnMut(u64) -> Result<(), Stopped>;

/// The list of blocks that all threads share.
struct Shared<'a, T> {
    reader: &'a Reader,
    items: &'a [T],
    /// The index of the next block.
    next: AtomicUsize,
    /// The index of the first defect, or of the end of the work.
    end: AtomicUsize,
}

/// What a thread reports: bytes that it read, or a defect with the index of its block.
type Report = Result<u64, (usize, Damage)>;

/// Calls `work` for each of the `items` on up to `threads` threads; it returns the number of bytes
/// that it read.
///
/// # Errors
/// The first defect in the order of the items, or `on_progress` asked to stop.
pub(super) fn each<T: Sync>(
    reader: &Reader,
    items: &[T],
    threads: usize,
    work: impl Fn(&mut BlockReader<'_>, &T) -> Result<u64, Damage> + Sync,
    on_progress: OnProgress<'_>,
) -> Result<(), Damage> {
    let threads = threads.min(items.len().div_ceil(RUN));
    if threads <= 1 {
        return alone(reader, items, work, on_progress);
    }
    let (next, end) = (AtomicUsize::new(0), AtomicUsize::new(items.len()));
    let shared = Shared { reader, items, next, end };
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for index in 0..threads {
            let sender = sender.clone();
            let (shared, work) = (&shared, &work);
            let spawned =
                thread::Builder::new().spawn_scoped(scope, move || shared.run(work, &sender));
            // One thread is enough, for example if the user may start no more.
            if let (Err(error), 0) = (spawned, index) {
                return Err(error.into());
            }
        }
        drop(sender);
        shared.collect(&receiver, on_progress)
    })
}

/// Does all work on this thread.
fn alone<T>(
    reader: &Reader,
    items: &[T],
    work: impl Fn(&mut BlockReader<'_>, &T) -> Result<u64, Damage>,
    on_progress: OnProgress<'_>,
) -> Result<(), Damage> {
    let mut blocks = BlockReader::new(reader)?;
    items.iter().try_for_each(|item| Ok(on_progress(work(&mut blocks, item)?)?))
}

impl<T: Sync> Shared<'_, T> {
    /// The work of one thread.
    fn run(
        &self,
        work: &(impl Fn(&mut BlockReader<'_>, &T) -> Result<u64, Damage> + Sync),
        sender: &Sender<Report>,
    ) {
        let mut blocks = match BlockReader::new(self.reader) {
            Ok(blocks) => blocks,
            Err(error) => return self.fail(0, error.into(), sender),
        };
        loop {
            let first = self.next.fetch_add(RUN, Ordering::Relaxed);
            let mut done = 0;
            for (index, item) in self.items.iter().enumerate().skip(first).take(RUN) {
                if index >= self.end.load(Ordering::Relaxed) {
                    return;
                }
                match work(&mut blocks, item) {
                    Ok(bytes) => done += bytes,
                    Err(damage) => return self.fail(index, damage, sender),
                }
            }
            if first >= self.items.len() || sender.send(Ok(done)).is_err() {
                return;
            }
        }
    }

    /// Threads only finish the blocks before this one, so the first defect is found.
    fn fail(&self, index: usize, damage: Damage, sender: &Sender<Report>) {
        self.end.fetch_min(index, Ordering::Relaxed);
        // The receiver lives as long as the threads.
        let _ = sender.send(Err((index, damage)));
    }

    fn collect(
        &self,
        receiver: &Receiver<Report>,
        on_progress: OnProgress<'_>,
    ) -> Result<(), Damage> {
        let mut first: Option<(usize, Damage)> = None;
        for report in receiver {
            match report {
                Ok(bytes) => {
                    if let Err(stopped) = on_progress(bytes) {
                        self.end.store(0, Ordering::Relaxed);
                        return Err(stopped.into());
                    }
                }
                Err((index, damage)) => {
                    if first.as_ref().is_none_or(|(other, _)| index < *other) {
                        first = Some((index, damage));
                    }
                }
            }
        }
        first.map_or(Ok(()), |(_, damage)| Err(damage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::sync::Barrier;

    fn empty() -> Reader {
        let mut superblock = [0; 96];
        superblock[..4].copy_from_slice(b"hsqs");
        (superblock[13], superblock[20], superblock[28]) = (16, 1, 4);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&superblock).unwrap();
        Reader::open(file, 0, 96).unwrap()
    }

    /// Two threads find a defect each, at the same time.
    #[test]
    fn the_first_defect_is_reported() {
        let items: Vec<u64> = (0..40).collect();
        let both = Barrier::new(2);
        let work = |_: &mut BlockReader<'_>, item: &u64| match item {
            3 | 9 => {
                both.wait();
                Err(Damage::at(*item, "a defect"))
            }
            _ => Ok(1),
        };
        for _ in 0..20 {
            let found = each(&empty(), &items, 2, work, &mut |_| Ok(()));
            assert!(matches!(found, Err(Damage::At(3, _))), "{found:?}");
        }
    }

    #[test]
    fn every_item_is_done_once() {
        for threads in [0, 1, 2, 5] {
            let items: Vec<u64> = (0..100).collect();
            let mut sum = 0;
            let mut add = |bytes| {
                sum += bytes;
                Ok(())
            };
            each(&empty(), &items, threads, |_, item| Ok(*item), &mut add).unwrap();
            assert_eq!(sum, 4950, "{threads}");
        }
    }
}
