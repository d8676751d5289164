//! Runs Slurm's commands, which are found in PATH.

use crate::error::Failure;
use crate::system::process::{Call, Processes, Run as _};
use std::io;
use std::process::{Command, Stdio};

/// Prefixes of environment variables that are not passed to Slurm's commands: those of a job in
/// which the command may be running, and credentials, which must not reach the nodes.
const NOT_INHERITED: [&str; 3] = ["SLURM_", "APPTAINER_", "SINGULARITY_"];
/// The exception to these prefixes: the variable with the path of Slurm's configuration.
const CONFIGURATION: &str = "SLURM_CONF";

/// Runs a command that ends quickly, and returns its standard output.
///
/// # Errors
/// The command is unavailable or fails; the message contains its last line.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
    let call = Call { program: program.into(), arguments, ..Call::default() };
    let answer = Processes.run(&call).map_err(|error| {
        Failure::Slurm(format!("{}; it is part of Slurm", error.describe(program)))
    })?;
    match answer.success {
        true => Ok(answer.stdout),
        false => Err(Failure::Slurm(format!("{program}: {}", last_message(answer.stderr.lines())))),
    }
}

/// A long-running command, with pipes for input and output.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name != CONFIGURATION && NOT_INHERITED.iter().any(|begin| name.starts_with(begin)) {
            command.env_remove(name.as_ref());
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The failure for a command that could not be started.
pub(crate) fn not_started(program: &str, error: &io::Error) -> Failure {
    let message = match error.kind() {
        io::ErrorKind::NotFound => format!("{program} is not in PATH; it is part of Slurm"),
        _ => format!("{program} cannot be started: {error}"),
    };
    Failure::Slurm(message)
}

/// The last message of a Slurm command, without its name.
pub(crate) fn last_message<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> String {
    let mut lines = lines.map(str::trim).filter(|line| !line.is_empty());
    lines
        .next_back()
        .map_or_else(|| "it failed without a message".to_owned(), |line| bare(line).to_owned())
}

/// The text of a message such as `salloc: error: …`.
pub(crate) fn bare(line: &str) -> &str {
    let line = line
        .split_once(": ")
        .filter(|(name, _)| !name.contains(' '))
        .map_or(line, |(_, rest)| rest);
    line.strip_prefix("error: ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::last_message;

    #[test]
    fn the_last_message_is_returned_without_the_program() {
        let lines = ["salloc: error: Job submit/allocate failed: Invalid account", ""];
        assert_eq!(last_message(lines.into_iter()), "Job submit/allocate failed: Invalid account");
        assert_eq!(last_message(["no colon here"].into_iter()), "no colon here");
        assert_eq!(last_message([].into_iter()), "it failed without a message");
    }
}
