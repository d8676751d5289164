//! Access to the cluster from outside: runs `testbed/testbed`.

use crate::experiment::{Experiment, Taken};
use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The path of this program on the hosts.
pub(crate) const INSIDE: &str = "/usr/local/libexec/cluster-bench";

/// The project's directory.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A `testbed` command with these arguments.
fn testbed(words: &[&str]) -> Command {
    let mut command = Command::new(project().join("testbed/testbed"));
    command.args(words);
    command
}

/// Runs a command with this input and returns its output.
///
/// # Errors
/// The command cannot be run or fails.
pub(crate) fn output(command: &mut Command, input: &str) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read all of its input reports the reason by its exit status.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a script as root on a host.
pub(crate) fn on(host: &str, script: &str) -> Result<String> {
    output(&mut testbed(&["exec", "--on", host, "--", "bash", "-euc", script]), "")
}

/// Runs a command as this user on the login node.
pub(crate) fn by_user(user: &str, words: &[&str]) -> Result<String> {
    output(&mut testbed(&[&["exec", "--user", user, "--"], words].concat()), "")
}

/// Starts or stops the registry.
pub(crate) fn hub(action: &str) -> Result<()> {
    output(&mut testbed(&["hub", action]), "").map(drop)
}

/// Copies a file, or the contents of a directory, to every host.
pub(crate) fn push(source: &Path, destination: &str, mode: &str) -> Result<()> {
    let mut command = testbed(&["push"]);
    command.arg(source).arg(destination);
    if source.is_file() {
        command.arg(mode);
    }
    output(&mut command, "").map(drop)
}

/// The path outside the host that corresponds to a path on it.
pub(crate) fn at(host: &str, path: &str) -> Result<PathBuf> {
    let root = output(&mut testbed(&["root", host]), "")?;
    Ok(Path::new(root.trim_end()).join(path.trim_start_matches('/')))
}

/// Slurm's plugin directory on every host.
pub(crate) fn plugin_directory() -> Result<String> {
    Ok(output(&mut testbed(&["plugindir"]), "")?.trim_end().to_owned())
}

/// Runs an experiment on the login node, as root.
pub(crate) fn measure(experiment: &Experiment) -> Result<Vec<Taken>> {
    measure_by(testbed(&["exec", "--", INSIDE, "inside"]), experiment)
}

/// Runs an experiment in a job step of user alice on n1, with the variables that the plugin sets
/// there.
pub(crate) fn measure_in_job(experiment: &Experiment) -> Result<Vec<Taken>> {
    let srun = ["srun", "--quiet", "-w", "n1", "env", "-u", "LD_PRELOAD", INSIDE, "inside"];
    let words = [&["exec", "--user", "alice", "--"], &srun[..]].concat();
    measure_by(testbed(&words), experiment)
}

/// Runs a hidden subcommand of this program on the login node, with this input, as root.
pub(crate) fn inside(subcommand: &str, input: &str) -> Result<String> {
    output(&mut inside_command(subcommand), input)
}

/// The command that runs a hidden subcommand of this program on the login node, as root.
pub(crate) fn inside_command(subcommand: &str) -> Command {
    testbed(&["exec", "--", INSIDE, subcommand])
}

fn measure_by(mut command: Command, experiment: &Experiment) -> Result<Vec<Taken>> {
    let said = output(&mut command, &serde_json::to_string(experiment)?)
        .with_context(|| experiment.name.clone())?;
    serde_json::from_str(&said).with_context(|| format!("{}: {said}", experiment.name))
}
