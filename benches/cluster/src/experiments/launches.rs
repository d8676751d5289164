//! Tasks whose command is a launch: hit, pass and miss.

use super::Effort;
use crate::experiment::{Experiment, Timed, Variant};
use crate::site::{LINE, NONE, image, sif};

/// The size in MB of the image in all experiments that do not compare sizes.
pub(crate) const SMALL: u32 = 10;

/// Compares a hit with a launch for which the user types the SIF's path. With the plugin, such a
/// launch is a pass.
pub(crate) fn hit_and_pass(effort: Effort) -> Experiment {
    let srun = "srun -w n1 apptainer exec";
    launches("a hit and a pass", srun, effort.rounds(120))
}

/// The same in 64 tasks at once.
pub(crate) fn many_tasks(effort: Effort) -> Experiment {
    let srun = "srun -w n1 -n 64 --overcommit apptainer exec";
    launches("64 tasks", srun, effort.rounds(5))
}

fn launches(name: &str, srun: &str, rounds: usize) -> Experiment {
    let launch = |image: &str| Timed::new(&format!("{srun} {image} true")).by_alice();
    let typed = launch(&sif(SMALL));
    let docker = launch(&format!("docker://{}", image(SMALL)));
    Experiment {
        name: name.to_owned(),
        compared: true,
        warm_up: 1,
        rounds,
        variants: vec![
            Variant::new("no plugin, with the SIF's path", typed.clone()).plugstack(NONE),
            Variant::new("a pass: sifcache, with the SIF's path", typed).plugstack(LINE),
            Variant::new("a hit: sifcache, with docker://", docker).plugstack(LINE),
        ],
    }
}

/// Measures a miss, with the registry running and the image in the user's own cache.
pub(crate) fn miss(effort: Effort) -> Experiment {
    let timed =
        Timed::new("srun -w n1 apptainer --silent exec docker://alpine:3.20 true").by_alice();
    let variant = |name, plugstack| Variant::new(name, timed.clone()).plugstack(plugstack);
    Experiment {
        name: "a miss".to_owned(),
        compared: true,
        warm_up: 1,
        rounds: effort.rounds(50),
        variants: vec![variant("no plugin", NONE), variant("a miss: sifcache", LINE)],
    }
}
