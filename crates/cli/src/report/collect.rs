//! Collects the data of a report: first the image roots, then the logs in one pass, then the results
//! that need both.

mod cache;
mod days;
mod filler;
pub(crate) mod holdings;
mod images;
mod misses;
mod nodes;
mod problems;
mod sources;
mod unused;

use super::command_line::CommandLines;
use super::data::Report;
use crate::cache::image_name;
use crate::error::Failure;
use crate::events::aggregate::{self, Aggregate};
use crate::events::event::Event;
use crate::events::period::Period;
use crate::exit::Exit;
use crate::inspect::finding::{Finding, NO_ANSWER};
use crate::inspect::survey;
use crate::options::Site;
use crate::site;
use crate::system::nodes::Node;
use crate::system::process::Processes;
use crate::ui::progress::Progress;
use filler::Filler;
use holdings::Holdings;
use jiff::{SignedDuration, Timestamp};
use sifcache_core::settings::Settings;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// How long an image root may make no progress before it counts as unresponsive.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What to report.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) site: &'a Site,
    pub(crate) period: &'a Period,
    /// The maximum number of rows of each list.
    pub(crate) top: usize,
    /// The time after which an image counts as unused, and how the user wrote it.
    pub(crate) unused_for: (SignedDuration, &'a str),
    /// Whether to show no progress.
    pub(crate) quiet: bool,
}

/// A report, and the exit status: whether all logs could be read.
pub(crate) struct Collected {
    pub(crate) report: Report,
    pub(crate) exit: Exit,
}

/// What the sections are made from.
struct Facts<'a> {
    wanted: &'a Wanted<'a>,
    now: Timestamp,
    /// The settings, or why there are none.
    settings: Result<Settings, String>,
    /// What `verify` finds; empty without settings.
    findings: Vec<Finding>,
    holdings: Holdings,
    filler: Option<Filler>,
    /// The hits and misses, or why there are none. The keys are those of [`key`].
    logs: Result<Aggregate, String>,
    /// The nodes of the cluster by their short host names, or why they are unknown.
    cluster: Result<BTreeMap<String, Node>, String>,
    lines: CommandLines,
}

/// Collects the data.
///
/// # Errors
/// The period is empty, the settings are invalid, a given log cannot be read, or there is nothing to
/// report on.
pub(crate) fn collect(wanted: &Wanted<'_>) -> Result<Collected, Failure> {
    // Before the image roots are checked, which takes long.
    wanted.period.check()?;
    let now = Timestamp::now();
    let settings = match site::settings(wanted.site) {
        Err(failure @ (Failure::Root(_) | Failure::Settings { .. })) => return Err(failure),
        other => other.map_err(|failure| failure.to_string()),
    };
    let progress = Progress::new(wanted.quiet);
    let (findings, holdings) = match &settings {
        Ok(settings) => read_roots(settings, &progress)?,
        Err(_) => (Vec::new(), Holdings::default()),
    };
    let dead = |path: &Path| dead(&findings, path);
    let logs = match read(wanted, &holdings, &progress) {
        Err(Failure::NoLog) if settings.is_ok() => Err(Failure::NoLog.to_string()),
        other => Ok(other?),
    };
    let mut facts = Facts {
        filler: settings.as_ref().ok().and_then(|settings| Filler::read(settings, &dead)),
        cluster: nodes::cluster(&Processes),
        lines: CommandLines::new(wanted.site, wanted.period),
        wanted,
        now,
        settings,
        findings,
        holdings,
        logs,
    };
    facts.learn();
    let exit = facts.logs.as_ref().map_or(Exit::OK, Aggregate::exit);
    Ok(Collected { report: facts.report(), exit })
}

/// Checks and reads the image roots in one walk.
fn read_roots(
    settings: &Settings,
    progress: &Progress,
) -> Result<(Vec<Finding>, Holdings), Failure> {
    let _task = progress.spinner("checking the image roots");
    let survey = survey::survey(settings, TIMEOUT)?;
    let holdings = Holdings::new(settings, &survey, &|path| dead(&survey.findings, path));
    Ok((survey.findings, holdings))
}

/// Reads the logs in one pass.
fn read(
    wanted: &Wanted<'_>,
    holdings: &Holdings,
    progress: &Progress,
) -> Result<Aggregate, Failure> {
    let size = |path: &Path| holdings.find(path).size();
    let events = aggregate::Wanted { key: &key, hits: true, sizes: Some(&size) };
    let aggregate = aggregate::collect_all(wanted.period, progress, &events)?;
    // None of the files is a log.
    aggregate.described()?;
    Ok(aggregate)
}

/// Hits are counted by image, and misses by reference.
fn key(event: &Event) -> Option<String> {
    Some(match &event.image {
        Some(image) => format!("{HIT}{}", image.to_string_lossy()),
        None => format!("{MISS}{}", image_name::short(&event.reference)),
    })
}

/// The first letter of the keys of hits and of misses.
const HIT: &str = "h";
const MISS: &str = "m";

/// Why nothing below this directory can be read, if a part of it did not answer.
fn dead(findings: &[Finding], directory: &Path) -> Option<String> {
    let is_there =
        |finding: &&Finding| finding.token == NO_ANSWER && (finding.path.starts_with(directory));
    findings.iter().find(is_there).map(|finding| finding.what.clone())
}

impl Facts<'_> {
    /// Adds the last uses of images in the logs to those that `sifcache hits` has saved.
    fn learn(&mut self) {
        let Ok(logs) = &mut self.logs else { return };
        // They are not needed after this.
        let hits = std::mem::take(&mut logs.hits);
        for root in &mut self.holdings.roots {
            root.learn(&hits, &logs.read);
        }
    }

    /// The time of a log line; that of the report, if the clock of the node is ahead.
    fn not_later(&self, time: Timestamp) -> Timestamp {
        time.min(self.now)
    }

    /// Why nothing below this directory can be read, if a part of it did not answer.
    fn dead(&self, directory: &Path) -> Option<String> {
        dead(&self.findings, directory)
    }

    fn report(&self) -> Report {
        // With many log lines, these sections take the longest.
        let (totals, (images, misses)) = rayon::join(
            || images::totals(self),
            || rayon::join(|| images::section(self), || misses::section(self)),
        );
        let unused = unused::section(self);
        let cache = cache::section(self);
        Report {
            created: self.now,
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            release: env!("CARGO_PKG_VERSION"),
            time_zone: days::time_zone(self.now),
            lines: self.lines.clone(),
            since: self.wanted.period.since,
            until: self.wanted.period.until,
            sources: sources::all(self),
            totals,
            days: days::section(self),
            images,
            nodes: nodes::section(self),
            partitions: nodes::by_partition(self),
            problems: problems::section(self, &cache.data, &unused.data),
            cache,
            misses,
            unused,
        }
    }
}
