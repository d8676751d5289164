//! The stack of a helper process.
//!
//! One stack is reserved inside the library. It needs two system calls, which protect its guard and
//! undo that; a mapping of its own needs three, and to create it takes the kernel longer.
//! Only a helper process that starts while another one uses the reserved stack gets such a mapping.
//! Pages of the reserved stack that were never written to use no memory.

use crate::spank::memory;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::io;
use std::ptr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Size in bytes: many times what a lookup needs.
const STACK: usize = 256 << 10;
/// Size in bytes of the inaccessible area below, which turns an overflow into SIGSEGV. It is a
/// multiple of the page size of every architecture.
const GUARD: usize = 64 << 10;

const USABLE: MprotectFlags = MprotectFlags::READ.union(MprotectFlags::WRITE);

/// Its first bytes remain unused if they are not at the start of a page, which is larger on some
/// machines.
#[repr(align(4096))]
struct Area(UnsafeCell<[u8; GUARD + STACK]>);

// SAFETY: only the helper process that `RESERVED_IN_USE` stands for accesses the bytes.
unsafe impl Sync for Area {}

static RESERVED: Area = Area(UnsafeCell::new([0; GUARD + STACK]));
static RESERVED_IN_USE: AtomicBool = AtomicBool::new(false);

/// A guard, and a stack up to `top`.
#[derive(Debug)]
pub(super) struct Stack {
    guard: *mut c_void,
    top: *mut c_void,
    is_reserved: bool,
}

impl Stack {
    pub(super) fn new() -> io::Result<Self> {
        Self::reserved().map_or_else(Self::mapped, Ok)
    }

    /// The reserved stack; `None` if a helper process uses it.
    fn reserved() -> Option<Self> {
        let page = usize::try_from(memory::page()?).ok()?;
        // A memory checker reads all variables, including the guard.
        if cfg!(watched_memory) || RESERVED_IN_USE.swap(true, Acquire) {
            return None;
        }
        let start: *mut c_void = RESERVED.0.get().cast();
        let stack = Self {
            guard: start.map_addr(|start| start.next_multiple_of(page)),
            top: start.wrapping_byte_add(GUARD + STACK),
            is_reserved: true,
        };
        // SAFETY: the range is inside the area, of which this process uses nothing but the stack.
        if unsafe { mprotect(stack.guard, GUARD, MprotectFlags::empty()) }.is_err() {
            stack.release();
            return None;
        }
        Some(stack)
    }

    fn mapped() -> io::Result<Self> {
        let (length, none) = (GUARD + STACK, ProtFlags::empty());
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let guard = unsafe { mmap_anonymous(ptr::null_mut(), length, none, MapFlags::PRIVATE) }?;
        let stack = Self { guard, top: guard.wrapping_byte_add(GUARD + STACK), is_reserved: false };
        // SAFETY: the range is the upper part of the mapping.
        match unsafe { mprotect(guard.wrapping_byte_add(GUARD), STACK, USABLE) } {
            Ok(()) => Ok(stack),
            Err(error) => {
                stack.release();
                Err(error.into())
            }
        }
    }

    /// The initial stack pointer. Stacks grow down.
    pub(super) fn top(&self) -> *mut c_void {
        self.top
    }

    /// Allows another helper process to use the reserved stack, or unmaps the stack. Afterwards, the
    /// process uses as much of RLIMIT_DATA as before: the host program has neither less memory left
    /// nor, because an inaccessible guard does not count, more than without the plugin.
    ///
    /// No process runs on the stack any more. If one is left behind on it, it is not released.
    pub(super) fn release(self) {
        if self.is_reserved {
            // SAFETY: the range is that of `reserved`, and no process runs on the stack.
            let _ = unsafe { mprotect(self.guard, GUARD, USABLE) };
            return RESERVED_IN_USE.store(false, Release);
        }
        // SAFETY: the mapping was made in `mapped`, and no process runs on it any more.
        let _ = unsafe { munmap(self.guard, GUARD + STACK) };
    }
}

#[cfg(test)]
mod tests {
    use super::{GUARD, RESERVED_IN_USE, STACK, Stack};
    use std::sync::atomic::Ordering::Acquire;
    use std::thread;
    use std::time::Duration;

    /// The permissions of the mapping with this address: proc(5).
    fn permissions(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let has = |line: &&str| {
            let (start, end) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
            let number = |text| usize::from_str_radix(text, 16).unwrap();
            (number(start)..number(end)).contains(&address)
        };
        let line = maps.lines().find(has).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// The stacks of helper processes that run at the same time; tests in other threads may use the
    /// reserved one.
    #[test]
    fn each_stack_has_a_guard_and_its_own_memory() {
        let stacks: Vec<_> = (0..3).map(|_| Stack::new().unwrap()).collect();
        assert!(cfg!(watched_memory) || RESERVED_IN_USE.load(Acquire));
        assert!(stacks.iter().filter(|stack| stack.is_reserved).count() <= 1);
        for stack in &stacks {
            let (guard, top) = (stack.guard.addr(), stack.top().addr());
            assert!((GUARD + STACK / 2..=GUARD + STACK).contains(&(top - guard)));
            for address in [guard, guard + GUARD - 1] {
                assert_eq!(permissions(address), "---p");
            }
            for address in [guard + GUARD, top - 1] {
                assert_eq!(permissions(address), "rw-p");
            }
            let others = stacks.iter().filter(|other| other.guard != stack.guard);
            assert_eq!(others.count(), 2);
        }
        stacks.into_iter().for_each(Stack::release);
    }

    /// The reserved stack is used again and again. A test in another thread may use it for seconds.
    #[test]
    fn the_reserved_stack_can_be_used_again() {
        // With a memory checker, it is never used, and the test would wait for minutes.
        if cfg!(watched_memory) {
            return assert!(Stack::reserved().is_none());
        }
        let reserved = || {
            thread::sleep(Duration::from_millis(1));
            Stack::reserved()
        };
        for _ in 0..3 {
            let stack = (0..60_000).find_map(|_| reserved());
            let stack = stack.expect("a free stack");
            let guard = stack.guard.addr();
            stack.release();
            let is_usable = || {
                thread::sleep(Duration::from_millis(1));
                permissions(guard) == "rw-p"
            };
            assert!((0..60_000).any(|_| is_usable()));
        }
    }
}
