//! What the login node and the nodes say to each other: JSON, one object a line, over the
//! standard input and output of a job step.
//!
//! srun hands each line of its input to all tasks. It hands the lines of a task on as they
//! are if they are not longer than 1,000 bytes, so answers are short and do not repeat what
//! the login node knows.

use crate::error::{Exit, Failure};
use serde::{Deserialize, Serialize};

/// An error is cut at so many characters.
const LONGEST: usize = 300;

/// An image to be staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// The short name.
    pub(crate) reference: String,
    /// Size of the file, in bytes.
    pub(crate) size: u64,
    /// SHA-256 of the file, hexadecimal.
    pub(crate) sha256: String,
    /// What the reference pointed to when the image was pulled.
    pub(crate) digests: Vec<String>,
    /// Where the image came from.
    pub(crate) source: String,
    /// The runtime that made the file, if one did.
    pub(crate) runtime: Option<String>,
}

/// What the nodes are to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub(crate) enum Order {
    /// Say of each whether it is there, and whether there is space for it.
    Look { items: Vec<Item> },
    /// Make the place of this name under `.sifcache/tmp`, where the file will come.
    Prepare { item: Item, place: String },
    /// It has come: check it, and give it its name.
    Settle,
    /// Say what is there.
    List,
}

/// What a node says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) node: String,
    #[serde(flatten)]
    pub(crate) said: Said,
}

/// What it is that the node says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "kebab-case")]
pub(crate) enum Said {
    /// It listens, as this version of the command and in this step of the job.
    Ready { version: String, step: String },
    /// The command is not there.
    NoCommand,
    /// The image is there.
    Present { reference: String },
    /// It is not, or its name has another content.
    Missing { reference: String },
    /// The place is made.
    Prepared,
    /// So many bytes have come.
    Came { bytes: u64 },
    /// The image has its name.
    Staged,
    /// Something did not work, for this image or at all.
    Failed { reference: Option<String>, exit: Exit, error: String },
    /// A file that is there.
    Has(Copy),
    /// That is all that is there.
    Listed,
}

/// An image on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Copy {
    /// A short name that leads to it; else the name of the file.
    pub(crate) reference: String,
    /// In bytes.
    pub(crate) size: u64,
    /// SHA-256, if it is known.
    pub(crate) sha256: Option<String>,
}

impl Said {
    /// What went wrong, of one image or at all.
    pub(crate) fn failed(reference: Option<&str>, failure: &Failure) -> Self {
        let error: String = failure.to_string().chars().take(LONGEST).collect();
        Self::Failed { reference: reference.map(str::to_owned), exit: failure.exit(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Said};
    use crate::error::{Exit, Failure};

    #[test]
    fn answers_fit_into_a_line_of_srun() {
        let reference = format!("r.example.org:5000/{}:{}", "o".repeat(255), "t".repeat(128));
        let failure = Failure::new(Exit::IO, "x".repeat(5_000));
        let said = Said::failed(Some(&reference), &failure);
        let answer = Answer { node: "n".repeat(63), said: said.clone() };
        let line = serde_json::to_string(&answer).unwrap();
        assert!(line.len() < 1_000, "{}", line.len());
        let read: Answer = serde_json::from_str(&line).unwrap();
        assert_eq!((read.node, read.said), (answer.node, said));
    }

    /// A shell prints this one.
    #[test]
    fn the_command_is_not_there() {
        let read: Answer = serde_json::from_str(r#"{"node":"n1","said":"no-command"}"#).unwrap();
        assert_eq!((read.node.as_str(), read.said), ("n1", Said::NoCommand));
    }
}
