//! `--log`: reads from logs when images last served a job.

use super::usage::UsageIndex;
use crate::error::Failure;
use crate::events::logs::source::Source;
use crate::events::logs::tally::Tally;
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

/// Merges the times from the logs into those of each root.
///
/// # Errors
/// A log cannot be read.
pub(crate) fn learn<'a>(
    logs: &Logs,
    usages: impl Iterator<Item = (&'a PathBuf, &'a mut UsageIndex)>,
) -> Result<(), Failure> {
    if logs.log.is_empty() {
        return Ok(());
    }
    let sources: Vec<Source> = logs.log.iter().cloned().map(Source::File).collect();
    let mut hits = Hits::default();
    let tally = Tally::new(None, None);
    let progress = Progress::new(false);
    let read = read::read(&sources, &progress, &tally);
    if let Some(failed) = read.failed.first() {
        return Err(failed.clone().into());
    }
    tally.into_parts().for_each(|part| {
        part.each(&mut |event, counts| {
            counts.last_of_all.into_iter().for_each(|time| logs::note(&mut hits, time, &event));
        });
    });
    for remark in read.remarks() {
        progress.note(&remark);
    }
    for (root, usage) in usages {
        usage.learn(root, &hits, &read);
    }
    Ok(())
}
