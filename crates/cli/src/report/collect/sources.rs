//! The sources of the figures.

use super::Facts;
use crate::events::logs::source::Failed;
use crate::report::command_line;
use crate::report::data::source::{Source, SourceId};
use crate::system::nodes::ARGUMENTS;
use sifcache_core::settings::Settings;
use std::ffi::OsStr;
use std::path::Path;

/// All sources that were read, or should have been.
pub(super) fn all(facts: &Facts<'_>) -> Vec<Source> {
    let mut all = vec![logs(facts)];
    if let Ok(settings) = &facts.settings {
        all.extend(roots(facts, settings));
    }
    if let Some(filler) = &facts.filler {
        let names = vec![filler.root.to_string_lossy().into_owned()];
        let (what, command) = ("state and queue of the filler", facts.lines.of("queue", &[]));
        all.push(source(facts, SourceId::Filler, what, names, command));
    }
    all.push(slurm(facts));
    all
}

/// The sources in the image roots.
fn roots(facts: &Facts<'_>, settings: &Settings) -> [Source; 4] {
    let text = |root: &Path| root.to_string_lossy().into_owned();
    let own: Vec<String> = settings.image_roots.iter().map(|root| text(root)).collect();
    let every: Vec<String> = settings.search_path().map(|(root, _)| text(root)).collect();
    let words = ["df"].into_iter().chain(every.iter().map(String::as_str));
    let df = command_line::plain(&words.map(OsStr::new).collect::<Vec<_>>());
    let (list, verify) = (facts.lines.of("list", &[]), facts.lines.of("verify", &[]));
    let levels = "file systems of the image roots";
    let files = "files and records of the image roots";
    let used = "last uses that sifcache hits has saved in the image roots";
    let checks = "checks of all files, without reading whole images";
    [
        source(facts, SourceId::Roots, files, own.clone(), list.clone()),
        source(facts, SourceId::FileSystems, levels, every, df),
        source(facts, SourceId::LastUsed, used, own.clone(), list),
        source(facts, SourceId::Verify, checks, own, verify),
    ]
}

/// A source that was read now.
fn source(
    facts: &Facts<'_>,
    id: SourceId,
    what: &'static str,
    names: Vec<String>,
    command: String,
) -> Source {
    Source { id, what, names, from: None, to: Some(facts.now), notes: Vec::new(), command }
}

fn logs(facts: &Facts<'_>) -> Source {
    let command = facts.lines.in_period("hits", &[]);
    let source =
        source(facts, SourceId::Logs, "log lines of the plugin and the shim", Vec::new(), command);
    match &facts.logs {
        Ok(logs) => {
            let (from, to) = logs.range();
            // The clock of a node can be ahead.
            let to = to.map(|to| facts.not_later(to));
            let failed = logs.read.failed.iter().map(Failed::message);
            let notes = failed.chain(logs.read.remarks()).collect();
            Source { names: logs.sources.clone(), from, to, notes, ..source }
        }
        Err(why) => Source { to: None, notes: vec![why.clone()], ..source },
    }
}

fn slurm(facts: &Facts<'_>) -> Source {
    let words: Vec<&OsStr> = ["sinfo"].into_iter().chain(ARGUMENTS).map(OsStr::new).collect();
    let command = command_line::plain(&words);
    let names = vec![command.clone()];
    let source =
        source(facts, SourceId::Slurm, "nodes and partitions of the cluster", names, command);
    match &facts.cluster {
        Ok(_) => source,
        Err(why) => Source { to: None, notes: vec![why.clone()], ..source },
    }
}
