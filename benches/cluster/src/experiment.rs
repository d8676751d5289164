//! What is measured: ways to do the same thing, which take turns.

use serde::{Deserialize, Serialize};

/// Some variants, each run `rounds` times in turn with the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Experiment {
    /// A word for `--only` and for the page.
    pub(crate) name: String,
    /// Before the rounds that count, this many.
    pub(crate) warm_up: usize,
    /// How often each variant runs.
    pub(crate) rounds: usize,
    /// What takes turns.
    pub(crate) variants: Vec<Variant>,
    /// Whether the first one is what the others are compared with.
    pub(crate) compared: bool,
}

/// One way to do it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Variant {
    /// What the page calls it.
    pub(crate) name: String,
    /// What plugstack.conf holds meanwhile; nothing of it is changed if there is none.
    pub(crate) plugstack: Option<String>,
    /// A shell script that is run before, as whoever measures, and not timed.
    pub(crate) before: Option<String>,
    /// What is started at once, and timed until the last has ended.
    pub(crate) commands: Vec<Timed>,
    /// A shell script that prints a number afterwards, such as bytes that were left.
    pub(crate) gauge: Option<String>,
}

/// One command, and what it must come to: a time of something else is worth nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Timed {
    /// Who runs it; none is whoever measures.
    pub(crate) user: Option<User>,
    /// The command, found in `PATH`.
    pub(crate) words: Vec<String>,
    /// Variables that it has beside those of whoever measures; without a value, has not.
    pub(crate) environment: Vec<(String, Option<String>)>,
    /// Its exit status.
    pub(crate) status: i32,
    /// What its output holds.
    pub(crate) says: String,
}

/// A user of the cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct User {
    /// The name; the home is below `/home`.
    pub(crate) name: String,
    /// User and group.
    pub(crate) id: u32,
}

/// What one variant took, round by round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// The variant's name.
    pub(crate) name: String,
    /// Wall-clock seconds.
    pub(crate) seconds: Vec<f64>,
    /// What its gauge has said.
    pub(crate) gauge: Vec<f64>,
}

impl Variant {
    /// One that runs this command.
    pub(crate) fn new(name: &str, command: Timed) -> Self {
        Self {
            name: name.to_owned(),
            plugstack: None,
            before: None,
            commands: vec![command],
            gauge: None,
        }
    }

    /// With this in plugstack.conf.
    pub(crate) fn plugstack(mut self, text: &str) -> Self {
        self.plugstack = Some(text.to_owned());
        self
    }

    /// After this script.
    pub(crate) fn after(mut self, script: &str) -> Self {
        self.before = Some(script.to_owned());
        self
    }
}

impl Timed {
    /// A command line, split at its blanks, that succeeds.
    pub(crate) fn new(line: &str) -> Self {
        Self {
            user: None,
            words: line.split_whitespace().map(str::to_owned).collect(),
            environment: Vec::new(),
            status: 0,
            says: String::new(),
        }
    }

    /// Run by alice.
    pub(crate) fn by_alice(self) -> Self {
        self.by("alice", 1001)
    }

    /// Run by this user.
    pub(crate) fn by(mut self, name: &str, id: u32) -> Self {
        self.user = Some(User { name: name.to_owned(), id });
        self
    }

    /// Ends with this status and says this.
    pub(crate) fn ends(mut self, status: i32, says: &str) -> Self {
        self.status = status;
        self.says = says.to_owned();
        self
    }

    /// With this variable; without a value, without it.
    pub(crate) fn variable(mut self, name: &str, value: Option<&str>) -> Self {
        self.environment.push((name.to_owned(), value.map(str::to_owned)));
        self
    }
}
