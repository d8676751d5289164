//! What is wrong at the moment.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The faults that the control file asks for.
pub(crate) struct Faults {
    control: PathBuf,
    /// Whoever would answer a call that hangs. To drop one is an answer.
    unanswered: Vec<Box<dyn Any>>,
}

/// What a call is to do.
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

    /// What this call is to do, after it has taken its time.
    pub(crate) fn of(&self, call: &str) -> Fault {
        match self.asked(call).as_str() {
            "hang" => return Fault::Hang,
            "eio" => return Fault::Eio,
            "slow" => thread::sleep(Duration::from_secs(1)),
            "pause" => {
                while self.asked(call) == "pause" {
                    thread::sleep(Duration::from_millis(20));
                }
            }
            _ => {}
        }
        Fault::None
    }

    /// The fault of this call, or nothing.
    fn asked(&self, call: &str) -> String {
        let text = fs::read_to_string(&self.control).unwrap_or_default();
        let mut words = text.split_whitespace();
        let concerned = words.next().is_some_and(|which| which == call || which == "all");
        words.next().filter(|_| concerned).unwrap_or_default().to_owned()
    }

    /// Never answers.
    pub(crate) fn hang(&mut self, reply: impl Any) {
        self.unanswered.push(Box::new(reply));
    }
}
