//! The cost for every step, whether it is a launch or not.

use super::Effort;
use crate::experiment::{Experiment, Timed, Variant};
use crate::site::{EMPTY, LINE, NONE};

/// Measures `srun true` without a plugin, with an empty one, and with sifcache.
pub(crate) fn one_task(effort: Effort) -> Experiment {
    plugins("srun true", "srun -w n1 true", effort.rounds(300))
}

/// The same with 64 tasks.
pub(crate) fn many_tasks(effort: Effort) -> Experiment {
    plugins("srun -n 64 true", "srun -w n1 -n 64 --overcommit true", effort.rounds(20))
}

fn plugins(name: &str, line: &str, rounds: usize) -> Experiment {
    let timed = Timed::new(line).by_alice();
    let variant = |name, plugstack| Variant::new(name, timed.clone()).plugstack(plugstack);
    Experiment {
        name: name.to_owned(),
        compared: true,
        warm_up: 2,
        rounds,
        variants: vec![
            variant("no plugin", NONE),
            variant("an empty plugin", EMPTY),
            variant("sifcache", LINE),
        ],
    }
}
