//! `sifcache verify`: checks every file under the image roots for problems, and whether jobs would
//! use it.

mod chosen;
mod deep;
mod report;
mod signature;

use crate::error::Failure;
use crate::exit::Exit;
use crate::inspect::file::File;
use crate::inspect::finding::{ABSENT, Finding};
use crate::inspect::fix::Fix;
use crate::inspect::survey::{self, Survey};
use crate::options::{REFERENCE, Site};
use crate::site;
use crate::system::signals;
use crate::ui::format;
use crate::ui::progress::Progress;
use chosen::Chosen;
use clap::Args;
use jiff::SignedDuration;
use report::{FixResult, Report};
use sifcache_core::settings::Settings;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Maximum number of rounds of `--fix`: a fix can reveal another problem, which is fixed in the
/// next round.
const ROUNDS: usize = 8;

/// Check every file in the cache: whether jobs would find it, and if not, why
///
/// Checks everything under the image roots, including files that were put there by hand. It reports
/// files that jobs would refuse, that hide other files, or whose names match no reference. It
/// derives from owners and modes which files users may read, so run it as root, which can read all
/// files.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) site: Site,
    /// Also read all images: disk errors, changed content, signatures
    #[arg(long)]
    pub(crate) deep: bool,
    /// Fix what can be fixed safely: modes of files owned by system users, leftovers of killed
    /// commands, records and digest links without an image. Files that a person put into an image
    /// root are never removed or given to another owner, and are only renamed with --rename
    #[arg(long)]
    pub(crate) fix: bool,
    /// With --fix: also rename files whose name no launch can refer to; jobs that use the old path
    /// then no longer find them
    #[arg(long, requires = "fix")]
    pub(crate) rename: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// List every file with the references that lead to it
    #[arg(long)]
    pub(crate) all: bool,
    /// Skip a directory or file that has not responded for this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = format::parse_age)]
    pub(crate) timeout: SignedDuration,
    /// Limit the check to these files, directories (starting with / or ./) or references
    #[arg(value_hint = REFERENCE, value_name = "PATH-or-REF")]
    pub(crate) chosen: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  Are there any problems?
      sifcache verify
  References that lead to one image, and a check of its data:
      sifcache verify --all --deep ubuntu:22.04
  Fix what can be fixed safely:
      sifcache verify --fix
  Rename files from singularity pull, Nextflow or similar to names that launches find:
      sifcache verify --fix --rename
  The paths of all problems, for a script:
      sifcache verify --json | jq -r '.findings[] | select(.problem) | .path'

Exit status:
   0  no problems; notes are not counted
   1  some files would be refused, hide other files, or are never found
  64  wrong usage
  74  reading or writing failed
  78  the site's settings are invalid or missing

The findings are described in docs/verify.md, the JSON object in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Verify) -> Result<Exit, Failure> {
    signals::watch()?;
    let settings = site::settings(&args.site)?;
    let chosen = Chosen::parse(&args.chosen, &settings)?;
    let timeout = Duration::try_from(args.timeout).unwrap_or(Duration::MAX);
    let (survey, fixed) = match args.fix {
        true => fix_all(&settings, &chosen, timeout, args.rename)?,
        false => (survey::survey(&settings, timeout)?, Vec::new()),
    };
    let mut findings = chosen.findings(&survey);
    // A chosen path that a fix has removed or renamed is not missing.
    let was_fixed = |path: &Path| fixed.iter().any(|one| !one.failed && one.path == path);
    findings.retain(|finding| finding.token != ABSENT || !was_fixed(&finding.path));
    let files: Vec<&File> = chosen.files(&survey.files);
    if args.deep {
        findings.extend(deep::read(
            &files,
            &survey.files,
            &settings,
            timeout,
            &Progress::new(args.json),
        )?);
    }
    findings.sort_by(|a, b| (&a.path, a.token, &a.what).cmp(&(&b.path, b.token, &b.what)));
    let problems = findings.iter().filter(|finding| finding.is_problem).count();
    let report = Report { files: &files, findings: &findings, fixed: &fixed };
    match args.json {
        true => report.json(args.all)?,
        false => report.text(args.all)?,
    }
    Ok(if problems == 0 { Exit::OK } else { Exit::PROBLEMS })
}

/// Applies fixes and surveys again, until nothing more can be fixed.
fn fix_all(
    settings: &Settings,
    chosen: &Chosen,
    timeout: Duration,
    rename: bool,
) -> Result<(Survey, Vec<FixResult>), Failure> {
    let mut survey = survey::survey(settings, timeout)?;
    let mut fixed: Vec<FixResult> = Vec::new();
    for _ in 0..ROUNDS {
        let before = fixed.len();
        for finding in chosen.findings(&survey) {
            signals::check()?;
            let is_wanted = rename || !matches!(finding.fix, Some(Fix::Rename { .. }));
            let has_failed = fixed.iter().any(|other| other.failed && other.path == finding.path);
            if is_wanted && !has_failed {
                fixed.extend(apply(&finding));
            }
        }
        if fixed.len() == before {
            break;
        }
        survey = survey::survey(settings, timeout)?;
    }
    Ok((survey, fixed))
}

fn apply(finding: &Finding) -> Option<FixResult> {
    let path = finding.path.clone();
    match finding.fix.as_ref()?.apply() {
        Ok(message) => message.map(|message| FixResult { path, message, failed: false }),
        Err(error) => Some(FixResult { path, message: error.to_string(), failed: true }),
    }
}
