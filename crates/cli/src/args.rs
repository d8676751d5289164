//! The command line, and with it `--help`, the man pages and the completions.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// The site's SIF files in place of docker:// images
///
/// The SPANK plugin spank_sifcache.so lets every Slurm task start its docker:// images
/// from the site's own SIF files. This command tells what it does, and why.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "`sifcache SUBCOMMAND --help` has examples and exit statuses.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(Explain),
    /// Print a completion script for a shell
    Completions {
        /// The shell to print it for
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    #[command(hide = true)]
    Manpages {
        /// An existing directory
        directory: PathBuf,
    },
}

/// Print what happens to a command line, and why
///
/// The look-up is the one of the plugin, made here and now as the calling user. Nothing is
/// started and nothing is changed. SIF_CACHE and SINGULARITY_OCI in the environment count, as
/// they do in a job.
#[derive(Debug, Args)]
#[command(after_long_help = EXPLAIN_EXAMPLES)]
pub(crate) struct Explain {
    /// Look in these image roots, with defaults for all else, instead of reading plugstack.conf
    #[arg(long, value_name = "DIR[:DIR...]")]
    pub(crate) root: Option<OsString>,
    /// Read the site's settings from this file instead of where Slurm looks for it
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) plugstack: Option<PathBuf>,
    /// With --root: count images that ordinary users could have written, or not
    #[arg(long, value_enum, default_value = "refuse", requires = "root")]
    pub(crate) untrusted: Untrusted,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Read one JSON array of strings a line, and print one JSON object a line
    #[arg(long, conflicts_with = "command")]
    pub(crate) stdin: bool,
    /// The command line of the task, after --
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "stdin")]
    pub(crate) command: Vec<OsString>,
}

/// `--untrusted`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Untrusted {
    Refuse,
    Accept,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  Would this job find its image?
      sifcache explain -- singularity run docker://ubuntu:22.04
  The same for an image root that is not in use yet:
      sifcache explain --root /shared/sif -- apptainer exec docker://ubuntu true
  In a script:
      sifcache explain --json -- apptainer run docker://ubuntu | jq -r .decision
  Many command lines at once:
      printf '%s\\n' '[\"apptainer\",\"run\",\"docker://ubuntu\"]' | sifcache explain --stdin

Exit status:
   0  hit: the image is there, and its path takes the place of the reference
   1  miss: a docker reference without an image
   2  pass: the command is left alone
  64  wrong usage
  65  wrong input on --stdin (which otherwise exits with 0)
  74  reading or writing failed
  78  the site's settings are wrong or missing

The JSON object is described in docs/explain.md.";
