//! A process that goes ahead, so that this one need not wait for a file system.
//!
//! What waits for a file server may be beyond every signal, but only itself: who has sent it
//! can go on without it. So a scout is a process, and no thread, for whose end `execve` would
//! wait. It shares our memory and none of our descriptors, which makes it as cheap as a
//! process can be, and lets it hand over what it finds.
//!
//! Memory is not used by both at once: we do nothing but wait until the scout has ended, or
//! has been killed, and one that runs is not killed. One that is killed in a system call
//! which waits for a file server never comes back from it to its own code; what that call
//! may still write to stays as it is. The exception is `errno`, which both have: we do not
//! read it, and a scout that reads ours takes one error for another and never for an image.
//!
//! It sends no signal when it ends, and wait(2) has it under `__WCLONE` only, so that who
//! starts others is not told of one that it does not know. The kernel makes that SIGCHLD for
//! a scout that is left and ends after our `execve`; it is no child of wait(2)'s even then.

mod departure;
mod stack;

use departure::{close_all, introduce};
use stack::Stack;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::fs;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize};
use std::thread;
use std::time::{Duration, Instant};

/// What a scout gets to end when it is killed, or to go on if it runs.
const GRACE: Duration = Duration::from_millis(200);

/// As much of its time as a scout loses at most while it is stopped together with us.
const SLICE: Duration = Duration::from_secs(1);

/// What a scout does: it tells what it finds, piece by piece.
type Work<'a, T> = &'a dyn Fn(&mut dyn FnMut(T));

/// What `work` tells, done by a scout, and whether that is all. A scout that tells nothing
/// for as long as `lookup_timeout` is killed, or left where it is if the kernel does not let it
/// be. Where none can be sent, `work` is done here, and after a panic too, which is then ours.
///
/// `work` must not depend on another thread.
pub(crate) fn within<T>(timeout: Duration, work: Work<'_, T>) -> (Vec<T>, bool) {
    let sent = Scout::send(work).ok().and_then(|scout| {
        let back = scout.is_back(timeout) || scout.is_back_from_its_work() || scout.is_killed();
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
    /// How often it has come further.
    steps: AtomicUsize,
    /// Whether the work is done.
    done: AtomicBool,
    panicked: AtomicBool,
    /// The kernel makes it 0, and wakes us, when the scout has given up our memory.
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
            steps: AtomicUsize::new(0),
            done: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
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

    /// What we and the scout know, as far as it may be read while the scout is under way.
    fn atomics(&self) -> &Errand<'a, T> {
        // SAFETY: the errand lives; the scout and the kernel change nothing of it but atomics,
        // and `found`, at which nobody looks who asks here.
        unsafe { &*self.errand }
    }

    /// Whether the scout has given up our memory, or does so before it has come no further for
    /// this time.
    fn is_back(&self, timeout: Duration) -> bool {
        let errand = self.atomics();
        let (mut left, mut steps) = (timeout, errand.steps.load(Acquire));
        while errand.under_way.load(Acquire) != 0 {
            if left.is_zero() {
                return false;
            }
            let slice = left.min(SLICE);
            let waited = wait(&errand.under_way, slice).min(slice);
            let before = mem::replace(&mut steps, errand.steps.load(Acquire));
            left = if steps == before { left - waited } else { timeout };
        }
        true
    }

    /// The same for one that does not wait: it runs, or it would.
    fn is_back_from_its_work(&self) -> bool {
        let stat = format!("/proc/{}/stat", self.process);
        // The name may have anything in it, and the state follows it: proc(5).
        let state = || fs::read_to_string(&stat).ok()?.rsplit_once(") ")?.1.chars().next();
        while state() == Some('R') {
            if self.is_back(GRACE) {
                return true;
            }
        }
        false
    }

    /// Whether it could be killed: of one that waits for a file server, that is the kernel's
    /// business.
    fn is_killed(&self) -> bool {
        // SAFETY: our child, for which nobody has waited.
        unsafe { libc::kill(self.process, libc::SIGKILL) };
        self.is_back(GRACE)
    }

    /// What the scout has found, and whether that is all; nothing if it has panicked. One
    /// that is not back waits in a system call, or ends before it does anything more: its
    /// stack, and what that call may still write to, stay.
    fn found(self, back: bool) -> Option<(Vec<T>, bool)> {
        if !back {
            // SAFETY: the scout runs no more code of ours. Nothing here is freed.
            let errand = unsafe { &mut *self.errand };
            return Some((mem::take(errand.found.get_mut()), false));
        }
        self.bury();
        self.stack.give_back();
        // SAFETY: it came from a box, and the scout, which had it too, has no memory any more.
        let errand = unsafe { Box::from_raw(self.errand) };
        let Errand { found, done, panicked, .. } = *errand;
        (!panicked.into_inner()).then(|| (found.into_inner(), done.into_inner()))
    }

    /// Takes the exit status of one that has given up our memory. One that was killed has
    /// files to close still, and may wait for a server there too: so nobody waits for it long.
    fn bury(&self) {
        let done = self.atomics().done.load(Acquire);
        let flags = if done { libc::__WALL } else { libc::__WALL | libc::WNOHANG };
        let start = Instant::now();
        loop {
            let mut status = 0;
            // SAFETY: our child; writes the number.
            let ended = unsafe { libc::waitpid(self.process, &raw mut status, flags) };
            let interrupted = || io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
            if ended > 0 || (ended < 0 && !interrupted()) || start.elapsed() > GRACE {
                return;
            }
            if !done {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Waits for this time while the counter is 1, or less; how long that was.
fn wait(counter: &AtomicI32, time: Duration) -> Duration {
    let start = Instant::now();
    let limit = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: the counter and the time are read. It is a counter of all processes, because the
    // kernel wakes those who wait for it as such.
    let woken = unsafe {
        let (address, wait) = (counter.as_ptr(), libc::FUTEX_WAIT);
        libc::syscall(libc::SYS_futex, address, wait, 1, &raw const limit)
    };
    let waited = start.elapsed();
    if woken < 0 && waited < time && counter.load(Acquire) != 0 {
        // Interrupted, or such a wait is forbidden here.
        thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

/// The scout's own program.
extern "C" fn go<T>(errand: *mut c_void) -> c_int {
    // SAFETY: who has sent us reads nothing but atomics of it until we have ended.
    let errand = unsafe { &*errand.cast::<Errand<'_, T>>() };
    let work = AssertUnwindSafe(|| {
        introduce();
        close_all();
        // To close a file can take a time of its own.
        errand.steps.fetch_add(1, Release);
        (errand.work)(&mut |piece| {
            // SAFETY: as above.
            unsafe { &mut *errand.found.get() }.push(piece);
            errand.steps.fetch_add(1, Release);
        });
        errand.done.store(true, Release);
    });
    let panicked = panic::catch_unwind(work).is_err();
    errand.panicked.store(panicked, Release);
    0
}

#[cfg(test)]
mod tests;
