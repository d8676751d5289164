//! The command line. `commands.rs` lists the subcommands. Each of them defines its options in its
//! own file; `options.rs` defines the shared ones. Help, man pages and completions are generated
//! from these definitions.

use crate::commands::Command;
use clap::Parser;

/// Serve container images from the site's own SIF files
///
/// The SPANK plugin spank_sifcache.so lets every Slurm task start its docker:// images, and those of
/// oras, library, https and http, from the site's own SIF files. This command fills the directory of
/// those files, checks and maintains it, and reports which images jobs found there and which ones
/// were missing.
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

#[cfg(test)]
mod argument_rules;

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    /// The page with the information for admins about each subcommand that runs as root.
    const SECURITY: &str = include_str!("../../../docs/security.md");

    /// All subcommands except the hidden ones (called only by sifcache and its build), `help`
    /// (added by clap) and `completions`.
    fn for_users() -> Vec<clap::Command> {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        let own = |one: &&clap::Command| {
            !one.is_hide_set() && !["help", "completions"].contains(&one.get_name())
        };
        let found: Vec<_> = cli.get_subcommands().filter(own).cloned().collect();
        assert!(found.len() > 10, "{}", found.len());
        found
    }

    #[test]
    fn every_help_has_examples_and_exit_statuses() {
        for one in for_users() {
            let help = one.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            let (examples, rest) = help.split_once("Exit status:\n").unwrap_or_default();
            assert!(examples.starts_with("Examples:\n  "), "{}: {help}", one.get_name());
            assert!(rest.starts_with("   0  "), "{}: {help}", one.get_name());
            assert!(one.get_long_about().is_some(), "{}", one.get_name());
        }
    }

    #[test]
    fn every_subcommand_prints_json() {
        for one in for_users() {
            let has_json = one.get_arguments().any(|argument| argument.get_long() == Some("json"));
            assert!(has_json, "{}", one.get_name());
        }
    }

    #[test]
    fn security_md_says_what_every_subcommand_does_as_root() {
        let (_, table) = SECURITY.split_once("| subcommand | as root, it |\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let cells: Vec<&str> = rows.filter_map(|row| row.split('|').nth(1)).collect();
        for one in for_users() {
            let named = format!("`{}", one.get_name());
            let is_it = |word: &str| word.trim_end_matches(['`', ',']) == named;
            let found = cells.iter().any(|cell| cell.split_whitespace().any(is_it));
            assert!(found, "{} is not in the table", one.get_name());
        }
    }
}
