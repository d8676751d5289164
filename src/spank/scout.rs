//! A process that goes ahead, so that this one need not wait for a file system.
//!
//! What waits for a file server may be beyond every signal, but only itself: who has sent it
//! can go on without it. So a scout is a process, and no thread, for whose end `execve` would
//! wait. It shares our memory and none of our descriptors, which makes it as cheap as a
//! process can be, and lets it hand over what it finds.
//!
//! Memory is not used by both at once: we do nothing until the scout has ended, or has been
//! killed. One that is killed in a system call which waits for a file server never comes
//! back from it to its own code; what that call may still write to stays as it is.
//!
//! It sends no signal when it ends, so that whatever this process becomes is never told of a
//! child that it does not know; wait(2) has it under `__WCLONE` only.

mod stack;

use stack::Stack;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::fs;
use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize};
use std::time::Duration;

/// What a scout gets after its time: to go on if it was stopped together with us, and to end
/// when it is killed. One that runs ends at once.
const GRACE: Duration = Duration::from_millis(50);

/// What ps(1) calls it.
const NAME: &CStr = c"sifcache-scout";

/// The exit status of a scout that has panicked, and of no other.
const PANICKED: c_int = 101;

/// What a scout does: it tells what it finds, piece by piece.
type Work<'a, T> = &'a dyn Fn(&mut dyn FnMut(T));

/// What `work` tells, done by a scout, and whether that is all. A scout that tells nothing
/// for as long as `patience` is killed, or left where it is if the kernel does not let it
/// be. Where none can be sent, `work` is done here, and after a panic too, which is then ours.
///
/// `work` must not depend on another thread.
pub(crate) fn within<T>(patience: Duration, work: Work<'_, T>) -> (Vec<T>, bool) {
    let sent = Scout::send(work).ok().and_then(|scout| {
        let back = scout.is_back(patience) || scout.is_back(GRACE) || scout.is_dead_when_killed();
        scout.found(back)
    });
    sent.unwrap_or_else(|| {
        let mut found = Vec::new();
        work(&mut |piece| found.push(piece));
        (found, true)
    })
}

/// What we and the scout both know.
struct Errand<'a, T> {
    work: Work<'a, T>,
    found: UnsafeCell<Vec<T>>,
    /// How many pieces that are.
    told: AtomicUsize,
    /// Whether the work is done.
    done: AtomicBool,
    /// The kernel makes it 0, and wakes us, when the scout has ended.
    under_way: AtomicI32,
}

/// A scout that is under way.
struct Scout<'a, T> {
    process: libc::pid_t,
    errand: *mut Errand<'a, T>,
    stack: Stack,
}

impl<'a, T> Scout<'a, T> {
    fn send(work: Work<'a, T>) -> io::Result<Self> {
        let stack = Stack::new()?;
        let errand = Errand {
            work,
            found: UnsafeCell::new(Vec::new()),
            told: AtomicUsize::new(0),
            done: AtomicBool::new(false),
            under_way: AtomicI32::new(1),
        };
        let errand = Box::into_raw(Box::new(errand));
        // SAFETY: just made, and nobody else knows it yet.
        let under_way = unsafe { (*errand).under_way.as_ptr() };
        let flags = libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID;
        let nothing = ptr::null_mut::<c_void>();
        // SAFETY: the stack is the scout's alone, and stays until it has ended; so do the
        // errand and its counter. This thread does nothing but wait meanwhile.
        let process = unsafe {
            libc::clone(go::<T>, stack.top(), flags, errand.cast(), nothing, nothing, under_way)
        };
        if process < 0 {
            let error = io::Error::last_os_error();
            // SAFETY: it came from a box, and no scout has it.
            drop(unsafe { Box::from_raw(errand) });
            stack.give_back();
            return Err(error);
        }
        Ok(Self { process, errand, stack })
    }

    /// Whether the scout has ended, or ends before it has told nothing for this time.
    fn is_back(&self, patience: Duration) -> bool {
        // SAFETY: the errand lives; the scout and the kernel change nothing of it but atomics,
        // and `found`, which is not looked at here.
        let errand = unsafe { &*self.errand };
        loop {
            if errand.under_way.load(Acquire) == 0 {
                return true;
            }
            let before = errand.told.load(Acquire);
            if is_over(&errand.under_way, patience) && errand.told.load(Acquire) == before {
                return false;
            }
        }
    }

    /// Whether it could be killed: of one that waits for a file server, that is the kernel's
    /// business.
    fn is_dead_when_killed(&self) -> bool {
        // SAFETY: our child, for which nobody has waited.
        unsafe { libc::kill(self.process, libc::SIGKILL) };
        self.is_back(GRACE)
    }

    /// What the scout has found, and whether that is all; nothing if it has panicked. One
    /// that has not ended is in a system call for good: its stack, and what that call may
    /// still write to, stay.
    fn found(self, ended: bool) -> Option<(Vec<T>, bool)> {
        if !ended {
            // SAFETY: the scout does not run any more. Nothing here is freed.
            let errand = unsafe { &mut *self.errand };
            return Some((mem::take(errand.found.get_mut()), false));
        }
        let mut status = 0;
        // SAFETY: our child; writes the number.
        unsafe { libc::waitpid(self.process, &raw mut status, libc::__WALL) };
        self.stack.give_back();
        // SAFETY: it came from a box, and the scout, which had it too, is gone.
        let errand = unsafe { Box::from_raw(self.errand) };
        let panicked = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == PANICKED;
        (!panicked).then(|| (errand.found.into_inner(), errand.done.into_inner()))
    }
}

/// Waits while the counter is 1, and tells whether that was for all of this time.
fn is_over(counter: &AtomicI32, time: Duration) -> bool {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: the counter and the time are read. It is a counter of all processes, because the
    // kernel wakes those who wait for it as such.
    let woken = unsafe {
        let (address, wait) = (counter.as_ptr(), libc::FUTEX_WAIT);
        libc::syscall(libc::SYS_futex, address, wait, 1, &raw const time)
    };
    woken < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ETIMEDOUT)
}

/// The scout's own program.
extern "C" fn go<T>(errand: *mut c_void) -> c_int {
    let work = AssertUnwindSafe(|| {
        introduce();
        close_all();
        // SAFETY: who has sent us reads nothing but atomics of it until we have ended.
        let errand = unsafe { &*errand.cast::<Errand<'_, T>>() };
        (errand.work)(&mut |piece| {
            // SAFETY: as above.
            unsafe { &mut *errand.found.get() }.push(piece);
            errand.told.fetch_add(1, Release);
        });
        errand.done.store(true, Release);
    });
    if panic::catch_unwind(work).is_err() { PANICKED } else { 0 }
}

/// For whoever finds one that hangs, and so that it outlives us only where it must.
fn introduce() {
    // SAFETY: a C string of less than 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, NAME.as_ptr()) };
    // SAFETY: two numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Closes what the scout has of us: who reads the task's output would wait for it too.
fn close_all() {
    // SAFETY: three numbers; the scout has no descriptor of its own yet.
    if unsafe { libc::syscall(libc::SYS_close_range, 0, RawFd::MAX, 0) } != 0 {
        close_each();
    }
}

/// The same before Linux 5.9.
fn close_each() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
    let all: Vec<RawFd> = entries.filter_map(|entry| number(entry.ok()?.file_name())).collect();
    for descriptor in all {
        // SAFETY: a number, as above; of the directory itself it is the second time.
        unsafe { libc::close(descriptor) };
    }
}

#[cfg(test)]
mod tests;
