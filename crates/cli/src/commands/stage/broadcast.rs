//! sbcast: Slurm's own tree from the login node to the nodes of a step.

use crate::error::Failure;
use crate::system::process_group::Group;
use crate::system::signals;
use crate::system::slurm;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Set unless the admin has. A SIF file is compressed, and it is no program with libraries;
/// a disk may be slow. In the environment, as not every release has these options.
const DEFAULTS: [(&str, &str); 3] =
    [("SBCAST_COMPRESS", "none"), ("SBCAST_SEND_LIBS", "no"), ("SBCAST_TIMEOUT", "60")];
/// How sbcast begins when it says which node could not take the file.
const BLAME: &str = "REQUEST_FILE_BCAST(";

/// What came of a broadcast.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The file has come to all nodes, as far as sbcast knows.
    Whole,
    /// Not to all of them.
    Broken(Broken),
    /// The step has ended meanwhile.
    Deserted,
}

/// Why a file did not come to all nodes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The nodes that could not take it, if sbcast said so, and why.
    pub(crate) blamed: BTreeMap<String, String>,
    /// What it said at last.
    pub(crate) why: String,
}

/// Sends a file to the nodes of `step`, which is `JOB.STEP`; `meanwhile` is called over and
/// over until that is done, takes a little time, and says whether the step is still there.
///
/// # Errors
/// If there is no sbcast, or a signal asked the command to end.
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
            return Ok(Sent::Deserted);
        }
    }
    let status = sbcast.end()?;
    let said: Vec<String> = lines.iter().collect();
    Ok(if status.success() { Sent::Whole } else { Sent::Broken(broken(&said)) })
}

fn broken(said: &[String]) -> Broken {
    let blamed = said.iter().filter_map(|line| {
        let (node, why) = line.split_once(BLAME)?.1.split_once("): ")?;
        Some((node.to_owned(), why.to_owned()))
    });
    Broken { blamed: blamed.collect(), why: slurm::last_words(said.iter().map(String::as_str)) }
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn who_could_not_take_it() {
        let said = [
            "sbcast: error: REQUEST_FILE_BCAST(n2): No space left on device".to_owned(),
            "sbcast: error: REQUEST_FILE_BCAST(n3): Unspecified error".to_owned(),
        ];
        let broken = broken(&said);
        assert_eq!(broken.blamed["n2"], "No space left on device");
        assert_eq!(broken.blamed.len(), 2);
    }

    #[test]
    fn nobody_in_particular() {
        let broken = broken(&["sbcast: error: Can't open `/a`: Permission denied".to_owned()]);
        assert!(broken.blamed.is_empty());
        assert_eq!(broken.why, "Can't open `/a`: Permission denied");
    }
}
