//! Finds flags of the installed runtime that are missing from the flag table, or differ in arity.
//!
//! The table only covers the flags of the releases that it was made from. sifcache leaves a launch,
//! a pull or a build with an unknown flag alone, so it does not use the image roots; no other
//! message reports that.

use super::finding::Finding;
use super::host::Host;
use super::runtimes::Runtime;
use crate::system::process::RunError;
use crate::ui::escape::escape_for_terminal;
use sifcache_core::flags::{
    BUILD, EXEC, GLOBAL, INSTANCE_RUN, INSTANCE_START, PULL, RUN, SHELL, TEST, by_letter, by_name,
};
use sifcache_core::settings;
use std::path::Path;

/// Commands whose flags are compared in one finding.
struct Group {
    check: &'static str,
    /// Each with its bit in the table. `""` stands for the global flags before the subcommand.
    commands: &'static [(&'static str, u16)],
    /// The commands, for messages about their flags.
    of: &'static str,
    advice: &'static str,
    /// The advice if arguments may be misread.
    misread: &'static str,
}

const LAUNCHES: Group = Group {
    check: "flags",
    commands: &[
        ("", GLOBAL),
        ("exec", EXEC),
        ("run", RUN),
        ("shell", SHELL),
        ("test", TEST),
        ("instance start", INSTANCE_START),
        ("instance run", INSTANCE_RUN),
    ],
    of: "",
    advice: "a launch with such a flag is left alone: the runtime pulls the image from its \
             registry; upgrade sifcache, or report the flags to its maintainers",
    misread: "",
};

const PULLS: Group = Group {
    check: "pull-flags",
    commands: &[("pull", PULL), ("build", BUILD)],
    of: " of pull and build",
    advice: "a pull or build with such a flag is left alone: the runtime uses the registry; upgrade \
             sifcache, or report the flags to its maintainers",
    misread: "; a known flag that has another form now may be misread: set pull=off until then",
};

/// Maximum number of flags in one finding.
const SHOWN: usize = 20;

/// A flag as listed by `--help`.
#[derive(Debug, PartialEq, Eq)]
struct Listed<'a> {
    letter: Option<u8>,
    name: &'a str,
    takes_value: bool,
}

/// Compares the flag table with the help of each command of this runtime. With `pull=off`, `pull`
/// and `build` are not relevant.
pub(crate) fn check(host: &Host, runtime: &Runtime) -> Vec<Finding> {
    let settings = host.site.settings.as_ref();
    let is_off = settings.is_some_and(|settings| settings.pull == settings::Pull::Off);
    let groups = [Some(&LAUNCHES), Some(&PULLS).filter(|_| !is_off)];
    groups.into_iter().flatten().map(|group| compare(host, runtime, group)).collect()
}

fn compare(host: &Host, runtime: &Runtime, group: &Group) -> Finding {
    let name = escape_for_terminal(&runtime.path);
    let mut differences: Vec<(Difference, Vec<&str>)> = Vec::new();
    let mut known = 0;
    for &(command, bit) in group.commands {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = match host.output(&runtime.path.to_string_lossy(), &words) {
            Ok(answer) if answer.success => answer.stdout,
            // This release lacks the command.
            Ok(_) => continue,
            Err(error @ RunError::Timeout) => {
                return Finding::skipped(
                    group.check,
                    error.describe(&format!("{name} {command} --help")),
                );
            }
            Err(_) => continue,
        };
        for flag in listed(&help) {
            known += 1;
            let Some(difference) = difference(&flag, bit) else { continue };
            let command = if command.is_empty() { "before the subcommand" } else { command };
            match differences.iter_mut().find(|(other, _)| *other == difference) {
                Some((_, commands)) => commands.push(command),
                None => differences.push((difference, vec![command])),
            }
        }
    }
    match (known, differences.is_empty()) {
        (0, _) => {
            Finding::skipped(group.check, format!("{name} --help lists no flags{}", group.of))
        }
        (_, true) => {
            Finding::ok(group.check, format!("{name}: sifcache knows all its flags{}", group.of))
        }
        (_, false) => unknown(&name, group, &differences),
    }
}

fn unknown(name: &str, group: &Group, differences: &[(Difference, Vec<&str>)]) -> Finding {
    let shown = differences.iter().take(SHOWN);
    let mut shown: Vec<String> =
        shown.map(|(flag, commands)| format!("{} ({})", flag.text, commands.join(", "))).collect();
    if differences.len() > SHOWN {
        shown.push(format!("and {} more", differences.len() - SHOWN));
    }
    let message = format!("{name} has flags that sifcache does not know: {}", shown.join("; "));
    let is_misread = differences.iter().any(|(difference, _)| difference.is_misread);
    let misread = if is_misread { group.misread } else { "" };
    Finding::warn(group.check, escape_for_terminal(Path::new(&message)))
        .advice(format!("{}{misread}", group.advice))
}

/// How a flag differs from the table.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    text: String,
    /// Whether sifcache knows the flag as one of another form, and may take an argument after it
    /// for something else.
    is_misread: bool,
}

/// How the flag differs from the table; `None` if it does not differ.
fn difference(flag: &Listed<'_>, command: u16) -> Option<Difference> {
    let name = format!("--{}", flag.name);
    let value = |takes: bool| if takes { "with a value" } else { "without a value" };
    let in_table = |letter: &u8| by_letter(command, *letter);
    let (text, is_misread) = match by_name(command, flag.name.as_bytes()) {
        None => {
            let text = format!("{name}{}", if flag.takes_value { " VALUE" } else { "" });
            (text, flag.letter.as_ref().and_then(in_table).is_some())
        }
        Some(known) if known.takes_value != flag.takes_value => {
            let known = value(known.takes_value);
            (format!("{name} {}, known {known}", value(flag.takes_value)), true)
        }
        // The table assigns this letter to another flag, or does not contain it.
        Some(known) => {
            let letter = flag.letter.filter(|letter| in_table(letter) != Some(known))?;
            (format!("-{} for {name}", char::from(letter)), in_table(&letter).is_some())
        }
    };
    Some(Difference { text, is_misread })
}

/// The flags in a help text. Continuation lines of descriptions are indented further.
fn listed(help: &str) -> impl Iterator<Item = Listed<'_>> {
    // The option parser of every runtime adds these two flags.
    help.lines().filter_map(flag).filter(|flag| !["help", "version"].contains(&flag.name))
}

/// Parses a line like `  -B, --bind strings   a user-bind path` or `      --compat   apply
/// settings`.
fn flag(line: &str) -> Option<Listed<'_>> {
    let (letter, rest) = match line.strip_prefix("      --") {
        Some(rest) => (None, rest),
        None => {
            let (letter, rest) = line.strip_prefix("  -")?.split_once(", --")?;
            let [letter] = letter.as_bytes() else { return None };
            (Some(*letter), rest)
        }
    };
    let (name, rest) = rest.split_at(rest.find([' ', '[']).unwrap_or(rest.len()));
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(good) {
        return None;
    }
    // After one blank, a type follows; after several blanks, a description. With `[=…]`, a value
    // has to be in the same argv entry, so the next argument is not a value.
    let kind = rest.strip_prefix(' ').and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let takes_value = !kind.is_empty() && !kind.contains("[=") && kind != "count";
    Some(Listed { letter, name, takes_value })
}

#[cfg(test)]
mod tests {
    use super::{Listed, difference, listed};
    use sifcache_core::flags::{EXEC, GLOBAL, INSTANCE_START};

    fn of(letter: Option<u8>, name: &str, takes_value: bool) -> Listed<'_> {
        Listed { letter, name, takes_value }
    }

    #[test]
    fn flags_are_parsed_from_help() {
        let help = "Run a command\n\nOptions:\n\
            \x20     --add-caps string               a comma separated list\n\
            \x20 -B, --bind stringArray              a user-bind path\n\
            \x20     --compat                        infers\n\
            \x20                                     --containall, --no-init\n\
            \x20 -e, --cleanenv                      clean\n\
            \x20 -h, --help                          help for exec\n\
            \x20     --version                       version\n\
            \x20     --longest-of-all-the-flags int  a number\n\
            \x20     --maybe string[=\"x\"]            may have one\n\
            \x20     --more count                    several times\n\
            \x20     --bare\n\
            \x20     --\n\
            \x20     --one/two                       no name of a flag\n\
            \x20     --short[=value]                 in one word\n\
            \x20 -x                                  no long name\n\
            \x20 -xy, --z                            no letter\n\
            Examples:\n  $ apptainer exec --other x\n";
        let expected = [
            of(None, "add-caps", true),
            of(Some(b'B'), "bind", true),
            of(None, "compat", false),
            of(Some(b'e'), "cleanenv", false),
            of(None, "longest-of-all-the-flags", true),
            of(None, "maybe", false),
            of(None, "more", false),
            of(None, "bare", false),
            of(None, "short", false),
        ];
        assert_eq!(listed(help).collect::<Vec<_>>(), expected);
        assert_eq!(listed("").count(), 0);
    }

    #[test]
    fn differences_from_the_table_are_described() {
        let message = |flag: Listed<'_>, command| difference(&flag, command).map(|one| one.text);
        for (letter, name, takes_value) in
            [(Some(b'B'), "bind", true), (None, "bind", true), (None, "compat32", false)]
        {
            assert_eq!(message(of(letter, name, takes_value), EXEC), None, "{name}");
        }
        assert_eq!(message(of(None, "made-up", true), EXEC).unwrap(), "--made-up VALUE");
        assert_eq!(message(of(None, "made-up", false), EXEC).unwrap(), "--made-up");
        let text = "--nv with a value, known without a value";
        assert_eq!(message(of(None, "nv", true), EXEC).unwrap(), text);
        let text = "--bind without a value, known with a value";
        assert_eq!(message(of(Some(b'B'), "bind", false), EXEC).unwrap(), text);
        assert_eq!(message(of(Some(b'b'), "bind", true), EXEC).unwrap(), "-b for --bind");
        // A letter that belongs to another flag, and flags of other commands.
        assert_eq!(message(of(Some(b'c'), "cleanenv", false), EXEC).unwrap(), "-c for --cleanenv");
        assert_eq!(message(of(None, "cwd", true), INSTANCE_START).unwrap(), "--cwd VALUE");
        assert_eq!(message(of(None, "bind", true), GLOBAL).unwrap(), "--bind VALUE");
    }
}
