//! One simulated node: starts its tasks, and reports how each has ended. It runs in namespaces of
//! its own, so the tasks share their sockets only with those of the same node.

use anyhow::{Context, Result};
use nix::sys::wait::{WaitStatus, waitpid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A task that starts an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) number: u32,
    pub(super) image: String,
    pub(super) uid: u32,
}

/// The tasks of a node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) tasks: Vec<Task>,
    /// The milliseconds between the starts of two tasks.
    pub(super) pace: u64,
    /// The value of the variable with the plugin's settings.
    pub(super) settings: String,
    /// The value of `PATH`, with the shims and the runtime.
    pub(super) path: String,
    /// The file for the messages of the tasks.
    pub(super) messages: String,
}

/// How a task has ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) number: u32,
    /// The exit status; `None` after a signal.
    pub(super) status: Option<i32>,
    /// When it ended, in seconds since 1970.
    pub(super) time: f64,
}

/// Reads the node from standard input, and prints the ends of its tasks, as JSON.
///
/// # Errors
/// A task cannot be started.
#[expect(clippy::print_stdout, reason = "its output is read through a pipe")]
pub(crate) fn run() -> Result<()> {
    let node: Node = serde_json::from_reader(std::io::stdin().lock())?;
    let messages = File::create(&node.messages).with_context(|| node.messages.clone())?;
    let begun = Instant::now();
    let mut running = BTreeMap::new();
    for (task, start) in node.tasks.iter().zip(0..) {
        let due = Duration::from_millis(node.pace * start);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        running.insert(node.start(task, &messages)?, task.number);
    }
    let mut ended = Vec::with_capacity(running.len());
    while !running.is_empty() {
        let (pid, status) = match waitpid(None, None).context("waitpid")? {
            WaitStatus::Exited(pid, status) => (pid, Some(status)),
            WaitStatus::Signaled(pid, ..) => (pid, None),
            _ => continue,
        };
        let number = u32::try_from(pid.as_raw()).ok().and_then(|pid| running.remove(&pid));
        let time = now()?;
        ended.extend(number.map(|number| Ended { number, status, time }));
    }
    println!("{}", serde_json::to_string(&ended)?);
    Ok(())
}

/// The seconds since 1970.
pub(super) fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

impl Node {
    /// Starts a task as Slurm starts the first task of a job. Returns its process ID.
    fn start(&self, task: &Task, messages: &File) -> Result<u32> {
        let shim = self.path.split(':').next().unwrap_or_default();
        let mut command = Command::new(format!("{shim}/apptainer"));
        command.args(["exec", &format!("docker://{}", task.image), "true"]);
        command.env_clear().env("PATH", &self.path).env("SINGULARITY_SIFCACHE", &self.settings);
        command.env("SLURM_JOB_ID", (1000 + task.number).to_string());
        for name in ["STEP_ID", "PROCID", "LOCALID", "NODEID"] {
            command.env(format!("SLURM_{name}"), "0");
        }
        command.uid(task.uid).gid(task.uid).current_dir("/");
        command.stdin(Stdio::null()).stdout(messages.try_clone()?).stderr(messages.try_clone()?);
        // The loop of the caller reaps it.
        Ok(command.spawn().context(shim.to_owned())?.id())
    }
}
