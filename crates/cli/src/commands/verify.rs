//! `sifcache verify`: every file under the image roots: what jobs make of it, and what is
//! wrong with it.

mod chosen;
mod deep;
mod duplicates;
mod file;
mod finding;
mod fix;
mod hidden;
mod misnamed;
mod names;
mod proper_name;
mod records;
mod report;
mod signature;
mod survey;
mod timeout;
mod tree;

use crate::error::{Exit, Failure};
use crate::options::Site;
use crate::site;
use crate::system::signals;
use crate::ui::format;
use crate::ui::progress::Progress;
use chosen::Chosen;
use clap::Args;
use file::File;
use finding::Finding;
use fix::Fix;
use jiff::SignedDuration;
use report::{Mended, Report};
use sifcache_core::settings::Settings;
use std::ffi::OsString;
use std::time::Duration;
use survey::Survey;

/// What one mended thing uncovers is mended too, so many layers deep.
const ROUNDS: usize = 8;

/// Check every file of the cache: would a job find it, and if not, why
///
/// Looks at everything under the image roots, also at files that were put there by hand. It
/// reports files that jobs would refuse, that hide others, or that no reference leads to. It
/// tells from owners and modes which files users may read, so run it as root, who sees
/// everything.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) site: Site,
    /// Read all images too: errors of the disk, changed content, signatures
    #[arg(long)]
    pub(crate) deep: bool,
    /// Mend what is safe to mend: modes of what the system owns, leftovers of commands that
    /// were killed, records and digest links without an image. No file that a person put
    /// there is removed, given to somebody else, or, without --rename, renamed
    #[arg(long)]
    pub(crate) fix: bool,
    /// With --fix: also give files whose name no launch spells the name that they should have,
    /// which jobs that use the old path then no longer find
    #[arg(long, requires = "fix")]
    pub(crate) rename: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// List every file with the references that lead to it
    #[arg(long)]
    pub(crate) all: bool,
    /// Go on without a directory or file that has not answered for so long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = format::parse_age)]
    pub(crate) timeout: SignedDuration,
    /// Speak of these alone: files, directories (with a slash in front or ./), or references
    #[arg(value_name = "PATH-or-REF")]
    pub(crate) chosen: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  Is everything all right?
      sifcache verify
  References that lead to one image, and its data checked:
      sifcache verify --all --deep ubuntu:22.04
  Mend what is safe to mend:
      sifcache verify --fix
  Give files that singularity pull, Nextflow or the like have named their proper names:
      sifcache verify --fix --rename
  All findings, for a script:
      sifcache verify --json | jq -r '.findings[] | select(.problem) | .path'

Exit status:
   0  all is right; notes do not count
   1  something would be refused, hides something else, or is never found
  64  wrong usage
  74  reading or writing failed
  78  the site's settings are wrong or missing

The findings and the JSON object are described in docs/verify.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Verify) -> Result<Exit, Failure> {
    signals::watch()?;
    let settings = site::settings(&args.site)?;
    let chosen = Chosen::parse(&args.chosen, &settings)?;
    let timeout = Duration::try_from(args.timeout).unwrap_or(Duration::MAX);
    let (survey, mended) = match args.fix {
        true => mend(&settings, &chosen, timeout, args.rename)?,
        false => (survey::survey(&settings, timeout)?, Vec::new()),
    };
    let mut findings = chosen.findings(&survey);
    let files: Vec<&File> = chosen.files(&survey.files);
    if args.deep {
        findings.extend(deep::read(&files, &settings, timeout, &Progress::new(args.json))?);
    }
    findings.sort_by(|a, b| (&a.path, a.token, &a.what).cmp(&(&b.path, b.token, &b.what)));
    let problems = findings.iter().filter(|finding| finding.is_problem).count();
    let report = Report { files: &files, findings: &findings, mended: &mended };
    match args.json {
        true => report.json(args.all)?,
        false => report.text(args.all)?,
    }
    Ok(if problems == 0 { Exit::OK } else { Exit::FOUND })
}

/// Mends and looks again, until there is nothing left that can be mended.
fn mend(
    settings: &Settings,
    chosen: &Chosen,
    timeout: Duration,
    rename: bool,
) -> Result<(Survey, Vec<Mended>), Failure> {
    let mut survey = survey::survey(settings, timeout)?;
    let mut mended: Vec<Mended> = Vec::new();
    for _ in 0..ROUNDS {
        let before = mended.len();
        for finding in chosen.findings(&survey) {
            signals::check()?;
            let is_wanted = rename || !matches!(finding.fix, Some(Fix::Rename { .. }));
            let has_failed = mended.iter().any(|other| other.failed && other.path == finding.path);
            if is_wanted && !has_failed {
                mended.extend(apply(&finding));
            }
        }
        if mended.len() == before {
            break;
        }
        survey = survey::survey(settings, timeout)?;
    }
    Ok((survey, mended))
}

fn apply(finding: &Finding) -> Option<Mended> {
    let path = finding.path.clone();
    match finding.fix.as_ref()?.apply() {
        Ok(did) => did.map(|did| Mended { path, did, failed: false }),
        Err(error) => Some(Mended { path, did: error.to_string(), failed: true }),
    }
}
