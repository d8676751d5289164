//! `sifcache doctor`: checks the setup of this host and recommends fixes.
//!
//! Each area is a module of checks: functions from a [`host::Host`] to [`finding::Finding`]s. A
//! check that is not possible for this user or on this host is reported as skipped, never as a
//! problem.

mod compression;
mod configuration;
mod directives;
mod facts;
mod finding;
mod flags;
mod fuse;
mod host;
mod layouts;
mod listener;
mod login;
mod login_node;
mod mounts;
mod nested;
mod nested_roots;
mod owners;
mod plugin;
mod plugstack;
mod pulls;
mod report;
mod roots;
mod runtimes;
mod slurm;
mod start;
mod syslog;
mod trial;
mod views;
mod waiting;

use crate::error::Failure;
use crate::exit::Exit;
use crate::options::Site;
use crate::system::signals;
use crate::ui::output;
use clap::Args;
use facts::Facts;
use finding::{Finding, Level};
use host::Host;

/// Check the setup of this host and recommend fixes
///
/// Each check prints its result, and how to fix a problem. Run the command on a login node and on a
/// compute node (`srun sifcache doctor`), as root and as an ordinary user: each of these runs can
/// check things that the others cannot. On a login node, the area `outside of jobs` shows whether
/// launches and pulls there reach the shims: through the profile snippet, through the module, or
/// not at all. Checks that are not possible on this host or for this user are reported as skipped.
/// Nothing is changed, except that as root, the command creates temporary files in the .sifcache
/// directory of each image root, and removes them again.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) site: Site,
    /// Treat warnings as failures
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  This host:
      sifcache doctor
  All nodes of a partition; show only problems:
      srun -p PARTITION -N 100 --label sifcache doctor | grep -E 'FAIL|warn'
  Before sifcache is in plugstack.conf:
      sifcache doctor --root /shared/sif
  In a script:
      sifcache doctor --json | jq -r '.findings[] | select(.level == \"fail\") | .message'

Exit status:
   0  no problem found
   1  at least one FAIL, or with --strict a warning
  64  wrong usage
  74  reading or writing failed
  78  there are no valid settings; checks that do not need them are still run

The JSON object is described in docs/json.md.";

/// The name of an area, and the function that runs its checks.
type Area = (&'static str, fn(&Host) -> Vec<Finding>);

const AREAS: [Area; 12] = [
    ("slurm", slurm::check),
    ("plugstack.conf", plugstack::check),
    ("plugin", plugin::check),
    ("runtime", runtimes::check),
    ("configuration of the runtime", configuration::check),
    ("image roots", roots::check),
    ("launches in job scripts", nested::check),
    ("pulls and builds", pulls::check),
    ("missing images", waiting::check),
    ("outside of jobs", login_node::check),
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
        // Printed as soon as the area is complete: if a file server hangs, the first missing area
        // shows which checks were affected.
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
    let is_problem = |level| level == Level::Fail || strict && level == Level::Warn;
    let found = areas.iter().flat_map(|(_, findings)| findings).any(|f| is_problem(f.level));
    match host.site.settings {
        None => Exit::CONFIG,
        Some(_) if found => Exit::PROBLEMS,
        Some(_) => Exit::OK,
    }
}

#[cfg(test)]
mod tests;
