//! Runs work that may block forever in a child process, so that this process need not wait for it.
//!
//! A system call on a hung file server can block uninterruptibly: no signal ends it. But the parent
//! of the blocked process can go on without that process. A thread would not do, because `execve`
//! waits for the end of all threads. The child shares this process's memory, and leaves its table of
//! descriptors at once. That makes it as cheap as a process can be, and lets it pass its results on
//! without a pipe.
//!
//! The parent and the child never use memory at the same time. The parent only waits until the
//! child has done its work or was killed, and does not kill a child that is running. A child that
//! is killed inside a blocking system call never returns to its own code; the memory that the call
//! may still write to is leaked. `errno` is an exception, because both share it. The parent does
//! not read it, and a child that reads the parent's `errno` mistakes one error for another, but
//! never an error for an image.
//!
//! A child that has done its work only uses its stack to exit, which takes the kernel longer than
//! most lookups. The parent goes on in the meantime, and collects the exit status later: see
//! [`Exiting`].
//!
//! The child sends no signal when it ends, and only waitpid(2) with `__WCLONE` or `__WALL` returns
//! it, so a program that waits for its own children never sees an unknown child. For a child that
//! is left behind and ends after the `execve`, the kernel sends SIGCHLD, but even then wait(2)
//! skips the child.

mod child_setup;
#[cfg_attr(watched_memory, path = "helper_process/clone_in_thread.rs")]
mod clone;
mod stack;

use child_setup::{leave_files, set_process_name};
use clone::{Starter, clone};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use stack::Stack;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::fs;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize};
use std::thread;
use std::time::{Duration, Instant};

/// The time that a killed child has to end, and that a running child has until the next check.
const GRACE: Duration = Duration::from_millis(200);

/// The longest wait between two checks for progress. A child that was stopped together with its
/// parent, by SIGSTOP or a frozen control group, loses at most this much of its timeout.
const SLICE: Duration = Duration::from_secs(1);

/// The work of a child: it passes each result to the given function.
type Work<'a, T> = &'a dyn Fn(&mut dyn FnMut(T));

/// Runs `work` in a child process and returns its results, and whether they are complete.
///
/// A child that reports nothing for `timeout` is killed, or left behind if the kernel cannot kill
/// it. If no child can be started, or if it panics, `work` runs in the calling process, and the
/// caller sees the panic.
///
/// `work` must not depend on another thread.
pub(crate) fn within<T>(timeout: Duration, work: Work<'_, T>) -> (Vec<T>, bool) {
    let (results, complete, _) = within_and_exiting(timeout, work);
    (results, complete)
}

/// Does the same as [`within`], but does not wait for the exit of a child that has done its work.
pub(crate) fn within_and_exiting<'a, T>(
    timeout: Duration,
    work: Work<'a, T>,
) -> (Vec<T>, bool, Option<Exiting>) {
    let from_child = HelperProcess::start(work).ok().and_then(|child| {
        let ended = child.ends_within(timeout) || child.ends_while_running() || child.is_killed();
        child.results(ended)
    });
    from_child.unwrap_or_else(|| {
        let mut results = Vec::new();
        work(&mut |result| results.push(result));
        (results, true, None)
    })
}

/// What the parent and the child share.
struct Shared<'a, T> {
    work: Work<'a, T>,
    results: UnsafeCell<Vec<T>>,
    /// Counts the child's progress.
    steps: AtomicUsize,
    /// The work is complete.
    done: AtomicBool,
    panicked: AtomicBool,
    /// 1 while the child uses this memory. The child sets it to 0 and wakes the parent when it has
    /// done its work, and the kernel when the child has exited or was killed. It has an allocation
    /// of its own, because the kernel writes to it after the parent has taken the results.
    alive: *mut AtomicI32,
}

/// A child that was started.
struct HelperProcess<'a, T> {
    shared: *mut Shared<'a, T>,
    exiting: Exiting,
}

/// A child that was started, without the memory that it shares with its parent. Once the child has
/// done its work or was killed, this may be dropped, which waits for its exit.
#[derive(Debug)]
pub(crate) struct Exiting {
    pid: Pid,
    stack: Option<Stack>,
    alive: *mut AtomicI32,
    /// The child runs to its end. Otherwise it was killed, and may still block in the kernel.
    runs: bool,
    starter: Starter,
}

impl<'a, T> HelperProcess<'a, T> {
    fn start(work: Work<'a, T>) -> io::Result<Self> {
        let stack = Stack::new()?;
        let alive = Box::into_raw(Box::new(AtomicI32::new(1)));
        let shared = Shared {
            work,
            results: UnsafeCell::new(Vec::new()),
            steps: AtomicUsize::new(0),
            done: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            alive,
        };
        let shared = Box::into_raw(Box::new(shared));
        let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_CHILD_CLEARTID;
        // SAFETY: the stack belongs to the child alone. The stack and `alive` remain valid until the
        // child has exited, and `shared` until it has done its work. Until then this thread only
        // waits.
        let (pid, starter) =
            unsafe { clone(child_main::<T>, stack.top(), flags, shared.cast(), alive) };
        let Some(pid) = Pid::from_raw(pid.max(0)) else {
            let error = io::Error::last_os_error();
            // SAFETY: `shared` comes from a box, and no child uses it.
            drop(unsafe { Box::from_raw(shared) });
            // SAFETY: the same is true of `alive`.
            drop(unsafe { Box::from_raw(alive) });
            stack.release();
            return Err(error);
        };
        let exiting = Exiting { pid, stack: Some(stack), alive, runs: false, starter };
        Ok(Self { shared, exiting })
    }

    /// The shared memory. Only the atomic fields may be read while the child is alive.
    fn shared(&self) -> &Shared<'a, T> {
        // SAFETY: the box has not been freed. While the child is alive, the child and the kernel
        // change only the atomic fields and `results`, which no caller of this function reads.
        unsafe { &*self.shared }
    }

    fn alive(&self) -> &AtomicI32 {
        // SAFETY: the box has not been freed, and all users of it use it atomically.
        unsafe { &*self.exiting.alive }
    }

    /// Waits until the child has done its work or has ended. False if it makes no progress for
    /// `timeout`.
    fn ends_within(&self, timeout: Duration) -> bool {
        let (shared, alive) = (self.shared(), self.alive());
        let (mut left, mut steps) = (timeout, shared.steps.load(Acquire));
        while alive.load(Acquire) != 0 {
            if left.is_zero() {
                return false;
            }
            let slice = left.min(SLICE);
            let waited = wait(alive, slice).min(slice);
            let before = mem::replace(&mut steps, shared.steps.load(Acquire));
            left = if steps == before { left - waited } else { timeout };
        }
        true
    }

    /// Continues to wait for a child that is not blocked but is running or waiting for a processor.
    fn ends_while_running(&self) -> bool {
        let stat = format!("/proc/{}/stat", self.exiting.pid.as_raw_nonzero());
        // proc(5): the state follows the name, which may contain anything.
        let state = || fs::read_to_string(&stat).ok()?.rsplit_once(") ")?.1.chars().next();
        while state() == Some('R') {
            if self.ends_within(GRACE) {
                return true;
            }
        }
        false
    }

    /// Kills the child. False if it does not end: the kernel cannot kill it while it blocks.
    fn is_killed(&self) -> bool {
        // The child was not waited for, so its number is not reused.
        let _ = kill_process(self.exiting.pid, Signal::KILL);
        self.ends_within(GRACE)
    }

    /// The results, and whether they are complete. `None` if the child panicked.
    ///
    /// A child that has not `ended` blocks in a system call and runs no code of its own any more.
    /// Its stack and the shared memory are leaked, because that call may still write to them.
    fn results(mut self, ended: bool) -> Option<(Vec<T>, bool, Option<Exiting>)> {
        if !ended {
            // SAFETY: the child runs no code of its own any more, and nothing is freed here.
            let shared = unsafe { &mut *self.shared };
            mem::forget(self.exiting);
            return Some((mem::take(shared.results.get_mut()), false, None));
        }
        // SAFETY: `shared` comes from a box, and the child, its only other user, has done its work
        // or has ended.
        let shared = unsafe { Box::from_raw(self.shared) };
        let Shared { results, done, panicked, .. } = *shared;
        let (done, panicked) = (done.into_inner(), panicked.into_inner());
        self.exiting.runs = done || panicked;
        (!panicked).then(|| (results.into_inner(), done, Some(self.exiting)))
    }
}

impl Exiting {
    /// Collects the exit status. A killed child may still block while the kernel closes its files,
    /// so the wait for it is short.
    fn reap(&self) {
        let all = WaitOptions::from_bits_retain(libc::__WALL.cast_unsigned());
        let options = if self.runs { all } else { all | WaitOptions::NOHANG };
        let start = Instant::now();
        while matches!(waitpid(Some(self.pid), options), Ok(None) | Err(Errno::INTR)) {
            if !self.runs {
                if start.elapsed() > GRACE {
                    return;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Exiting {
    fn drop(&mut self) {
        self.starter.wait();
        self.reap();
        if let Some(stack) = self.stack.take() {
            stack.release();
        }
        // SAFETY: `alive` comes from a box. The child has exited, or the kernel has written to it
        // already when it was killed.
        drop(unsafe { Box::from_raw(self.alive) });
    }
}

/// Waits up to `time` while `alive` is 1. Returns the time that it waited.
fn wait(alive: &AtomicI32, time: Duration) -> Duration {
    let start = Instant::now();
    let limit = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: the kernel only reads the counter and the time. The futex is shared, not private,
    // because for CLONE_CHILD_CLEARTID the kernel wakes waiters on a shared futex.
    let woken = unsafe {
        let (address, wait) = (alive.as_ptr(), libc::FUTEX_WAIT);
        libc::syscall(libc::SYS_futex, address, wait, 1, &raw const limit)
    };
    let waited = start.elapsed();
    if woken < 0 && waited < time && alive.load(Acquire) != 0 {
        // A signal arrived, or a seccomp filter forbids the call.
        thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

/// The main function of the child.
extern "C" fn child_main<T>(shared: *mut c_void) -> c_int {
    // SAFETY: until the child has done its work the parent only reads the atomic fields.
    let shared = unsafe { &*shared.cast::<Shared<'_, T>>() };
    let alive = shared.alive;
    let work = AssertUnwindSafe(|| {
        set_process_name();
        leave_files();
        // Closing a file can take long, so it counts as progress.
        shared.steps.fetch_add(1, Release);
        (shared.work)(&mut |result| {
            // SAFETY: until the child has done its work the parent does not touch `results`.
            unsafe { &mut *shared.results.get() }.push(result);
            shared.steps.fetch_add(1, Release);
        });
        shared.done.store(true, Release);
    });
    let panicked = panic::catch_unwind(work).is_err();
    shared.panicked.store(panicked, Release);
    release(alive);
    0
}

/// Lets the parent go on. From here on this process uses only its stack.
fn release(alive: *mut AtomicI32) {
    // SAFETY: `alive` remains valid until this process has exited, and all users of it use it
    // atomically.
    let alive = unsafe { &*alive };
    alive.store(0, Release);
    // SAFETY: the kernel only uses the address, to find the processes that wait.
    unsafe { libc::syscall(libc::SYS_futex, alive.as_ptr(), libc::FUTEX_WAKE, 1) };
}

#[cfg(test)]
mod tests;
