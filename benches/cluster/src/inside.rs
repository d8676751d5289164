//! The part that runs on a host of the cluster. It times commands directly, without a process of
//! the testbed around them.

use crate::experiment::{Experiment, Taken, Timed, Variant};
use crate::shuffle::Shuffle;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const PLUGSTACK: &str = "/etc/slurm/plugstack.conf";

/// Reads an experiment from standard input and prints the measurements of its variants, as JSON.
#[expect(clippy::print_stdout, reason = "its output is read through a pipe")]
pub(crate) fn run() -> Result<()> {
    let experiment: Experiment = serde_json::from_reader(std::io::stdin().lock())?;
    let taken = measure(&experiment, once_with_gauge)?;
    println!("{}", serde_json::to_string(&taken)?);
    Ok(())
}

/// Calls `run` for each variant once per round, which returns the seconds and the gauge.
fn measure(
    experiment: &Experiment,
    mut run: impl FnMut(&Variant) -> Result<(f64, Option<f64>)>,
) -> Result<Vec<Taken>> {
    let mut taken: Vec<Taken> = experiment
        .variants
        .iter()
        .map(|v| Taken { name: v.name.clone(), seconds: Vec::new(), gauge: Vec::new() })
        .collect();
    // The cleanup after a step slows down the next one, so none always follows the same one.
    let mut order = Shuffle::new(taken.len());
    for round in 0..experiment.warm_up + experiment.rounds {
        for at in order.next() {
            let (Some(variant), Some(taken)) = (experiment.variants.get(at), taken.get_mut(at))
            else {
                continue;
            };
            let (seconds, gauge) = run(variant)?;
            if round >= experiment.warm_up {
                taken.seconds.push(seconds);
                taken.gauge.extend(gauge);
            }
        }
    }
    Ok(taken)
}

fn once_with_gauge(variant: &Variant) -> Result<(f64, Option<f64>)> {
    let seconds = once(variant).with_context(|| variant.name.clone())?;
    Ok((seconds, variant.gauge.as_deref().map(gauge).transpose()?))
}

/// Seconds from the start of the first command to the end of the last.
///
/// # Errors
/// A command does not have the expected result.
pub(crate) fn once(variant: &Variant) -> Result<f64> {
    if let Some(text) = &variant.plugstack {
        fs::write(PLUGSTACK, text).context(PLUGSTACK)?;
    }
    if let Some(script) = &variant.before {
        shell(script)?;
    }
    let start = Instant::now();
    let started: Vec<Child> = variant.commands.iter().map(start_one).collect::<Result<_>>()?;
    let mut ended = Vec::with_capacity(started.len());
    for child in started {
        // The output of each command fits into a pipe, so no command waits for this loop.
        ended.push(child.wait_with_output()?);
    }
    let seconds = start.elapsed().as_secs_f64();
    for (command, output) in variant.commands.iter().zip(ended) {
        let mut said = output.stdout;
        said.extend(output.stderr);
        let said = String::from_utf8_lossy(&said);
        ensure!(
            output.status.code() == Some(command.status) && said.contains(&command.says),
            "{}: {}, not status {} and '{}': {said}",
            command.words.join(" "),
            output.status,
            command.status,
            command.says
        );
    }
    Ok(seconds)
}

fn start_one(timed: &Timed) -> Result<Child> {
    let (Some(program), arguments) = (timed.words.first(), timed.words.get(1..)) else {
        bail!("a command without words");
    };
    let mut command = Command::new(program);
    command.args(arguments.unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(user) = &timed.user {
        let home = format!("/home/{}", user.name);
        command.uid(user.id).gid(user.id).current_dir(&home).env("HOME", &home);
        command.env("USER", &user.name).env("LOGNAME", &user.name);
    }
    for (name, value) in &timed.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.spawn().with_context(|| program.clone())
}

fn shell(script: &str) -> Result<String> {
    let mut child = Command::new("bash").args(["-c", script]).stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut said)?;
    }
    let status = child.wait()?;
    ensure!(status.success(), "{script}: {status}");
    Ok(said)
}

fn gauge(script: &str) -> Result<f64> {
    let said = shell(script)?;
    said.trim().parse().with_context(|| format!("{script}: {said}"))
}

#[cfg(test)]
mod tests {
    use super::measure;
    use crate::experiment::{Experiment, Timed, Variant};
    use std::collections::BTreeSet;

    const NAMES: [&str; 3] = ["a", "b", "c"];

    fn experiment(warm_up: usize, rounds: usize) -> Experiment {
        let variants = NAMES.map(|name| Variant::new(name, Timed::new("true"))).into();
        Experiment { name: String::new(), warm_up, rounds, variants, compared: true }
    }

    /// The names of the variants in the order in which they run.
    fn order(experiment: &Experiment) -> Vec<String> {
        let mut order = Vec::new();
        measure(experiment, |variant| {
            order.push(variant.name.clone());
            Ok((0.0, None))
        })
        .unwrap();
        order
    }

    #[test]
    fn each_round_has_every_variant_once() {
        let order = order(&experiment(2, 30));
        assert_eq!(order.len(), 32 * NAMES.len());
        for round in order.chunks(NAMES.len()) {
            assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), NAMES.len(), "{round:?}");
        }
    }

    #[test]
    fn each_variant_follows_each_variant() {
        let order = order(&experiment(0, 30));
        let rounds: BTreeSet<_> = order.chunks(NAMES.len()).collect();
        assert_eq!(rounds.len(), 6);
        let pairs: BTreeSet<_> = order.windows(2).collect();
        assert_eq!(pairs.len(), NAMES.len() * NAMES.len());
    }

    #[test]
    fn each_variant_has_its_own_values_in_the_order_of_the_rounds() {
        let mut runs = NAMES.map(|_| 0.0);
        let taken = measure(&experiment(2, 3), |variant| {
            let at = NAMES.iter().position(|name| *name == variant.name).unwrap();
            runs[at] += 1.0;
            Ok((runs[at] + 100.0 * at as f64, Some(runs[at])))
        })
        .unwrap();
        for (at, (taken, name)) in taken.iter().zip(NAMES).enumerate() {
            let first = 100.0 * at as f64;
            assert_eq!(taken.name, name);
            assert_eq!(taken.seconds, [first + 3.0, first + 4.0, first + 5.0]);
            assert_eq!(taken.gauge, [3.0, 4.0, 5.0]);
        }
    }
}
