//! One run of a command, in a process of its own, so that its peak memory is known.

use crate::testbed;
use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

/// What a run used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Used {
    /// Wall-clock seconds.
    pub(super) seconds: f64,
    /// Processor seconds.
    pub(super) cpu: f64,
    /// Peak memory, in MB.
    pub(super) megabytes: f64,
}

/// Runs a command, whose output goes through a pipe.
///
/// # Errors
/// It fails.
pub(super) fn measure(words: &[String]) -> Result<Used> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("command").arg("--").args(words);
    Ok(serde_json::from_str(&testbed::output(&mut command, "")?)?)
}

/// The process that measures one command.
///
/// # Errors
/// The command fails.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let (program, arguments) = words.split_first().context("no command")?;
    let start = Instant::now();
    testbed::output(Command::new(program).args(arguments), "")?;
    let seconds = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    let used = Used {
        seconds,
        cpu: microseconds as f64 / 1e6,
        megabytes: usage.max_rss() as f64 * 1024.0 / 1e6,
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&used)?)?;
    Ok(())
}
