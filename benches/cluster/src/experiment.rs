//! The definition of a measurement: variants of the same task, which run in turn.

use serde::{Deserialize, Serialize};

/// Variants that run in turn, `rounds` times each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Experiment {
    /// The name, for `--only` and the page.
    pub(crate) name: String,
    /// The number of rounds that run first and are not recorded.
    pub(crate) warm_up: usize,
    /// The number of recorded runs of each variant.
    pub(crate) rounds: usize,
    /// The variants.
    pub(crate) variants: Vec<Variant>,
    /// Whether the other variants are compared with the first one.
    pub(crate) compared: bool,
}

/// One variant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Variant {
    /// The name on the page.
    pub(crate) name: String,
    /// The text of plugstack.conf during the run; `None` leaves the file unchanged.
    pub(crate) plugstack: Option<String>,
    /// A shell script that runs before the commands, as the measuring user. It is not timed.
    pub(crate) before: Option<String>,
    /// The commands. They are started together, and the measured time ends when the last one ends.
    pub(crate) commands: Vec<Timed>,
    /// A shell script that prints a number after the run, such as the bytes in use.
    pub(crate) gauge: Option<String>,
}

/// One command and its expected result. A run with another result is an error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Timed {
    /// The user who runs it; `None` is the measuring user.
    pub(crate) user: Option<User>,
    /// The argv entries. The program is looked up in `PATH`.
    pub(crate) words: Vec<String>,
    /// Variables that are set, or removed if there is no value, in the measuring user's
    /// environment.
    pub(crate) environment: Vec<(String, Option<String>)>,
    /// The expected exit status.
    pub(crate) status: i32,
    /// A text that the output must contain.
    pub(crate) says: String,
}

/// A user of the cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    /// The name. The home directory is below `/home`.
    pub(crate) name: String,
    /// User and group ID.
    pub(crate) id: u32,
}

/// The measurements of one variant, by round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// The variant's name.
    pub(crate) name: String,
    /// Wall-clock seconds.
    pub(crate) seconds: Vec<f64>,
    /// The numbers that its gauge printed.
    pub(crate) gauge: Vec<f64>,
}

impl Variant {
    /// A variant that runs this command.
    pub(crate) fn new(name: &str, command: Timed) -> Self {
        Self {
            name: name.to_owned(),
            plugstack: None,
            before: None,
            commands: vec![command],
            gauge: None,
        }
    }

    /// Sets the text of plugstack.conf.
    pub(crate) fn plugstack(mut self, text: &str) -> Self {
        self.plugstack = Some(text.to_owned());
        self
    }

    /// Sets the script that runs before the commands.
    pub(crate) fn after(mut self, script: &str) -> Self {
        self.before = Some(script.to_owned());
        self
    }
}

impl Timed {
    /// A command line, split at spaces, that must succeed.
    pub(crate) fn new(line: &str) -> Self {
        Self {
            user: None,
            words: line.split_whitespace().map(str::to_owned).collect(),
            environment: Vec::new(),
            status: 0,
            says: String::new(),
        }
    }

    /// Sets alice as the user who runs it.
    pub(crate) fn by_alice(self) -> Self {
        self.by("alice", 1001)
    }

    /// Sets the user who runs it.
    pub(crate) fn by(mut self, name: &str, id: u32) -> Self {
        self.user = Some(User { name: name.to_owned(), id });
        self
    }

    /// Sets the expected exit status and a text that the output must contain.
    pub(crate) fn ends(mut self, status: i32, says: &str) -> Self {
        self.status = status;
        self.says = says.to_owned();
        self
    }

    /// Sets a variable, or removes it if there is no value.
    pub(crate) fn variable(mut self, name: &str, value: Option<&str>) -> Self {
        self.environment.push((name.to_owned(), value.map(str::to_owned)));
        self
    }
}
