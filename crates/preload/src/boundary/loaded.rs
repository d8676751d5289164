//! What is found out once, when the library is loaded.
//!
//! A call before that, from the constructor of another library, is passed, and looks the
//! original up on its own: nothing else runs yet that could hold a lock.

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

/// Written once before `ready`, and only read after it.
struct Place {
    ready: AtomicBool,
    loaded: UnsafeCell<Loaded>,
}

// SAFETY: `ready` orders the one write before all reads.
unsafe impl Sync for Place {}

static PLACE: Place = Place {
    ready: AtomicBool::new(false),
    loaded: UnsafeCell::new(Loaded { originals: Originals::NONE, runtimes: Runtimes::NONE }),
};

/// Has the dynamic linker call [`load`].
#[used]
// SAFETY: the section holds pointers to functions of this type.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = load;

extern "C" fn load() {
    let loaded = Loaded { originals: Originals::look_up(), runtimes: runtimes() };
    // SAFETY: the dynamic linker calls a constructor once, and nobody reads before `ready`.
    unsafe { PLACE.loaded.get().write(loaded) };
    PLACE.ready.store(true, Ordering::Release);
}

/// Reads the names of the runtimes from the environment.
fn runtimes() -> Runtimes {
    // SAFETY: a C string, and no other thread of the program runs yet.
    let settings = unsafe { libc::getenv(SETTINGS_NAME.as_ptr().cast()) };
    // SAFETY: null or a C string, which nobody changes meanwhile.
    Runtimes::from_settings(unsafe { strings::bytes(settings) })
}

fn loaded() -> Option<&'static Loaded> {
    let ready = PLACE.ready.load(Ordering::Acquire);
    // SAFETY: the one write came before `ready`.
    ready.then(|| unsafe { &*PLACE.loaded.get() })
}

/// The functions that ours stand in front of.
pub(super) fn originals() -> Originals {
    loaded().map_or_else(Originals::look_up, |loaded| loaded.originals)
}

/// Whether a program of this file name is a runtime.
pub(super) fn is_runtime(name: &[u8]) -> bool {
    loaded().is_some_and(|loaded| loaded.runtimes.contains(name))
}
