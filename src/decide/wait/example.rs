//! An entry of the queue, for tests.

use sifcache_core::queue::{Entry, State};

/// An entry for `o/i:1` in this state.
pub(super) fn entry(state: State) -> Entry {
    Entry {
        reference: "docker.io/o/i:1".to_owned(),
        state,
        size: 0,
        received: 0,
        seconds_left: None,
        ahead: 0,
        users: None,
        beat: 1,
        reason: String::new(),
    }
}
