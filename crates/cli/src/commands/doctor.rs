//! `sifcache doctor`: whether this host is set up right, and what to do where it is not.
//!
//! Each area is a file of checks: functions from a [`host::Host`] to [`finding::Finding`]s.
//! A check that this user or this host cannot make says so, and is never an alarm.

mod configuration;
mod directives;
mod facts;
mod finding;
mod flags;
mod fuse;
mod host;
mod library;
mod login;
mod mounts;
mod nested;
mod owners;
mod plugin;
mod plugstack;
mod report;
mod roots;
mod runtimes;
mod slurm;
mod start;
mod syslog;
mod trial;

use crate::error::{Exit, Failure};
use crate::options::Site;
use crate::system::signals;
use crate::ui::output;
use clap::Args;
use facts::Facts;
use finding::{Finding, Level};
use host::Host;

/// Check whether this host is set up right, and say what to do
///
/// Each line is one check: what was looked at, and what to do where something is wrong. Run
/// it on a login node and on a compute node (`srun sifcache doctor`), as root and as a user:
/// each sees what the others cannot. What cannot be checked here, or by this user, is said to
/// be skipped. Nothing is changed; as root, a file is made and removed again in each image
/// root's .sifcache.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) site: Site,
    /// Let warnings fail, too
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  This host:
      sifcache doctor
  Every node of a partition, those with something wrong:
      srun -p PARTITION -N 100 --label sifcache doctor | grep -E 'FAIL|warn'
  Before plugstack.conf has a line for it:
      sifcache doctor --root /shared/sif
  In a script:
      sifcache doctor --json | jq -r '.findings[] | select(.level == \"fail\") | .what'

Exit status:
   0  nothing is wrong
   1  something is: a FAIL, or with --strict a warning
  64  wrong usage
  74  reading or writing failed
  78  there are no valid settings; the checks that need none are made all the same

The JSON object is described in docs/doctor.md.";

/// What the findings of an area are about, and who makes them.
type Area = (&'static str, fn(&Host) -> Vec<Finding>);

const AREAS: [Area; 9] = [
    ("slurm", slurm::check),
    ("plugstack.conf", plugstack::check),
    ("plugin", plugin::check),
    ("runtime", runtimes::check),
    ("configuration of the runtime", configuration::check),
    ("image roots", roots::check),
    ("launches in job scripts", nested::check),
    ("login shells", login::check),
    ("syslog", syslog::check),
];

/// Runs the subcommand.
pub(crate) fn run(args: &Doctor) -> Result<Exit, Failure> {
    signals::watch()?;
    let host = Host::this(Facts::read(&args.site)?);
    let mut areas = Vec::new();
    for (area, check) in AREAS {
        let findings = check(&host);
        // At once: a file server that hangs shows as the area that does not come.
        if !args.json {
            output::print(&report::area(area, &findings))?;
        }
        areas.push((area, findings));
        signals::check()?;
    }
    match args.json {
        true => output::json(&report::object(&host, &areas))?,
        false => output::print(&report::summary(&host, &areas))?,
    }
    Ok(exit(&host, &areas, args.strict))
}

fn exit(host: &Host, areas: &[(&str, Vec<Finding>)], strict: bool) -> Exit {
    let bad = |level| level == Level::Fail || strict && level == Level::Warn;
    let found = areas.iter().flat_map(|(_, findings)| findings).any(|f| bad(f.level));
    match host.site.settings {
        None => Exit::CONFIG,
        Some(_) if found => Exit::FOUND,
        Some(_) => Exit::OK,
    }
}

#[cfg(test)]
mod tests;
