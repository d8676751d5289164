//! `sifcache explain`: shows the decision for a command line, and the reason.

mod json;
mod notes;
mod starter;
mod text;

use crate::error::Failure;
use crate::exit::Exit;
use crate::options::{REFERENCE, Site};
use crate::site;
use clap::Args;
use sifcache_core::cache_mode::{CacheMode, ENVIRONMENT};
use sifcache_core::decision::{self, Action, Decision, Verdict};
use sifcache_core::lookup::Inline;
use sifcache_core::settings::Settings;
use starter::{Starters, UnknownOption};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;

/// Show the decision for a command line, and the reason
///
/// The lookup is the same as the plugin's, but runs on this host as the calling user. Nothing is
/// started or changed. As in a job, SIF_CACHE and SINGULARITY_OCI in the environment are respected.
/// If the command line begins with srun, mpirun or env, the decision is shown for the command that
/// this program starts.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) site: Site,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Read one JSON array of strings per line, and print one JSON object per line
    #[arg(long, conflicts_with = "command")]
    pub(crate) stdin: bool,
    /// The command line to explain; options of explain must come before it
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = false,
        value_name = "COMMAND",
        value_hint = REFERENCE,
        required_unless_present = "stdin"
    )]
    pub(crate) command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  Would this job find its image?
      sifcache explain singularity run docker://ubuntu:22.04
  A line of a job script, unchanged:
      sifcache explain srun -n 4 --mem=1G apptainer exec docker://ubuntu:22.04 true
  The same for an image root that is not in use yet:
      sifcache explain --root /shared/sif apptainer exec docker://ubuntu true
  In a script:
      sifcache explain --json apptainer run docker://ubuntu | jq -r .decision
  Many command lines at once:
      printf '%s\\n' '[\"apptainer\",\"run\",\"docker://ubuntu\"]' | sifcache explain --stdin

Exit status:
   0  hit: an image was found; its path replaces the reference, or the shim answers the pull
   1  miss: there is no image for the reference
   2  pass: the command is left unchanged
  64  wrong usage
  65  invalid input on --stdin (which otherwise exits with 0)
  74  reading or writing failed
  78  the site's settings are invalid or missing

The JSON object is described in docs/json.md.";

/// Runs the subcommand.
pub(crate) fn run(args: &Explain) -> Result<Exit, Failure> {
    let settings = site::settings(&args.site)?;
    if args.stdin {
        return each_line(&settings);
    }
    let starters = starter::find(&args.command).map_err(unknown_option)?;
    let command = args.command.get(starters.length..).unwrap_or_default();
    let argv: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    let decision = decide(&argv, &settings, &starters);
    let notes = notes::of(&decision, &settings, mode(&starters), &starters);
    let output = match args.json {
        true => json::line(&decision, &argv, &starters.names, notes)?,
        false => text::page(&decision, &argv, &settings, mode(&starters), &starters, &notes),
    };
    anstream::stdout().write_all(output.as_bytes())?;
    Ok(exit(&decision))
}

fn unknown_option(unknown_option: UnknownOption) -> Failure {
    let UnknownOption { program, word } = unknown_option;
    Failure::UnknownOption { program, option: word }
}

/// Reads JSON arrays and immediately prints one JSON object for each of them, so that a script can
/// use one process for many queries (coprocess).
fn each_line(settings: &Settings) -> Result<Exit, Failure> {
    for (index, line) in io::stdin().lock().split(b'\n').enumerate() {
        let argv: Vec<String> =
            serde_json::from_slice(&line?).map_err(|error| Failure::Input(index + 1, error))?;
        let starters = Starters::default();
        let decision = decide(&argv, settings, &starters);
        let notes = notes::of(&decision, settings, mode(&starters), &starters);
        let output = json::line(&decision, &argv, &[], notes)?;
        io::stdout().write_all(output.as_bytes())?;
    }
    Ok(Exit::OK)
}

fn decide<A: AsRef<[u8]>>(argv: &[A], settings: &Settings, starters: &Starters) -> Decision {
    let environment = |name: &str| {
        starters.variable(name, env::var_os(name)).map(|value| value.as_bytes().to_vec())
    };
    decision::decide(argv, settings, mode(starters), &environment, &Inline)
}

/// The mode that `SIF_CACHE` or `--sif-cache` requests; as in a job, an invalid value is ignored.
fn mode(starters: &Starters) -> CacheMode {
    let value = starters.variable(ENVIRONMENT, env::var_os(ENVIRONMENT));
    value.as_deref().map(OsStr::as_bytes).and_then(CacheMode::parse).unwrap_or_default()
}

fn exit(decision: &Decision) -> Exit {
    match decision.verdict {
        Verdict::Hit => Exit::OK,
        Verdict::Miss => Exit::MISS,
        Verdict::Pass(_) => Exit::PASS,
    }
}

/// The command line that would be executed.
fn resulting(decision: &Decision, argv: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
    let mut result: Vec<Vec<u8>> = argv.iter().map(|word| word.as_ref().to_vec()).collect();
    if let Some(Action::ReplaceArgument { index, path }) = decision.action()
        && let Some(image) = result.get_mut(index)
    {
        *image = path.as_os_str().as_bytes().to_vec();
    }
    result
}
