//! The command line, and with it `--help`, the man pages and the completions.
//!
//! Each subcommand has its options in its own file; here is what several share.

use crate::architecture::{self, Architecture};
use crate::{
    add, doctor, explain, gc, hits, human, import, list, misses, refresh, remove, stage, verify,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
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
    Add(add::Add),
    Import(import::Import),
    List(list::List),
    Verify(verify::Verify),
    Refresh(refresh::Refresh),
    Remove(remove::Remove),
    Gc(gc::Gc),
    Stage(stage::Stage),
    #[command(hide = true)]
    StageNode(stage::node::StageNode),
    Misses(misses::Misses),
    Hits(hits::Hits),
    Explain(explain::Explain),
    Doctor(doctor::Doctor),
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

/// Where and how the cache is changed.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// Work in this image root; without it, in the last one of the settings (the shared one,
    /// where node-local ones stand before it)
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
    /// How long a file that was replaced or removed is kept under .sifcache/kept, for the jobs
    /// that still run from it; 0d does not keep it
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = human::parse_age)]
    pub(crate) keep: SignedDuration,
}

/// How images are pulled.
#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// Pull so many images at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: u8,
    /// Pull with this program instead of the first of the settings' runtimes in PATH
    #[arg(long, value_name = "FILE")]
    pub(crate) runtime: Option<PathBuf>,
    /// Ask for user name and password of the registry, once
    #[arg(long)]
    pub(crate) docker_login: bool,
    /// Take the credentials from this file, which `apptainer registry login` or docker wrote
    #[arg(long, value_name = "FILE", conflicts_with = "docker_login")]
    pub(crate) authfile: Option<PathBuf>,
    /// Pull for this architecture, by Go's name for it (arm64); without it, for what the image
    /// root is declared to be for (docs/cache.md), else for this host's
    #[arg(long, value_name = "ARCH", value_parser = architecture::parse)]
    pub(crate) arch: Option<Architecture>,
    /// Talk to the registry without TLS if it has none; a certificate is verified all the same
    #[arg(long)]
    pub(crate) no_https: bool,
    /// When a pull fails, print all that the runtime said
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// `--untrusted`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Untrusted {
    Refuse,
    Accept,
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn every_help_has_examples_and_exit_statuses() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        let taught: Vec<&clap::Command> = cli
            .get_subcommands()
            .filter(|one| {
                !["help", "completions", "manpages", "stage-node"].contains(&one.get_name())
            })
            .collect();
        assert_eq!(taught.len(), 12);
        for one in taught {
            let help = one.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            let (examples, rest) = help.split_once("Exit status:\n").unwrap_or_default();
            assert!(examples.starts_with("Examples:\n  "), "{}: {help}", one.get_name());
            assert!(rest.starts_with("   0  "), "{}: {help}", one.get_name());
            assert!(one.get_long_about().is_some(), "{}", one.get_name());
        }
    }
}
