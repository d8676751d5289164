//! A bounded pipe between two threads.
//!
//! Data travel in parts. Parts that have been read return to the writer, which fills them again:
//! the kernel clears the memory of a new part page by page, which takes longer than to fill it.

use super::LayerError;
use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The writing end. Dropping it without [`Sender::end`] is an error for the reader.
pub(super) struct Sender(Arc<Pipe>);

/// The reading end.
pub(super) struct Receiver {
    pipe: Arc<Pipe>,
    part: Vec<u8>,
    /// The number of bytes of the part that have been read.
    read: usize,
}

/// The reader needs no more data.
#[derive(Debug)]
pub(super) struct Abandoned;

struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    parts: VecDeque<Vec<u8>>,
    /// Parts that have been read. Together with those in the pipe, they are never more than the
    /// pipe has had at one time.
    spare: Vec<Vec<u8>>,
    /// The number of bytes in all parts.
    bytes: usize,
    /// How the data end, once they have ended.
    end: Option<Result<(), LayerError>>,
    abandoned: bool,
}

/// Creates a pipe for this number of bytes. A part that is larger is accepted by an empty pipe.
pub(super) fn new(capacity: usize) -> (Sender, Receiver) {
    let pipe = Arc::new(Pipe { state: Mutex::default(), changed: Condvar::new(), capacity });
    (Sender(Arc::clone(&pipe)), Receiver { pipe, part: Vec::new(), read: 0 })
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while a condition holds.
    fn wait(&self, while_true: impl Fn(&mut State) -> bool) -> MutexGuard<'_, State> {
        let guard = self.changed.wait_while(self.lock(), while_true);
        guard.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    /// Writes a part. Waits until there is room for it.
    ///
    /// # Errors
    /// The reader needs no more data.
    pub(super) fn send(&self, part: Vec<u8>) -> Result<(), Abandoned> {
        let full = |state: &mut State| {
            let fits = state.bytes + part.len() <= self.0.capacity;
            !fits && state.bytes > 0 && !state.abandoned
        };
        let mut state = self.0.wait(full);
        if state.abandoned {
            return Err(Abandoned);
        }
        state.bytes += part.len();
        state.parts.push_back(part);
        self.0.changed.notify_one();
        Ok(())
    }

    /// A part to fill and send. It may have old content, which the caller overwrites.
    pub(super) fn part(&self) -> Vec<u8> {
        self.0.lock().spare.pop().unwrap_or_default()
    }

    /// Ends the data, or reports why there are no more. Only the first call counts.
    pub(super) fn end(&self, end: Result<(), LayerError>) {
        self.0.lock().end.get_or_insert(end);
        self.0.changed.notify_one();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.end(Err(LayerError::Lost));
    }
}

impl Receiver {
    /// The next bytes without reading them: at least `count`, or all that there are.
    ///
    /// # Errors
    /// The data end with an error before that.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.part.len() - self.read < count {
            match self.receive()? {
                Some(part) => self.part.extend_from_slice(&part),
                None => break,
            }
        }
        Ok(self.part.get(self.read..).unwrap_or_default())
    }

    /// The next part, or `None` at the end.
    fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        let empty = |state: &mut State| state.parts.is_empty() && state.end.is_none();
        let mut state = self.pipe.wait(empty);
        if let Some(part) = state.parts.pop_front() {
            state.bytes -= part.len();
            self.pipe.changed.notify_one();
            return Ok(Some(part));
        }
        match state.end.take() {
            Some(Err(error)) => {
                state.end = Some(Err(LayerError::Lost));
                Err(error.into())
            }
            end => {
                state.end = end;
                Ok(None)
            }
        }
    }

    /// Continues with this part, and returns the one that has been read.
    fn replace(&mut self, part: Vec<u8>) {
        let old = std::mem::replace(&mut self.part, part);
        self.read = 0;
        if old.capacity() > 0 {
            self.pipe.lock().spare.push(old);
        }
    }
}

impl BufRead for Receiver {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.read >= self.part.len() {
            match self.receive()? {
                Some(part) => self.replace(part),
                None => break,
            }
        }
        Ok(self.part.get(self.read..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.read = (self.read + count).min(self.part.len());
    }
}

impl Read for Receiver {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut part = self.fill_buf()?;
        let count = part.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.pipe.lock();
        state.abandoned = true;
        state.parts.clear();
        self.pipe.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::{LayerError, new};
    use std::io::Read as _;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    #[test]
    fn bytes_arrive_in_order_and_memory_is_bounded() {
        let (sender, receiver) = new(10);
        let written = AtomicUsize::new(0);
        thread::scope(|scope| {
            // A failed assertion ends the other thread.
            let mut receiver = receiver;
            scope.spawn(|| {
                for number in 0..=255 {
                    sender.send(vec![number; 4]).unwrap();
                    written.fetch_add(4, Ordering::Relaxed);
                }
                sender.end(Ok(()));
            });
            let mut all = Vec::new();
            let mut one = [0];
            while receiver.read(&mut one).unwrap() == 1 {
                all.push(one[0]);
                // 10 bytes in the pipe, and 4 in the part that is read.
                let pending = written.load(Ordering::Relaxed).saturating_sub(all.len());
                assert!(pending <= 14, "{pending}");
            }
            let expected: Vec<u8> = (0..=255).flat_map(|number| [number; 4]).collect();
            assert_eq!(all, expected);
        });
    }

    #[test]
    fn an_error_follows_the_data_before_it() {
        let (sender, mut receiver) = new(10);
        sender.send(vec![1]).unwrap();
        sender.end(Err(LayerError::TooLarge(7)));
        let mut all = Vec::new();
        let error = receiver.read_to_end(&mut all).unwrap_err();
        assert!(matches!(error.into(), LayerError::TooLarge(7)));
        assert_eq!(all, [1]);
        assert!(receiver.read_to_end(&mut all).is_err(), "it does not look like the end");
    }

    #[test]
    fn a_missing_end_is_an_error() {
        let (sender, mut receiver) = new(10);
        drop(sender);
        assert!(matches!(receiver.read(&mut [0]).unwrap_err().into(), LayerError::Lost));
    }

    #[test]
    fn a_writer_ends_when_the_reader_is_gone() {
        let (sender, receiver) = new(1);
        sender.send(vec![0; 7]).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| assert!(sender.send(vec![0]).is_err()));
            drop(receiver);
        });
    }

    #[test]
    fn peeking_reads_nothing() {
        let (sender, mut receiver) = new(10);
        for part in [&b"a"[..], b"bc", b"d"] {
            sender.send(part.to_vec()).unwrap();
        }
        sender.end(Ok(()));
        assert_eq!(receiver.peek(2).unwrap(), b"abc");
        assert_eq!(receiver.peek(9).unwrap(), b"abcd");
        let mut all = Vec::new();
        receiver.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"abcd");
    }

    #[test]
    fn parts_that_have_been_read_are_filled_again() {
        let (sender, mut receiver) = new(10);
        for part in [vec![1], vec![2], vec![3]] {
            sender.send(part).unwrap();
        }
        sender.end(Ok(()));
        assert_eq!(sender.part().capacity(), 0);
        receiver.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(sender.part(), [1]);
        receiver.read_exact(&mut [0]).unwrap();
        assert_eq!((sender.part(), sender.part()), (vec![2], Vec::new()));
    }
}
