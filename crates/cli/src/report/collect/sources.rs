//! The sources of the figures.

use super::Facts;
use crate::report::command_line;
use crate::report::data::source::{Source, SourceId};
use crate::system::nodes::ARGUMENTS;
use std::ffi::OsStr;

/// All sources that were read, or should have been.
pub(super) fn all(facts: &Facts<'_>) -> Vec<Source> {
    let mut all = vec![logs(facts)];
    if let Ok(settings) = &facts.settings {
        let own: Vec<String> =
            settings.image_roots.iter().map(|root| root.to_string_lossy().into_owned()).collect();
        let every: Vec<String> =
            settings.search_path().map(|(root, _)| root.to_string_lossy().into_owned()).collect();
        let df: Vec<&OsStr> =
            ["df"].into_iter().chain(every.iter().map(String::as_str)).map(OsStr::new).collect();
        let df = command_line::plain(&df);
        let of = |subcommand| facts.lines.of(subcommand, &[]);
        let roots = || own.clone();
        all.extend([
            source(
                facts,
                SourceId::Roots,
                "files and records of the image roots",
                roots(),
                of("list"),
            ),
            source(facts, SourceId::FileSystems, "file systems of the image roots", every, df),
            source(
                facts,
                SourceId::LastUsed,
                "last uses that sifcache hits has saved in the image roots",
                roots(),
                of("list"),
            ),
            source(
                facts,
                SourceId::Verify,
                "checks of all files, without reading whole images",
                roots(),
                of("verify"),
            ),
        ]);
        if let Some(filler) = &facts.filler {
            let names = vec![filler.root.to_string_lossy().into_owned()];
            let what = "state and queue of the filler";
            all.push(source(facts, SourceId::Filler, what, names, of("queue")));
        }
    }
    all.push(slurm(facts));
    all
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
    let command = facts.lines.with_logs("hits", &[]);
    let source =
        source(facts, SourceId::Logs, "log lines of the plugin and the shim", Vec::new(), command);
    match &facts.logs {
        Ok(logs) => {
            let (from, to) = logs.range();
            Source { names: logs.sources.clone(), from, to, notes: logs.read.remarks(), ..source }
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
