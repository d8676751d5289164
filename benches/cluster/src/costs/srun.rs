//! `srun true`: its wall time, and the processor time of srun, slurmd and slurmstepd.

use super::daemon::{Daemon, Spent};
use super::install::{Installed, ROOT};
use super::row::Row;
use crate::experiment::{Experiment, Timed, Variant};
use crate::shuffle::Shuffle;
use crate::site::{EMPTY, NONE};
use crate::turns::{Turn, Turns};
use anyhow::{Context, Result};

/// The quantities, with the name of each row and the target in seconds above the floor.
const QUANTITIES: [(&str, Option<f64>); 5] = [
    ("`srun true`, wall time", Some(0.1e-3)),
    ("`srun true`, processor time of srun", None),
    ("`srun true`, processor time of slurmd", None),
    ("`srun true`, processor time of slurmstepd and the task", None),
    ("`srun true`, processor time of all these", Some(0.1e-3)),
];

/// The values of one variant, by quantity, then by round.
type Values = [Vec<f64>; QUANTITIES.len()];

/// Measures this many shuffled rounds without a plugin, with an empty one, and with each build.
///
/// # Errors
/// A step fails, or slurmd cannot be measured.
pub(super) fn measure(rounds: usize, builds: &[Installed]) -> Result<Vec<Row>> {
    let timed = Timed::new("srun -w n1 true").by_alice();
    let variant = |text: &str| Variant::new("srun", timed.clone()).plugstack(text);
    let mut variants = vec![variant(EMPTY)];
    variants.extend(
        builds
            .iter()
            .map(|build| variant(&format!("optional {} image_root={ROOT}\n", build.plugin))),
    );
    // Without any plugin, as context for the floor.
    variants.push(variant(NONE));
    let experiment =
        Experiment { name: "srun true".to_owned(), warm_up: 3, rounds, variants, compared: true };
    let values = values(&experiment)?;
    QUANTITIES.iter().enumerate().map(|(at, quantity)| row(*quantity, at, &values)).collect()
}

fn values(experiment: &Experiment) -> Result<Vec<Values>> {
    let daemon = Daemon::new()?;
    let mut turns = Turns::of(experiment)?;
    let mut values = vec![Values::default(); experiment.variants.len()];
    let mut order = Shuffle::new(experiment.variants.len());
    for round in 0..experiment.warm_up + experiment.rounds {
        for at in order.next() {
            let before = daemon.spent()?;
            let turn = turns.take(at)?;
            let after = daemon.spent()?;
            if let (Some(into), true) = (values.get_mut(at), round >= experiment.warm_up) {
                for (into, value) in into.iter_mut().zip(quantities(turn, before, after)) {
                    into.push(value);
                }
            }
        }
    }
    turns.end()?;
    Ok(values)
}

fn quantities(turn: Turn, before: Spent, after: Spent) -> [f64; QUANTITIES.len()] {
    let (all, slurmd) = (after.all - before.all, after.slurmd - before.slurmd);
    [turn.seconds, turn.cpu, slurmd, all - slurmd, turn.cpu + all]
}

fn row((what, target): (&str, Option<f64>), at: usize, values: &[Values]) -> Result<Row> {
    let of = |variant: usize| values.get(variant).and_then(|values| values.get(at));
    let (floor, present) = (of(0).context("no floor")?, of(1).context("no plugin")?);
    let older = if values.len() > 3 { of(2) } else { None };
    let none = of(values.len() - 1).context("no variant")?;
    let floor_name = format!("an empty plugin (no plugin: {})", Row::time(none));
    Ok(Row::new(what, &floor_name, floor, present, older.map(Vec::as_slice), target))
}
