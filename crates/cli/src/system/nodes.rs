//! The nodes of the cluster, from sinfo.

use crate::system::process::{Call, Run};
use std::collections::BTreeMap;

/// The nodes by host name. The value shows whether the node can run jobs now.
///
/// # Errors
/// sinfo is unavailable or fails; the message says why.
pub(crate) fn nodes(run: &dyn Run) -> Result<BTreeMap<String, bool>, String> {
    let arguments = ["--all", "--noheader", "--Node", "--format=%n|%T"].map(str::to_owned).into();
    let call = Call { program: "sinfo".into(), arguments, ..Call::default() };
    let answer = run.run(&call).map_err(|silence| silence.describe("sinfo"))?;
    match answer.success {
        true => Ok(answer.stdout.lines().filter_map(row).collect()),
        false => {
            let last = answer.stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
            Err(last.unwrap_or("sinfo failed without a message").to_owned())
        }
    }
}

fn row(line: &str) -> Option<(String, bool)> {
    let (host, state) = line.trim().split_once('|')?;
    Some((host.to_owned(), is_up(state)))
}

/// Whether a node in this state writes a log. A node that is down or powered off does not write
/// one, and starts no job until it is up again.
fn is_up(state: &str) -> bool {
    let without_power = state.contains(['~', '%']) || state.contains("power");
    !without_power && !["down", "future", "unknown"].iter().any(|name| state.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::nodes;
    use crate::system::process::{Answer, Call, Run, RunError};

    struct Sinfo(Result<&'static str, RunError>);

    impl Run for Sinfo {
        fn run(&self, _: &Call) -> Result<Answer, RunError> {
            let stdout = self.0?.to_owned();
            let (success, stderr) = (!stdout.is_empty(), "sinfo: error: no\n".to_owned());
            Ok(Answer { success, stdout, stderr })
        }
    }

    #[test]
    fn nodes_are_listed_with_their_state() {
        let text =
            "n1|idle\nn1|idle\nN2.example.org|drained*\nn3|down*\nn4|idle~\nn5|powered_down\n";
        let nodes = nodes(&Sinfo(Ok(text))).unwrap();
        let all: Vec<(&str, bool)> = nodes.iter().map(|(name, up)| (name.as_str(), *up)).collect();
        assert_eq!(
            all,
            [("N2.example.org", true), ("n1", true), ("n3", false), ("n4", false), ("n5", false)]
        );
    }

    #[test]
    fn a_failing_sinfo_is_an_error() {
        assert_eq!(nodes(&Sinfo(Ok(""))).unwrap_err(), "sinfo: error: no");
        let missing = nodes(&Sinfo(Err(RunError::Missing))).unwrap_err();
        assert_eq!(missing, "sinfo is not in PATH");
    }
}
