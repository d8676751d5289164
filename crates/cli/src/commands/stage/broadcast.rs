//! sbcast: Slurm's broadcast tree from the login node to the nodes of a step.

use crate::error::Failure;
use crate::system::process_group::Group;
use crate::system::signals;
use crate::system::slurm;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Environment variables that are set unless the admin has set them. The reasons for the values: a
/// SIF file is already compressed, it is not a program that needs libraries, and a disk may be
/// slow. Variables are used because not every release has the corresponding options.
const DEFAULTS: [(&str, &str); 3] =
    [("SBCAST_COMPRESS", "none"), ("SBCAST_SEND_LIBS", "no"), ("SBCAST_TIMEOUT", "60")];
/// The prefix in sbcast's message before the name of a node that could not receive the file.
const FAILED_NODE: &str = "REQUEST_FILE_BCAST(";

/// The result of a broadcast.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// sbcast reports that all nodes received the file.
    Whole,
    /// Some nodes did not receive the file.
    Broken(Broken),
    /// The step ended during the broadcast.
    StepEnded,
}

/// Why some nodes did not receive a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The nodes that could not receive it, if sbcast named them, and the reason for each.
    pub(crate) failed_nodes: BTreeMap<String, String>,
    /// The last error message of sbcast.
    pub(crate) why: String,
}

/// Sends a file to the nodes of `step`, which is `JOB.STEP`. During the transfer, `meanwhile` is
/// called repeatedly; it blocks for a short time and returns whether the step still exists.
///
/// # Errors
/// sbcast cannot be started, or a signal asked the command to stop.
pub(crate) fn send(
    step: &str,
    from: &Path,
    to: &Path,
    meanwhile: &mut dyn FnMut() -> bool,
) -> Result<Sent, Failure> {
    let mut sbcast: Command = slurm::command("sbcast");
    for (name, value) in DEFAULTS.iter().filter(|(name, _)| std::env::var_os(name).is_none()) {
        sbcast.env(name, value);
    }
    sbcast.arg(format!("--jobid={step}")).arg(from).arg(to);
    let started = Group::start(&mut sbcast);
    let mut sbcast = started.map_err(|error| slurm::not_started("sbcast", &error))?;
    let lines = sbcast.listen();
    while !sbcast.has_ended() {
        signals::check()?;
        if !meanwhile() {
            return Ok(Sent::StepEnded);
        }
    }
    let status = sbcast.end()?;
    let messages: Vec<String> = lines.iter().collect();
    Ok(if status.success() { Sent::Whole } else { Sent::Broken(broken(&messages)) })
}

fn broken(messages: &[String]) -> Broken {
    let failed_nodes = messages.iter().filter_map(|line| {
        let (node, why) = line.split_once(FAILED_NODE)?.1.split_once("): ")?;
        Some((node.to_owned(), why.to_owned()))
    });
    Broken {
        failed_nodes: failed_nodes.collect(),
        why: slurm::last_message(messages.iter().map(String::as_str)),
    }
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn failed_nodes_are_parsed() {
        let messages = [
            "sbcast: error: REQUEST_FILE_BCAST(n2): No space left on device".to_owned(),
            "sbcast: error: REQUEST_FILE_BCAST(n3): Unspecified error".to_owned(),
        ];
        let broken = broken(&messages);
        assert_eq!(broken.failed_nodes["n2"], "No space left on device");
        assert_eq!(broken.failed_nodes.len(), 2);
    }

    #[test]
    fn an_error_without_a_node_names_none() {
        let broken = broken(&["sbcast: error: Can't open `/a`: Permission denied".to_owned()]);
        assert!(broken.failed_nodes.is_empty());
        assert_eq!(broken.why, "Can't open `/a`: Permission denied");
    }
}
