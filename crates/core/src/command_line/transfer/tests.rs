use super::Grammar;
use crate::command_line::environment::{Variable, key, text, unprefixed};
use crate::{build, pull};

const GRAMMARS: [&Grammar; 2] = [&pull::GRAMMAR, &build::GRAMMAR];

/// The flags of a subcommand in the table, with their type and the variables that set them.
fn rows(command: &str) -> Vec<(&'static str, bool, Vec<&'static str>)> {
    let rows = include_str!("../../../runtime-flags.tsv").lines().skip(1);
    let cells = rows.map(|row| row.split('\t').collect::<Vec<_>>());
    cells
        .filter(|cells| cells[5] == command)
        .map(|cells| {
            let keys = cells[7].split(',').filter(|key| *key != "-").collect();
            (cells[1].trim_start_matches('-'), cells[3] == "yes", keys)
        })
        .collect()
}

#[test]
fn each_accepted_flag_exists() {
    for grammar in GRAMMARS {
        let rows = rows(grammar.word);
        assert!(!rows.is_empty());
        for flag in grammar.accepted.split(' ') {
            assert!(rows.iter().any(|(name, ..)| *name == flag), "{} --{flag}", grammar.word);
        }
        assert!(grammar.accepted.split(' ').is_sorted(), "{}", grammar.word);
    }
}

#[test]
fn the_altering_variables_are_those_of_the_other_flags() {
    for grammar in GRAMMARS {
        let rows = rows(grammar.word).into_iter();
        let (accepted, others): (Vec<_>, Vec<_>) =
            rows.partition(|(name, ..)| grammar.accepts(name));
        let accepted: Vec<&str> = accepted.into_iter().flat_map(|(.., keys)| keys).collect();
        let mut expected: Vec<Variable> = Vec::new();
        for (_, takes_value, keys) in others {
            for name in keys.iter().filter(|name| !accepted.contains(name)) {
                let variable = match name.strip_suffix("(+unprefixed)") {
                    Some(name) => unprefixed(name),
                    None if takes_value => text(name),
                    None => key(name),
                };
                if !expected.contains(&variable) {
                    expected.push(variable);
                }
            }
        }
        let mut given = grammar.altering.to_vec();
        // The first sets a flag that is accepted, the second a global flag.
        given.retain(|variable| ![text("NAME"), text("CONFIG_FILE")].contains(variable));
        assert!(given.is_sorted_by_key(|variable| variable.key), "{}", grammar.word);
        expected.sort_by_key(|variable| variable.key);
        assert_eq!(given, expected, "{}", grammar.word);
    }
}
