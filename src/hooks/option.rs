//! `--sif-cache=auto|off|require`, for srun, sbatch and salloc.

use crate::decide::requested_mode::RequestedMode;
use crate::fault;
use crate::spank::{Context, Spank};
use sifcache_core::cache_mode::{CacheMode, ENVIRONMENT, VALUES};

/// What the callback of the option does: refuse a bad value, and hand a good one on.
///
/// Slurm carries the option to the job's own steps. What srun in a batch script or
/// in salloc's shell starts is another step, so for those the value goes into the
/// environment that they inherit.
///
/// # Errors
/// The value is none of the three; srun, sbatch and salloc stop then.
pub(crate) fn check(spank: &dyn Spank, value: &[u8]) -> Result<(), ()> {
    fault::point("option");
    let Some(mode) = CacheMode::parse(value) else {
        let line = format!("--sif-cache={}: valid values are {VALUES}", value.escape_ascii());
        // Past srun it only comes by a variable that somebody has made up. Slurm would write
        // it into slurmd's log as it is, and start the job all the same.
        if spank.context() == Context::Remote {
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

/// The wish of a task.
pub(crate) fn of_task(spank: &dyn Spank) -> RequestedMode {
    RequestedMode::new(spank.option().as_deref(), spank.variable(ENVIRONMENT))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::logging::captured;
    use crate::spank::Context;
    use crate::spank::test_double::Double;

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
    fn in_slurmstepd_a_bad_value_is_none() {
        let double = Double::new(Context::Remote, &[]);
        let lines = captured(|| assert_eq!(check(&double, b"\x1b[2J\n"), Ok(())));
        assert_eq!(lines, ["WARN --sif-cache=\\x1b[2J\\n: valid values are auto, off, require"]);
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
}
