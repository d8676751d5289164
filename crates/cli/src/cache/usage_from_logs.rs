//! `--log`: reads from logs when images last served a job.

use super::select::Inventory;
use super::usage::UsageIndex;
use crate::error::Failure;
use crate::events::event::Event;
use crate::events::logs::source::Source;
use crate::events::logs::{self, Hits, read};
use crate::ui::progress::Progress;
use clap::Args;
use std::path::PathBuf;

/// The logs with the last uses of images.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Read this log in addition to what `sifcache hits` has saved: syslog of one node or of all
    /// nodes, optionally compressed, or the output of `journalctl --output=json`; - is standard
    /// input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    log: Vec<PathBuf>,
}

/// Merges the times from the logs into each inventory.
///
/// # Errors
/// If a log cannot be read.
pub(crate) fn learn(logs: &Logs, inventories: &mut [Inventory]) -> Result<(), Failure> {
    if logs.log.is_empty() {
        return Ok(());
    }
    let sources: Vec<Source> = logs.log.iter().cloned().map(Source::File).collect();
    let mut hits = Hits::default();
    let mut take = |time, event: Event| logs::note(&mut hits, time, &event);
    let progress = Progress::new(false);
    let read = read::read(&sources, &progress, &mut take)?;
    for remark in read.remarks() {
        progress.note(&remark);
    }
    for inventory in inventories {
        inventory.usage.learn(&UsageIndex::of(&inventory.root, &hits, &read), &read.unread.times);
    }
    Ok(())
}
