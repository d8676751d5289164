//! Parses the global options and the subcommand.
//!
//! cobra first finds the subcommand by its own rules, which are simpler than those of pflag. It
//! then passes the tokens before the subcommand to pflag. The command runs only if both passes
//! agree, so this module performs both.

use super::{NotLaunch, Subcommand, pflag};
use crate::flags;

/// The subcommand, and the number of tokens up to its end.
pub(super) fn subcommand<A: AsRef<[u8]>>(rest: &[A]) -> Result<(Subcommand, usize), NotLaunch> {
    let options = crude_length(rest);
    let before = rest.get(..options).unwrap_or_default();
    let parsed = pflag::parse(before, flags::GLOBAL).map_err(|e| e.shift(1))?;
    // With a `--` or a separate word among the options, the two passes disagree.
    if parsed.used != options || before.iter().any(|token| token.as_ref() == b"--") {
        return Err(NotLaunch::OtherSubcommand);
    }
    let word = |index: usize| rest.get(index).map(AsRef::as_ref);
    let found = match (word(options), word(options + 1)) {
        (Some(b"run"), _) => (Subcommand::Run, 1),
        (Some(b"exec"), _) => (Subcommand::Exec, 1),
        (Some(b"shell"), _) => (Subcommand::Shell, 1),
        (Some(b"test"), _) => (Subcommand::Test, 1),
        (Some(b"instance"), Some(b"start")) => (Subcommand::InstanceStart, 2),
        (Some(b"instance"), Some(b"run")) => (Subcommand::InstanceRun, 2),
        _ => return Err(NotLaunch::OtherSubcommand),
    };
    Ok((found.0, options + found.1))
}

/// The number of tokens that cobra counts as global options and their values.
///
/// To cobra, a long flag without `=` or a single-letter flag takes the next token as its value,
/// unless it is a known boolean flag. Any other token that looks like a flag has no separate value.
fn crude_length<A: AsRef<[u8]>>(rest: &[A]) -> usize {
    let known_bool = |flag: Option<&flags::Flag>| flag.is_some_and(|flag| !flag.takes_value);
    let mut value_follows = false;
    for (index, token) in rest.iter().enumerate() {
        match token.as_ref() {
            [b'-', b'-', name @ ..] if !name.contains(&b'=') => {
                value_follows = !known_bool(flags::by_name(flags::GLOBAL, name));
            }
            [b'-', letter]
                if *letter != b'=' && !known_bool(flags::by_letter(flags::GLOBAL, *letter)) =>
            {
                value_follows = true;
            }
            _ if value_follows => value_follows = false,
            [b'-', _, ..] => {}
            _ => return index,
        }
    }
    rest.len()
}
