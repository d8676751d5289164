//! Tests of the rules that clap checks: arguments that conflict with others, or require others.
//! `tests/command/usage.rs` runs a command line for each of them.

use super::Cli;
use clap::{Arg, Command, CommandFactory as _};

/// Command lines that are refused.
const REFUSED: &str = include_str!("../../tests/command/refused.tsv");

/// A rule for an argument, with another argument.
#[derive(Debug, PartialEq)]
struct Rule {
    subcommand: String,
    argument: String,
    /// `conflicts` or `requires`; `unless` if the argument is required unless the other one is given.
    kind: &'static str,
    other: String,
    /// Whether the other one is in a group, such as the modes of `fill`.
    is_grouped: bool,
}

/// An argument as messages name it.
fn display(argument: &Arg) -> String {
    match argument.get_long() {
        Some(long) => format!("--{long}"),
        None => argument.get_value_names().unwrap_or_default()[0].to_string(),
    }
}

/// The names in a list of an argument. clap has no function that returns what an argument requires.
fn listed(argument: &Arg, key: &str) -> Vec<String> {
    let text = format!("{argument:?}");
    let (_, rest) = text.split_once(&format!(", {key}: [")).unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    let names: Vec<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(names.is_empty(), list.is_empty(), "{text}");
    names
}

fn of_argument(command: &Command, argument: &Arg) -> Vec<Rule> {
    let find = |id: &String| command.get_arguments().find(|other| other.get_id() == id.as_str());
    let others = |key| listed(argument, key).iter().filter_map(find).collect();
    let kinds: [(_, Vec<&Arg>); 3] = [
        ("conflicts", command.get_arg_conflicts_with(argument)),
        ("requires", others("requires")),
        ("unless", others("r_unless")),
    ];
    let is_grouped = |other: &Arg| {
        let mut groups = command.get_groups().filter(|group| group.is_required_set());
        groups.any(|group| group.get_args().any(|id| id == other.get_id()))
    };
    let rule = |kind, other: &Arg| Rule {
        subcommand: command.get_name().to_owned(),
        argument: display(argument),
        kind,
        other: display(other),
        is_grouped: is_grouped(other),
    };
    let rules = kinds
        .into_iter()
        .flat_map(|(kind, others)| others.into_iter().map(move |other| (kind, other)));
    rules.map(|(kind, other)| rule(kind, other)).collect()
}

/// The rules of all subcommands.
fn all() -> Vec<Rule> {
    let mut cli = Cli::command();
    cli.build();
    let of = |command: &Command| -> Vec<Rule> {
        command.get_arguments().flat_map(|argument| of_argument(command, argument)).collect()
    };
    let rules: Vec<Rule> = cli.get_subcommands().flat_map(of).collect();
    for kind in ["conflicts", "requires", "unless"] {
        assert!(rules.iter().any(|rule| rule.kind == kind), "{kind}");
    }
    rules
}

#[test]
fn each_rule_has_a_command_line_that_breaks_it() {
    for Rule { subcommand, argument, kind, other, .. } in all() {
        let row = format!("{subcommand}\t{argument}\t{kind}\t{other}\t");
        assert!(REFUSED.lines().any(|line| line.starts_with(&row)), "refused.tsv lacks {row}");
    }
}

/// clap does not check whether a required argument is given if it conflicts with another one that is
/// given. The argument that requires it would then have no effect. Exactly one argument of a required
/// group is given.
#[test]
fn what_conflicts_with_a_required_argument_conflicts_with_the_one_that_requires_it() {
    let rules = all();
    let conflicts = |subcommand: &str, argument: &str| -> Vec<&str> {
        let own = rules.iter().filter(|rule| rule.subcommand == subcommand);
        let own = own.filter(|rule| rule.kind == "conflicts");
        let pairs = own.map(|rule| [rule.argument.as_str(), rule.other.as_str()]);
        let others = pairs.filter(|pair| pair.contains(&argument)).flatten();
        others.filter(|other| *other != argument).collect()
    };
    for rule in rules.iter().filter(|rule| rule.kind == "requires" && !rule.is_grouped) {
        let own = conflicts(&rule.subcommand, &rule.argument);
        for other in conflicts(&rule.subcommand, &rule.other) {
            assert!(other == rule.argument || own.contains(&other), "{other}: {rule:?}");
        }
    }
}
