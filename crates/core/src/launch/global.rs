//! Global options and the subcommand.
//!
//! cobra finds the subcommand with rules of its own, cruder than pflag's, and then
//! hands the tokens before it to pflag. Both passes must agree for the command to
//! run, so both are made here.

use super::{NotLaunch, Subcommand, pflag};
use crate::flags;

/// The subcommand, and how many tokens it and everything before it took.
pub(super) fn subcommand<A: AsRef<[u8]>>(rest: &[A]) -> Result<(Subcommand, usize), NotLaunch> {
    let options = crude_length(rest);
    let before = rest.get(..options).unwrap_or_default();
    let parsed = pflag::parse(before, flags::GLOBAL).map_err(|e| e.shift(1))?;
    // `--` or a lone word among the options: the passes do not agree.
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

/// How many tokens cobra takes for global options and their values.
///
/// A long flag without `=`, or two characters of a short one, takes the next token
/// unless it is known as a boolean; anything else that looks like a flag stands alone.
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
