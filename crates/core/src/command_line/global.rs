//! Parses the global options.
//!
//! cobra first finds the subcommand by its own rules, which are simpler than those of pflag. It
//! then passes the tokens before the subcommand to pflag. The command runs only if both passes
//! agree, so this module performs both.

use super::{Given, NotServed, pflag};
use crate::flags;

/// The global options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Globals {
    /// The index of the subcommand in argv.
    pub(crate) subcommand: usize,
    /// The index of the first flag that changes the configuration of the runtime.
    pub(super) configuration: Option<usize>,
    /// The flags that change messages.
    pub(super) messages: Messages,
}

/// The global flags that change messages; `None` if a flag is not given. The last one counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Messages {
    pub(super) debug: Option<bool>,
    pub(super) verbose: Option<bool>,
    pub(super) quiet: Option<bool>,
    pub(super) silent: Option<bool>,
    pub(super) nocolor: Option<bool>,
}

impl Messages {
    /// Whether the flag `name` changes messages. Sets it if it does.
    fn set(&mut self, name: &str, on: bool) -> bool {
        let flag = match name {
            "debug" => &mut self.debug,
            "verbose" => &mut self.verbose,
            "quiet" => &mut self.quiet,
            "silent" => &mut self.silent,
            "nocolor" => &mut self.nocolor,
            _ => return false,
        };
        *flag = Some(on);
        true
    }
}

/// Parses the global options at the start of `rest`, which is argv without the program.
pub(super) fn parse<A: AsRef<[u8]>>(rest: &[A]) -> Result<Globals, NotServed> {
    let options = crude_length(rest);
    let before = rest.get(..options).unwrap_or_default();
    let mut messages = Messages::default();
    let mut configuration = None;
    let parsed = pflag::parse(before, flags::GLOBAL, &mut |flag, given, index| {
        let is_message = matches!(given, Given::Bool(on) if messages.set(flag.long(), on));
        if !is_message {
            configuration = configuration.or(Some(1 + index));
        }
    });
    let parsed = parsed.map_err(|e| e.shift(1))?;
    // With a `--` or a separate word among the options, the two passes disagree.
    if parsed.used != options || before.iter().any(|token| token.as_ref() == b"--") {
        return Err(NotServed::OtherSubcommand);
    }
    Ok(Globals { subcommand: 1 + options, configuration, messages })
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
