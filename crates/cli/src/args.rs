//! The command line, and with it `--help`, the man pages and the completions.
//!
//! Each subcommand has its options in its own file; here is what several share.

use crate::explain;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// The site's SIF files in place of docker:// images
///
/// The SPANK plugin spank_sifcache.so lets every Slurm task start its docker:// images
/// from the site's own SIF files. This command fills the directory of those files, keeps
/// it right, and tells what jobs find there and what they miss.
///
/// The directory stays one of plain files: what was put there with cp or `singularity pull`
/// counts like everything else, for jobs and for each subcommand.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "`sifcache SUBCOMMAND --help` has examples and exit statuses.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Explain(explain::Explain),
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

/// Where the site's settings come from.
#[derive(Debug, Args)]
pub(crate) struct Site {
    /// Use these image roots, with defaults for all else, instead of reading plugstack.conf
    #[arg(long, value_name = "DIR[:DIR...]")]
    pub(crate) root: Option<OsString>,
    /// Read the site's settings from this file instead of where Slurm looks for it
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) plugstack: Option<PathBuf>,
    /// With --root: count images that ordinary users could have written, or not
    #[arg(long, value_enum, default_value = "refuse", requires = "root")]
    pub(crate) untrusted: Untrusted,
}

/// `--untrusted`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Untrusted {
    Refuse,
    Accept,
}
