//! The plugin's own memory: a small static area inside the library.
//!
//! A task may have no memory left, under a limit that another plugin or PAM has set. A failed
//! allocation would then make Rust abort the task, although its program may need less memory than
//! slurmstepd uses at that point. Memory that the plugin allocates and frees in Slurm's heap could
//! also fragment it, so that the large allocations that Slurm still makes fail. The global
//! allocator therefore takes memory from this area first, and from `malloc` only when the area is
//! full. Pages of the area that were never written to use no memory.
//!
//! Only the piece that was allocated last can be freed, as on a stack. Other memory stays in use,
//! in a task until its `execve`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// Size in bytes: much more than a decision needs.
const SIZE: usize = 256 << 10;

#[global_allocator]
static ARENA: Arena<SIZE> = Arena::new();

/// The alignment of `malloc`, in bytes. The unwinder, which is C code, relies on it: Rust allocates an
/// exception with the alignment of a pointer, although the C type has this one.
const MALLOC_ALIGN: usize = 16;

/// The first `used` bytes are allocated. `used` is the first field so that it shares a page with
/// the first pieces: a forked task pays for each page that it writes to.
#[repr(C)]
struct Arena<const SIZE: usize> {
    used: AtomicUsize,
    bytes: UnsafeCell<[u8; SIZE]>,
}

// SAFETY: `used` is only changed atomically, and allocations never overlap, so each byte is used by
// at most one owner.
unsafe impl<const SIZE: usize> Sync for Arena<SIZE> {}

impl<const SIZE: usize> Arena<SIZE> {
    const fn new() -> Self {
        Self { used: AtomicUsize::new(0), bytes: UnsafeCell::new([0; SIZE]) }
    }

    fn start(&self) -> *mut u8 {
        self.bytes.get().cast()
    }

    /// The offset of `pointer` in the arena; `None` if it points elsewhere.
    fn place(&self, pointer: *mut u8) -> Option<usize> {
        let place = pointer.addr().checked_sub(self.start().addr())?;
        (place < SIZE).then_some(place)
    }

    /// The offsets of the start and the end of the next piece; `None` if it does not fit.
    fn next(&self, layout: Layout, used: usize) -> Option<(usize, usize)> {
        let start = self.start().addr();
        // The alignment is a power of two, so this takes no division.
        let low_bits = alignment(layout) - 1;
        let place = ((start + used).checked_add(low_bits)? & !low_bits) - start;
        let end = place.checked_add(layout.size())?;
        (end <= SIZE).then_some((place, end))
    }

    fn take(&self, layout: Layout) -> Option<*mut u8> {
        // Memory checkers track pieces from malloc, but not the gaps between pieces of the arena.
        if cfg!(watched_memory) {
            return None;
        }
        let mut used = self.used.load(Relaxed);
        loop {
            let (place, end) = self.next(layout, used)?;
            // `Acquire`: the memory may have been freed by another thread, whose accesses to it
            // must come first.
            match self.used.compare_exchange_weak(used, end, Acquire, Relaxed) {
                Ok(_) => return Some(self.start().wrapping_add(place)),
                Err(now) => used = now,
            }
        }
    }

    /// Changes the size of the piece at `place` if it was allocated last and the new size fits.
    /// Returns whether it did.
    fn resize_last(&self, place: usize, size: usize, new_size: usize) -> bool {
        let Some(end) = place.checked_add(new_size).filter(|end| *end <= SIZE) else {
            return false;
        };
        let used = place + size;
        // Most pieces are not the last one, and a load costs much less than an atomic operation that
        // fails.
        self.used.load(Relaxed) == used
            && self.used.compare_exchange(used, end, AcqRel, Relaxed).is_ok()
    }
}

/// The alignment of a piece. Only structures may come from C; strings are packed.
fn alignment(layout: Layout) -> usize {
    let is_structure = layout.align() >= align_of::<usize>() && layout.size() >= MALLOC_ALIGN;
    if is_structure { layout.align().max(MALLOC_ALIGN) } else { layout.align() }
}

// SAFETY: allocations do not overlap, have the requested alignment and keep their address until
// they are freed or reallocated. No method unwinds.
unsafe impl<const SIZE: usize> GlobalAlloc for Arena<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees a valid layout of non-zero size.
        self.take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.place(pointer) {
            Some(place) => _ = self.resize_last(place, layout.size(), 0),
            // SAFETY: the pointer is outside the arena, so `System` allocated it with this layout.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(place) = self.place(pointer) else {
            // SAFETY: the pointer is outside the arena, so `System` allocated it with this layout.
            return unsafe { System.realloc(pointer, layout, new_size) };
        };
        if self.resize_last(place, layout.size(), new_size) || new_size <= layout.size() {
            return pointer;
        }
        // SAFETY: the caller guarantees a valid size, and the alignment is that of the old layout.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: the layout is valid, see above.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: the pieces do not overlap, and the new one is longer than the old one.
            unsafe { ptr::copy_nonoverlapping(pointer, new, layout.size()) };
        }
        new
    }
}

#[cfg(test)]
#[cfg(not(watched_memory))]
mod tests;
