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

struct Loaded {
    originals: Originals,
    runtimes: Runtimes,
}

/// `loaded` is written once, before `ready` is set, and is only read after that.
struct Place {
    ready: AtomicBool,
    loaded: UnsafeCell<Loaded>,
}

// SAFETY: `ready` orders the only write before all reads.
unsafe impl Sync for Place {}

static PLACE: Place = Place {
    ready: AtomicBool::new(false),
    loaded: UnsafeCell::new(Loaded { originals: Originals::NONE, runtimes: Runtimes::NONE }),
};

/// Makes the dynamic linker call [`load`].
#[used]
// SAFETY: the section holds pointers to functions of this type.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = load;

extern "C" fn load() {
    let loaded = Loaded { originals: Originals::look_up(), runtimes: runtimes() };
    // SAFETY: the dynamic linker calls a constructor only once, and there are no reads before
    // `ready` is set.
    unsafe { PLACE.loaded.get().write(loaded) };
    PLACE.ready.store(true, Ordering::Release);
}

/// Reads the names of the runtimes from the environment.
fn runtimes() -> Runtimes {
    // SAFETY: the name is a C string, and no other thread of the program runs yet.
    let settings = unsafe { libc::getenv(SETTINGS_NAME.as_ptr().cast()) };
    // SAFETY: `getenv` returns null or a C string, and no other thread runs that could change it.
    Runtimes::from_settings(unsafe { strings::bytes(settings) })
}

fn loaded() -> Option<&'static Loaded> {
    let ready = PLACE.ready.load(Ordering::Acquire);
    // SAFETY: the only write happened before `ready` was set.
    ready.then(|| unsafe { &*PLACE.loaded.get() })
}

/// The original functions that this library replaces.
pub(super) fn originals() -> Originals {
    loaded().map_or_else(Originals::look_up, |loaded| loaded.originals)
}

/// Whether a program with this file name is a runtime. Always false before the constructor has run.
pub(super) fn is_runtime(name: &[u8]) -> bool {
    loaded().is_some_and(|loaded| loaded.runtimes.contains(name))
}
