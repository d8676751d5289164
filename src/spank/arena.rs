//! Memory of our own: what is loaded into Slurm comes with a little of it.
//!
//! A task may have none left, under a limit that another plugin or PAM has set. Then Rust
//! would end it, although its program may need less than slurmstepd has by then; and what
//! we took and gave back of Slurm's heap could be in the way of the large pieces that
//! Slurm still asks of it. So what we take comes from here first, and from `malloc` only
//! when this is used up. Pages that nobody has written to cost nothing.
//!
//! In the order of a stack memory is given back; other memory stays taken, which in a
//! task is until its `execve`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// Much more than a decision takes.
const SIZE: usize = 256 << 10;

#[global_allocator]
static ARENA: Arena<SIZE> = Arena::new();

/// Memory up to `used` is taken. That stands in front: a forked task pays for each page that
/// it writes to, and so it is on the page of the first pieces.
#[repr(C)]
struct Arena<const SIZE: usize> {
    used: AtomicUsize,
    bytes: UnsafeCell<[u8; SIZE]>,
}

// SAFETY: each byte belongs to whom it was given to; `used` alone says who is next.
unsafe impl<const SIZE: usize> Sync for Arena<SIZE> {}

impl<const SIZE: usize> Arena<SIZE> {
    const fn new() -> Self {
        Self { used: AtomicUsize::new(0), bytes: UnsafeCell::new([0; SIZE]) }
    }

    fn start(&self) -> *mut u8 {
        self.bytes.get().cast()
    }

    /// Where `pointer` is in here, if it is.
    fn place(&self, pointer: *mut u8) -> Option<usize> {
        let place = pointer.addr().checked_sub(self.start().addr())?;
        (place < SIZE).then_some(place)
    }

    /// The next place for such a piece, and its end.
    fn next(&self, layout: Layout, used: usize) -> Option<(usize, usize)> {
        let start = self.start().addr();
        let place = (start + used).checked_next_multiple_of(layout.align())? - start;
        let end = place.checked_add(layout.size())?;
        (end <= SIZE).then_some((place, end))
    }

    fn take(&self, layout: Layout) -> Option<*mut u8> {
        // Whoever watches the memory sees malloc's pieces, and not what is around ours.
        if cfg!(watched_memory) {
            return None;
        }
        let mut used = self.used.load(Relaxed);
        loop {
            let (place, end) = self.next(layout, used)?;
            // What was given back may be of another thread, which is done with it by now.
            match self.used.compare_exchange_weak(used, end, Acquire, Relaxed) {
                Ok(_) => return Some(self.start().wrapping_add(place)),
                Err(now) => used = now,
            }
        }
    }

    /// Makes the piece that was taken last one of another size, and tells whether it could.
    fn resize_last(&self, place: usize, size: usize, new_size: usize) -> bool {
        let Some(end) = place.checked_add(new_size).filter(|end| *end <= SIZE) else {
            return false;
        };
        self.used.compare_exchange(place + size, end, AcqRel, Relaxed).is_ok()
    }
}

// SAFETY: pieces do not overlap, have the alignment that was asked for, and stay what they
// are until they are given back; nothing here unwinds.
unsafe impl<const SIZE: usize> GlobalAlloc for Arena<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches for the layout.
        self.take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.place(pointer) {
            Some(place) => _ = self.resize_last(place, layout.size(), 0),
            // SAFETY: not of here, so it came from there with this layout.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(place) = self.place(pointer) else {
            // SAFETY: not of here, so it came from there with this layout.
            return unsafe { System.realloc(pointer, layout, new_size) };
        };
        if self.resize_last(place, layout.size(), new_size) || new_size <= layout.size() {
            return pointer;
        }
        // SAFETY: the caller vouches for the size, and the alignment is the old one.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: as above.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: two pieces that do not overlap, and the old one is the shorter.
            unsafe { ptr::copy_nonoverlapping(pointer, new, layout.size()) };
        }
        new
    }
}

#[cfg(test)]
#[cfg(not(watched_memory))]
mod tests;
