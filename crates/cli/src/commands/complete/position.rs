//! Decides whether a reference may stand at the cursor.

use crate::options::REFERENCE;
use clap::{Arg, ArgAction, Command};
use sifcache_core::image_uri::Transport;

/// The place of the cursor, if a reference may stand there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The part of the word before the cursor.
    pub(super) typed: String,
    /// Whether only URIs may stand there: in a command line, a name without a transport is a file.
    pub(super) is_uri: bool,
    /// The value of `--root`.
    pub(super) root: Option<String>,
    /// The value of `--plugstack`.
    pub(super) plugstack: Option<String>,
}

/// The parsed words before the cursor.
#[derive(Default)]
struct Parsed<'a> {
    positionals: usize,
    /// The option whose value comes next.
    expecting: Option<&'a Arg>,
    only_positionals: bool,
    root: Option<String>,
    plugstack: Option<String>,
}

impl Position {
    /// The position after these words of the command line, the last of which is at the cursor.
    pub(super) fn of(cli: &Command, words: &[&str]) -> Option<Self> {
        let (name, words) = words.split_first()?;
        let (typed, before) = words.split_last()?;
        let command = cli.find_subcommand(name)?;
        let is_command_line =
            |parsed: &Parsed<'_>| takes_command_line(command) && parsed.positionals > 0;
        let mut parsed = Parsed::default();
        for word in before {
            let only_positionals = parsed.only_positionals || is_command_line(&parsed);
            parsed.word(command, word, only_positionals);
        }
        if parsed.expecting.is_some_and(|option| !takes_several(option)) {
            return None;
        }
        let is_last = parsed.only_positionals && command.get_positionals().any(Arg::is_last_set);
        let is_option = typed.starts_with('-') && !parsed.only_positionals;
        let is_uri = takes_command_line(command);
        let fits = match is_uri {
            true => is_likely(typed),
            false => !is_last && !is_option && is_reference(command, parsed.positionals),
        };
        let (root, plugstack) = (parsed.root, parsed.plugstack);
        fits.then(|| Self { typed: (*typed).to_owned(), is_uri, root, plugstack })
    }
}

impl<'a> Parsed<'a> {
    fn word(&mut self, command: &'a Command, word: &str, only_positionals: bool) {
        if only_positionals {
            self.positionals += 1;
        } else if word == "--" {
            (self.only_positionals, self.expecting) = (true, None);
        } else if let Some(option) = word.strip_prefix("--") {
            let (name, value) =
                option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v)));
            let option = command.get_arguments().find(|one| one.get_long() == Some(name));
            self.expecting = option.filter(|option| takes_value(option) && value.is_none());
            if let (Some(option), Some(value)) = (option, value) {
                self.value(option, value);
            }
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let last = letters.chars().last();
            let option = command.get_arguments().find(|one| one.get_short() == last);
            self.expecting = option.filter(|option| takes_value(option));
        } else if let Some(option) = self.expecting {
            self.value(option, word);
            self.expecting = Some(option).filter(|option| takes_several(option));
        } else {
            self.positionals += 1;
        }
    }

    fn value(&mut self, option: &Arg, value: &str) {
        match option.get_long() {
            Some("root") => self.root = Some(value.to_owned()),
            Some("plugstack") => self.plugstack = Some(value.to_owned()),
            _ => {}
        }
    }
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn takes_several(option: &Arg) -> bool {
    option.get_num_args().is_some_and(|count| count.max_values() > 1)
}

/// Whether the arguments are a command line, in which only a URI is an image.
fn takes_command_line(command: &Command) -> bool {
    command.get_positionals().any(Arg::is_trailing_var_arg_set)
}

/// Whether a word of a command line begins like the URI of an image.
fn is_likely(word: &str) -> bool {
    let begins = |one: &Transport| {
        one.name_in(word).is_some() || (!word.is_empty() && one.uri("").starts_with(word))
    };
    Transport::ALL.iter().any(begins)
}

/// Whether the positional argument with this number is a reference.
fn is_reference(command: &Command, number: usize) -> bool {
    let mut all = command.get_positionals().filter(|one| !one.is_last_set());
    let last = command.get_positionals().filter(|one| !one.is_last_set()).last();
    let argument = all.nth(number).or(last.filter(|one| takes_several(one) || is_list(one)));
    argument.is_some_and(|one| one.get_value_hint() == REFERENCE)
}

/// Whether an argument may be given several times.
fn is_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

#[cfg(test)]
mod tests {
    use super::Position;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    fn at(line: &str) -> Option<(String, Option<String>)> {
        let mut cli = Cli::command();
        cli.build();
        let words: Vec<&str> = line.split(' ').collect();
        Position::of(&cli, &words).map(|found| (found.typed, found.root))
    }

    #[test]
    fn references_stand_where_arguments_are_references() {
        for (line, typed) in [
            ("remove o/i", Some("o/i")),
            ("remove ", Some("")),
            ("remove a b o/i:1", Some("o/i:1")),
            ("remove --yes o/i", Some("o/i")),
            ("remove --keep o/i", None),
            ("remove --keep 3d o/i", Some("o/i")),
            ("remove --keep=3d o/i", Some("o/i")),
            ("remove --into /r o/i", Some("o/i")),
            ("remove -", None),
            ("remove --k", None),
            ("list py", Some("py")),
            ("list --sort py", None),
            ("list --refs pytorch py", Some("py")),
            ("refresh py", Some("py")),
            ("verify py", Some("py")),
            ("request --wait=3m py", Some("py")),
            ("stage py", Some("py")),
            ("stage o/i -- -p", None),
            ("add docker://py", Some("docker://py")),
            ("import file", None),
            ("import file py", Some("py")),
            ("import file o/i:1 py", None),
            ("gc py", None),
            ("completions py", None),
            ("nothing py", None),
            ("remove", None),
            ("explain o", Some("o")),
            ("explain x", None),
            ("explain d", Some("d")),
            ("explain -- apptainer run docker://o", Some("docker://o")),
            ("explain srun -n 4 apptainer run docker://o", Some("docker://o")),
            ("explain apptainer run oras://", Some("oras://")),
            ("explain apptainer run ", None),
        ] {
            assert_eq!(at(line).map(|found| found.0).as_deref(), typed, "{line}");
        }
    }

    #[test]
    fn every_reference_has_the_hint() {
        let mut cli = Cli::command();
        cli.build();
        let mut count = 0;
        for command in cli.get_subcommands() {
            for argument in command.get_positionals() {
                let names = argument.get_value_names().unwrap_or_default();
                if names.iter().any(|name| name.contains("REF")) {
                    let hint = argument.get_value_hint();
                    assert_eq!(hint, crate::options::REFERENCE, "{}", command.get_name());
                    count += 1;
                }
            }
        }
        assert!(count >= 7, "{count}");
    }

    #[test]
    fn the_root_of_the_command_line_is_used() {
        for line in ["remove --root /r o", "remove --root=/r o", "list o --root /r o"] {
            assert_eq!(at(line), Some(("o".to_owned(), Some("/r".to_owned()))), "{line}");
        }
        assert_eq!(at("remove --root /r"), None);
    }
}
