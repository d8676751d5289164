//! Messages between the login node and the nodes: JSON, one object per line, over standard input
//! and output of a job step.
//!
//! srun forwards each line of its input to all tasks. It forwards output lines of a task unchanged
//! only if they are not longer than 1,000 bytes. Replies are therefore short, and do not repeat
//! data that the login node already has.

use crate::cache::image_name;
use crate::error::Failure;
use crate::exit::Exit;
use serde::{Deserialize, Serialize};

/// Maximum length of an error message, in characters.
const LONGEST: usize = 300;

/// An image to stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// The short name.
    pub(crate) reference: String,
    /// Size of the file, in bytes.
    pub(crate) size: u64,
    /// SHA-256 of the file, hexadecimal.
    pub(crate) sha256: String,
    /// The digests that the reference pointed to when the image was pulled.
    pub(crate) digests: Vec<String>,
    /// The source that the image was pulled or imported from.
    pub(crate) source: String,
    /// The runtime that created the file, if known.
    pub(crate) runtime: Option<String>,
}

impl Item {
    /// The file name of the image, relative to an image root.
    ///
    /// # Errors
    /// The reference is not valid.
    pub(crate) fn name(&self) -> Result<String, Failure> {
        Ok(image_name::file(&image_name::parse(&self.reference)?))
    }
}

/// A request to the nodes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Report for each image whether it is present, and whether there is space for it.
    Query { items: Vec<Item> },
    /// Create the directory `place` under `.sifcache/tmp`, which will receive the file, or report
    /// that the image is present.
    Prepare { item: Item, place: String },
    /// The transfer is complete: check the file, and move it to its final name.
    Commit,
    /// List all images.
    List,
}

/// A reply of a node.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeReply {
    pub(crate) node: String,
    #[serde(flatten)]
    pub(crate) reply: Reply,
}

/// The content of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// The node is ready, with this version of the command, in this step of the job.
    Ready { version: String, step: String },
    /// The command is not installed on the node.
    NoCommand,
    /// The image is present.
    Present { reference: String },
    /// The image is absent, or a different image has its name.
    Missing { reference: String },
    /// The directory for the file was created.
    Prepared,
    /// Number of bytes received so far.
    Received { bytes: u64 },
    /// The image is installed under its name.
    Staged,
    /// A failure, for one image or in general.
    Failed { reference: Option<String>, exit: Exit, error: String },
    /// An image on the node.
    Has(Copy),
    /// The end of the list.
    Listed,
}

/// An image on a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Copy {
    /// A short name that leads to it, or else the file name.
    pub(crate) reference: String,
    /// Size in bytes.
    pub(crate) size: u64,
    /// SHA-256 in hexadecimal, if it is recorded.
    pub(crate) sha256: Option<String>,
}

impl Reply {
    /// A failure, for one image or in general. The message is cut to the maximum length.
    pub(crate) fn failed(reference: Option<&str>, failure: &Failure) -> Self {
        let error: String = failure.to_string().chars().take(LONGEST).collect();
        Self::Failed { reference: reference.map(str::to_owned), exit: failure.exit(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::{NodeReply, Reply, Request};
    use crate::error::Failure;
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn answers_fit_into_a_line_of_srun() {
        let reference = format!("r.example.org:5000/{}:{}", "o".repeat(255), "t".repeat(128));
        let failure = Failure::Slurm("x".repeat(5_000));
        let reply = Reply::failed(Some(&reference), &failure);
        let answer = NodeReply { node: "n".repeat(63), reply: reply.clone() };
        let line = serde_json::to_string(&answer).unwrap();
        assert!(line.len() < 1_000, "{}", line.len());
        let read: NodeReply = serde_json::from_str(&line).unwrap();
        assert_eq!((read.node, read.reply), (answer.node, reply));
    }

    /// This reply is printed by a shell command.
    #[test]
    fn the_reply_of_a_node_without_the_command_is_parsed() {
        let read: NodeReply =
            serde_json::from_str(r#"{"node":"n1","reply":"no-command"}"#).unwrap();
        assert_eq!((read.node.as_str(), read.reply), ("n1", Reply::NoCommand));
    }

    /// Parses the messages in docs/json.md, and checks that writing them gives the same JSON, so
    /// that the page contains all keys and no others.
    fn documented<Message: DeserializeOwned + Serialize>(heading: &str) -> Vec<Message> {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md");
        let page = std::fs::read_to_string(page).unwrap();
        let block = page.split(heading).nth(1).unwrap().split("```").nth(1).unwrap();
        let block = block.strip_prefix("json\n").unwrap();
        let values = serde_json::Deserializer::from_str(block).into_iter::<Value>();
        let check = |value: Value| {
            let message: Message = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&message).unwrap(), value);
            message
        };
        values.map(|value| check(value.unwrap())).collect()
    }

    #[test]
    fn all_messages_are_documented() {
        // A new variant causes a compile error here until it has a number.
        let request = |request: &Request| match request {
            Request::Query { .. } => 0,
            Request::Prepare { .. } => 1,
            Request::Commit => 2,
            Request::List => 3,
        };
        let requests: Vec<Request> = documented("\nRequests, ");
        assert_eq!(requests.iter().map(request).collect::<BTreeSet<_>>(), (0..4).collect());
        let reply = |answer: &NodeReply| match answer.reply {
            Reply::Ready { .. } => 0,
            Reply::NoCommand => 1,
            Reply::Present { .. } => 2,
            Reply::Missing { .. } => 3,
            Reply::Prepared => 4,
            Reply::Received { .. } => 5,
            Reply::Staged => 6,
            Reply::Failed { .. } => 7,
            Reply::Has(_) => 8,
            Reply::Listed => 9,
        };
        let answers: Vec<NodeReply> = documented("\nReplies:");
        assert_eq!(answers.iter().map(reply).collect::<BTreeSet<_>>(), (0..10).collect());
    }
}
