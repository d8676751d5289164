//! The command line: subcommands, help, man pages and completions.
//!
//! Each subcommand defines its options in its own file; `options.rs` defines the shared ones.

use crate::commands::{
    add, doctor, explain, gc, hits, import, list, misses, refresh, remove, stage, verify,
};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Serve docker:// images from the site's own SIF files
///
/// The SPANK plugin spank_sifcache.so lets every Slurm task start its docker:// images from the
/// site's own SIF files. This command fills the directory of those files, checks and maintains it,
/// and reports which images jobs found there and which ones were missing.
///
/// The directory holds plain files. Files that were put there with cp or `singularity pull` are
/// treated like all others, by jobs and by each subcommand.
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
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    #[command(hide = true)]
    Manpages {
        /// Output directory, which must exist
        directory: PathBuf,
    },
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
