//! Panics on request, for the tests of the panic firewall.
//!
//! `panic=POINT` among the plugin's arguments arms a point. Only unit tests and builds with the
//! feature `fault-injection` contain this code.

#[cfg(any(test, feature = "fault-injection"))]
mod armed {
    use std::cell::RefCell;

    thread_local! {
        static POINT: RefCell<String> = const { RefCell::new(String::new()) };
    }

    /// Removes `panic=POINT` from the arguments and arms that point in this thread.
    pub(crate) fn arm(arguments: &mut Vec<&[u8]>) {
        arguments.retain(|argument| match argument.strip_prefix(b"panic=") {
            Some(point) => {
                POINT.set(String::from_utf8_lossy(point).into_owned());
                false
            }
            None => true,
        });
    }

    /// Panics if the point is armed.
    #[allow(clippy::panic)]
    pub(crate) fn point(name: &str) {
        if POINT.with_borrow(|armed| armed == name) {
            panic!("injected at {name}");
        }
    }
}

#[cfg(not(any(test, feature = "fault-injection")))]
mod armed {
    pub(crate) fn arm(_arguments: &mut Vec<&[u8]>) {}
    pub(crate) fn point(_name: &str) {}
}

pub(crate) use armed::{arm, point};
