//! The data that the constructor determines once, when the library is loaded.
//!
//! The constructor of another library may call a replaced function earlier. Such a call passes and
//! looks up the original function itself. This is safe, because no other thread runs yet that could
//! hold a lock.

use super::originals::Originals;
use super::strings;
use crate::own::SETTINGS_NAME;
use crate::runtimes::Runtimes;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// The fields are written once, before `ready` is set, and are only read after that. They are written
/// in place, because the constructor runs in every program: a value on the stack would cost two
/// copies and a page.
struct Loaded {
    ready: AtomicBool,
    originals: UnsafeCell<Originals>,
    runtimes: UnsafeCell<Runtimes>,
}

// SAFETY: `ready` orders the only writes before all reads.
unsafe impl Sync for Loaded {}

static LOADED: Loaded = Loaded {
    ready: AtomicBool::new(false),
    originals: UnsafeCell::new(Originals::NONE),
    runtimes: UnsafeCell::new(Runtimes::NONE),
};

/// Makes the dynamic linker call [`load`].
#[used]
// SAFETY: the section holds pointers to functions of this type.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = load;

extern "C" fn load() {
    // SAFETY: the dynamic linker calls a constructor only once, and there are no reads before
    // `ready` is set.
    unsafe { LOADED.originals.get().write(Originals::look_up()) };
    // SAFETY: as above.
    let runtimes = unsafe { &mut *LOADED.runtimes.get() };
    // SAFETY: the name is a C string, and no other thread of the program runs yet.
    let settings = unsafe { libc::getenv(SETTINGS_NAME.as_ptr().cast()) };
    // SAFETY: `getenv` returns null or a C string, and no other thread runs that could change it.
    runtimes.set(unsafe { strings::bytes(settings) });
    LOADED.ready.store(true, Ordering::Release);
}

/// The original functions that this library replaces.
pub(super) fn originals() -> Originals {
    if !LOADED.ready.load(Ordering::Acquire) {
        return Originals::look_up();
    }
    // SAFETY: the only write happened before `ready` was set.
    unsafe { LOADED.originals.get().read() }
}

/// Whether a program with this file name is a runtime. Always false before the constructor has run.
pub(super) fn is_runtime(name: &[u8]) -> bool {
    if !LOADED.ready.load(Ordering::Acquire) {
        return false;
    }
    // SAFETY: the only write happened before `ready` was set.
    unsafe { &*LOADED.runtimes.get() }.contains(name)
}
