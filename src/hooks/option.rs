//! `--sif-cache=auto|off|wait|require`, for srun, sbatch and salloc.

use crate::decide::requested_mode::RequestedMode;
use crate::fault;
use crate::spank::{Context, Spank};
use sifcache_core::cache_mode::{CacheMode, ENVIRONMENT, VALUES};

/// The callback of the option: rejects an invalid value and passes a valid one on.
///
/// Slurm passes the option to the steps of the command that was given the option. srun inside a
/// batch script or inside salloc's shell starts other steps, so the value is also set in the
/// environment that they inherit.
///
/// # Errors
/// The value is invalid. srun, sbatch and salloc then stop.
pub(crate) fn check(spank: &dyn Spank, value: &[u8]) -> Result<(), ()> {
    fault::point("option");
    let Some(mode) = CacheMode::parse(value) else {
        let line = format!("--sif-cache={}: valid values are {VALUES}", value.escape_ascii());
        // srun, sbatch and salloc have validated the option, so elsewhere the value can only come
        // from a forged variable. After an error, Slurm would write the raw value to slurmd's log
        // and start the job anyway.
        if !matches!(spank.context(), Context::Local | Context::Allocator) {
            log::warn!("{line}");
            return Ok(());
        }
        log::error!("{line}");
        return Err(());
    };
    if spank.context() == Context::Allocator
        && let Err(error) = spank.set_variable(ENVIRONMENT, mode.as_str().as_bytes())
    {
        log::error!("cannot set {ENVIRONMENT} for the steps of this job: {error}");
    }
    Ok(())
}

/// The cache mode that the user requested for a task.
pub(crate) fn requested_mode(spank: &dyn Spank) -> RequestedMode {
    RequestedMode::new(spank.option().as_deref(), spank.variable(ENVIRONMENT))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::logging::captured;
    use crate::spank::Context;
    use crate::spank::test_double::Double;

    #[test]
    fn an_invalid_value_is_rejected_and_named() {
        for value in [b"requir".as_slice(), b"", b"REQUIRE", b"\xff\n"] {
            let double = Double::new(Context::Local, &[]);
            let lines = captured(|| assert_eq!(check(&double, value), Err(())));
            let shown = value.escape_ascii();
            let line =
                format!("ERROR --sif-cache={shown}: valid values are auto, off, wait, require");
            assert_eq!(lines, [line]);
        }
    }

    #[test]
    fn daemons_ignore_an_invalid_value() {
        for context in [Context::Remote, Context::Slurmd, Context::Other] {
            let double = Double::new(context, &[]);
            let lines = captured(|| assert_eq!(check(&double, b"\x1b[2J\n"), Ok(())));
            let line = "WARN --sif-cache=\\x1b[2J\\n: valid values are auto, off, wait, require";
            assert_eq!(lines, [line]);
        }
    }

    #[test]
    fn the_steps_of_an_allocation_inherit_the_option() {
        for (context, expected) in
            [(Context::Allocator, Some("off")), (Context::Local, None), (Context::Remote, None)]
        {
            let double = Double::new(context, &[]);
            assert_eq!(check(&double, b"off"), Ok(()));
            assert_eq!(double.get("SIF_CACHE").as_deref(), expected);
        }
    }
}
