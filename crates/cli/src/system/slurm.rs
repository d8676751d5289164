//! Slurm's own commands, found in PATH.

use crate::error::{Exit, Failure};
use crate::system::process::{Call, Processes, Run as _};
use std::io;
use std::process::{Command, Stdio};

/// Variables of the caller's that Slurm's commands do not get: those of a job that the
/// caller may be in, and credentials, which have no business on the nodes.
const NOT_HANDED_ON: [&str; 3] = ["SLURM_", "APPTAINER_", "SINGULARITY_"];
/// But for this one, which says where Slurm's configuration is.
const CONFIGURATION: &str = "SLURM_CONF";

/// Asks a command something that it knows at once.
///
/// # Errors
/// That it is not there, or what it says is wrong.
pub(crate) fn ask(program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
    let call = Call { program: program.into(), arguments, ..Call::default() };
    let unavailable = |message: String| Failure::new(Exit::UNAVAILABLE, message);
    let answer = Processes.run(&call).map_err(|silence| {
        unavailable(format!("{}; it comes with Slurm", silence.said_of(program)))
    })?;
    match answer.success {
        true => Ok(answer.stdout),
        false => Err(unavailable(format!("{program}: {}", last_words(answer.stderr.lines())))),
    }
}

/// A command that is to run for a while, with pipes.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name != CONFIGURATION && NOT_HANDED_ON.iter().any(|begin| name.starts_with(begin)) {
            command.env_remove(name.as_ref());
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A command that could not be started.
pub(crate) fn not_started(program: &str, error: &io::Error) -> Failure {
    let message = match error.kind() {
        io::ErrorKind::NotFound => format!("{program} is not in PATH; it comes with Slurm"),
        _ => format!("{program} cannot be started: {error}"),
    };
    Failure::new(Exit::UNAVAILABLE, message)
}

/// What a command of Slurm's said at last, without its name in front.
pub(crate) fn last_words<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> String {
    let mut lines = lines.map(str::trim).filter(|line| !line.is_empty());
    lines.next_back().map_or_else(|| "it did not say why".to_owned(), |line| bare(line).to_owned())
}

/// `salloc: error: …` without the words in front.
pub(crate) fn bare(line: &str) -> &str {
    let line = line
        .split_once(": ")
        .filter(|(name, _)| !name.contains(' '))
        .map_or(line, |(_, rest)| rest);
    line.strip_prefix("error: ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::last_words;

    #[test]
    fn why_without_who() {
        let said = ["salloc: error: Job submit/allocate failed: Invalid account", ""];
        assert_eq!(last_words(said.into_iter()), "Job submit/allocate failed: Invalid account");
        assert_eq!(last_words(["no colon here"].into_iter()), "no colon here");
        assert_eq!(last_words([].into_iter()), "it did not say why");
    }
}
