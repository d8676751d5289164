//! `--sif-cache=auto|off|require`, for srun, sbatch and salloc.

use crate::fault;
use crate::spank::{Context, Spank};
use sifcache_core::choice::{Choice, ENVIRONMENT, VALUES};

/// What the callback of the option does: refuse a bad value, and hand a good one on.
///
/// Slurm carries the option to the job's own steps. What srun in a batch script or
/// in salloc's shell starts is another step, so for those the value goes into the
/// environment that they inherit.
///
/// # Errors
/// The value is none of the three; the command stops then.
pub(crate) fn check(spank: &dyn Spank, value: &[u8]) -> Result<(), ()> {
    fault::point("option");
    let Some(choice) = Choice::parse(value) else {
        log::error!("--sif-cache={}: valid values are {VALUES}", value.escape_ascii());
        return Err(());
    };
    if spank.context() == Context::Allocator
        && let Err(error) = spank.set_variable(ENVIRONMENT, choice.as_str())
    {
        log::error!("cannot set {ENVIRONMENT} for the steps of this job: {error}");
    }
    Ok(())
}

/// What a task asks of the cache.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) choice: Choice,
    /// Whether it came from the option.
    pub(crate) by_option: bool,
    /// A value in the environment that says nothing we know.
    pub(crate) ignored: Option<Vec<u8>>,
}

/// The wish of a task: the option beats the environment.
pub(crate) fn of_task(spank: &dyn Spank) -> Wish {
    if let Some(choice) = spank.option().as_deref().and_then(Choice::parse) {
        return Wish { choice, by_option: true, ignored: None };
    }
    let value = spank.variable(ENVIRONMENT);
    let choice = value.as_deref().map(Choice::parse);
    let ignored = value.filter(|_| choice == Some(None));
    Wish { choice: choice.flatten().unwrap_or_default(), by_option: false, ignored }
}

#[cfg(test)]
mod tests {
    use super::{check, of_task};
    use crate::logging::captured;
    use crate::spank::Context;
    use crate::spank::double::Double;
    use sifcache_core::choice::Choice;

    #[test]
    fn a_bad_value_is_refused_and_named() {
        for value in [b"requir".as_slice(), b"", b"REQUIRE", b"\xff\n"] {
            let double = Double::new(Context::Local, &[]);
            let lines = captured(|| assert_eq!(check(&double, value), Err(())));
            let shown = value.escape_ascii();
            let line = format!("ERROR --sif-cache={shown}: valid values are auto, off, require");
            assert_eq!(lines, [line]);
        }
    }

    #[test]
    fn the_steps_of_an_allocation_inherit_it() {
        for (context, expected) in
            [(Context::Allocator, Some("off")), (Context::Local, None), (Context::Remote, None)]
        {
            let double = Double::new(context, &[]);
            assert_eq!(check(&double, b"off"), Ok(()));
            assert_eq!(double.get("SIF_CACHE").as_deref(), expected);
        }
    }

    #[test]
    fn the_option_beats_the_environment() {
        let choice = |option: Option<&str>, environment: Option<&str>| {
            let mut double = Double::new(Context::Remote, &[]);
            double.option = option.map(str::to_owned);
            if let Some(value) = environment {
                double.set("SIF_CACHE", value);
            }
            let wish = of_task(&double);
            (wish.choice, wish.by_option, wish.ignored.is_some())
        };
        assert_eq!(choice(None, None), (Choice::Auto, false, false));
        assert_eq!(choice(None, Some("off")), (Choice::Off, false, false));
        assert_eq!(choice(None, Some("wrong")), (Choice::Auto, false, true));
        assert_eq!(choice(Some("require"), Some("off")), (Choice::Require, true, false));
        assert_eq!(choice(Some("auto"), Some("require")), (Choice::Auto, true, false));
        assert_eq!(choice(Some("wrong"), Some("require")), (Choice::Require, false, false));
    }
}
