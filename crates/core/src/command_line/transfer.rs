//! Pulls and builds: what both have in common.

use super::environment::{Environment, Variable, Variables};
use super::pflag::{self, Given};
use super::verbosity::Verbosity;
use super::{NotServed, globals};

/// The grammar of a subcommand, and its options that change the result.
pub(crate) struct Grammar {
    /// The subcommand.
    pub(crate) word: &'static str,
    /// Its constant in [`crate::flags`].
    pub(crate) command: u16,
    /// The flags that do not change the result, or that the caller handles, separated by blanks. All
    /// others change it.
    pub(crate) accepted: &'static str,
    /// The variables of the flags that change the result.
    pub(crate) altering: &'static [Variable],
    /// Whether the runtime still runs, and checks the configuration that global flags select.
    pub(crate) runtime_runs: bool,
}

/// The parts of a command line that do not depend on the subcommand.
pub(crate) struct Transfer<'e> {
    /// The index of the first argument that is neither a flag nor the value of a flag.
    pub(crate) first_argument: usize,
    /// Which messages the runtime prints.
    pub(crate) verbosity: Verbosity,
    /// The variables, for the flags that the caller handles.
    pub(crate) variables: Variables<'e>,
}

impl Grammar {
    fn accepts(&self, flag: &str) -> bool {
        self.accepted.split(' ').any(|accepted| accepted == flag)
    }

    /// Parses `argv`. `set` receives each accepted flag with its value.
    pub(crate) fn parse<'a, 'e, A: AsRef<[u8]>>(
        &self,
        argv: &'a [A],
        runtimes: &[String],
        environment: &'e Environment<'e>,
        set: &mut dyn FnMut(&'static str, Given<'a>),
    ) -> Result<Transfer<'e>, NotServed> {
        let globals = globals(argv, runtimes)?;
        let word = argv.get(globals.subcommand).map(AsRef::as_ref);
        if word != Some(self.word.as_bytes()) {
            return Err(NotServed::OtherSubcommand);
        }
        let first = globals.subcommand + 1;
        let tokens = argv.get(first..).unwrap_or_default();
        let mut altering = if self.runtime_runs { None } else { globals.configuration };
        let parsed = pflag::parse(tokens, self.command, &mut |flag, given, index| {
            if self.accepts(flag.long()) {
                set(flag.long(), given);
            } else {
                altering = altering.or(Some(first + index));
            }
        });
        let parsed = parsed.map_err(|error| error.shift(first))?;
        if parsed.help {
            return Err(NotServed::Help);
        }
        if let Some(index) = altering {
            return Err(NotServed::Altering(index));
        }
        let program = argv.first().map(AsRef::as_ref).unwrap_or_default();
        let variables = Variables::new(program, environment);
        if let Some(variable) = self.altering.iter().find(|variable| variables.is_set(**variable)) {
            return Err(NotServed::AlteringVariable(*variable));
        }
        Ok(Transfer {
            first_argument: first + parsed.used,
            verbosity: Verbosity::read(globals.messages, &variables)?,
            variables,
        })
    }
}

#[cfg(test)]
mod tests;
