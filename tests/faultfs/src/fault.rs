//! The faults that are currently injected.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The faults that the control file requests.
pub(crate) struct Faults {
    control: PathBuf,
    /// The reply objects of calls that hang. They are kept, because dropping one sends a reply.
    unanswered: Vec<Box<dyn Any + Send>>,
}

/// The fault of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Hang,
    Eio,
}

impl Faults {
    pub(crate) fn new(control: &Path) -> Self {
        Self { control: control.to_owned(), unanswered: Vec::new() }
    }

    /// The fault of this call, after any delay has passed.
    pub(crate) fn of(&self, call: &str) -> Fault {
        match self.requested(call).as_str() {
            "hang" => return Fault::Hang,
            "eio" => return Fault::Eio,
            "slow" => thread::sleep(Duration::from_secs(1)),
            "pause" => {
                while self.requested(call) == "pause" {
                    thread::sleep(Duration::from_millis(20));
                }
            }
            _ => {}
        }
        Fault::None
    }

    /// The fault that the control file requests for this call; empty if none.
    fn requested(&self, call: &str) -> String {
        let text = fs::read_to_string(&self.control).unwrap_or_default();
        let mut words = text.split_whitespace();
        let concerned = words.next().is_some_and(|which| which == call || which == "all");
        words.next().filter(|_| concerned).unwrap_or_default().to_owned()
    }

    /// Lets a call hang: its reply is never sent.
    pub(crate) fn hang(&mut self, reply: impl Any + Send) {
        self.unanswered.push(Box::new(reply));
    }
}
