//! Arguments that conflict with others, or require others. A unit test of `cli.rs` fails if a rule
//! has no row in `refused.tsv`.

use std::fs;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Rows of the subcommand, the option, the rule, the other argument, and the words that break the
/// rule.
const REFUSED: &str = include_str!("refused.tsv");

/// Whether a message names an argument.
fn names(message: &str, argument: &str) -> bool {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '-';
    message.match_indices(argument).any(|(at, _)| {
        let rest = message.get(at + argument.len()..).unwrap();
        rest.is_empty() || rest.starts_with(is_end)
    })
}

#[test]
fn command_lines_that_break_a_rule_are_refused() {
    let rows = REFUSED.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>());
    for row in rows {
        let [subcommand, option, rule, other, words] = row[..] else { panic!("{row:?}") };
        let directory = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sifcache"));
        command.arg(subcommand).args(words.split_whitespace()).current_dir(directory.path());
        let output = command.env_clear().stdin(Stdio::null()).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{row:?}: {message}");
        assert!(output.stdout.is_empty(), "{row:?}");
        assert!(fs::read_dir(directory.path()).unwrap().next().is_none(), "{row:?}");
        let reason = match rule {
            "conflicts" => "' cannot be used with",
            _ => "error: the following required arguments were not provided:",
        };
        let (error, _) = message.split_once("\nUsage:").unwrap();
        let named = match rule {
            "conflicts" => names(error, option) && names(error, other),
            "requires" => names(error, other),
            _ => names(error, option),
        };
        assert!(error.contains(reason) && named, "{row:?}: {message}");
    }
}
