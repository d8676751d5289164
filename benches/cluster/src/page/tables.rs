//! The tables of the page.

use crate::budgets;
use crate::hooks::STAGES;
use crate::results::{Group, Line, Results};
use anyhow::Result;
use std::fmt::Write;

/// The machine and the software of the measurements.
pub(super) fn machine(results: &Results) -> String {
    let mut text = "## Machine and software\n\n| | |\n| --- | --- |\n".to_owned();
    for (what, value) in &results.machine {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    text.push('\n');
    text
}

/// The budgets.
pub(super) fn budgets(results: &Results) -> Result<String> {
    let head = "| quantity | budget | measured | within budget |\n| --- | --- | --- | --- |\n";
    let mut text = format!(
        "## Budgets\n\nThe targets of times are in [costs.md](costs.md), next to their floors.\n\n{head}"
    );
    for budget in budgets::all(results)? {
        let kept = if budget.kept { "yes" } else { "**no**" };
        let _ =
            writeln!(text, "| {} | {} | {} | {kept} |", budget.what, budget.limit, budget.found);
    }
    text.push('\n');
    Ok(text)
}

/// The experiments on the cluster.
pub(super) fn groups(results: &Results) -> String {
    let mut text = "## On a cluster\n\n\
        *With the SIF's path* is a launch of a SIF file by its path, without a lookup. The *shell wrapper* is one that a site\n\
        could write by hand to replace a reference with a path.\n\n".to_owned();
    for group in &results.groups {
        text.push_str(&one_group(group, &results.sif_sizes));
    }
    text
}

fn one_group(group: &Group, sizes: &[(u32, f64)]) -> String {
    let gauged = group.variants.iter().any(|line| line.gauge.is_some());
    let homes = if gauged { " in their homes |" } else { "" };
    let rounds = group.variants.first().map_or(0, |line| line.seconds.count);
    let size = sizes.iter().find(|(size, _)| group.name == format!("an image of {size} MB"));
    let sif = size.map_or(String::new(), |(_, sif)| format!(", {sif:.0} MB as SIF"));
    let mut text = format!(
        "### {}{sif}: {rounds} rounds\n\n| | median | 10 % | 90 % | more |{homes}\n",
        capital(&group.name)
    );
    text.push_str(&"| --- ".repeat(5 + usize::from(gauged)));
    text.push_str("|\n");
    for line in &group.variants {
        text.push_str(&row(line));
    }
    text.push('\n');
    let mut commands: Vec<&str> = group.variants.iter().map(|line| line.command.as_str()).collect();
    commands.dedup();
    for command in commands {
        let _ = writeln!(text, "    {command}");
    }
    text.push('\n');
    text
}

fn row(line: &Line) -> String {
    let more = line.more.map_or(String::new(), |more| {
        let [median, low, high] = [more.median, more.low, more.high].map(signed);
        format!("{median} ({low} to {high})")
    });
    let gauge = line.gauge.map_or(String::new(), |megabytes| format!(" {megabytes:.0} MB |"));
    let [median, p10, p90] = [line.seconds.median, line.seconds.p10, line.seconds.p90].map(time);
    format!("| {} | {median} | {p10} | {p90} | {more} |{gauge}\n", line.name)
}

/// The measurements of the hooks in the host program.
pub(super) fn hooks(results: &Results) -> String {
    let mut text = format!(
        "## Hooks without Slurm\n\nMeasured on a node, in a program that loads plugins as \
         slurmstepd does (`benches/host`). Each \
         cell has the\nmedian time in microseconds, the 10th and the 90th percentile, and the number of system \
         calls. `task_init` runs in a\nforked child, in which the first access to a page costs a page fault; \
         this also applies to an empty hook.\n\n| | {} |\n{}|\n",
        STAGES.join(" | "),
        "| --- ".repeat(STAGES.len() + 1)
    );
    for hooks in &results.hooks {
        let cell = |stage: &crate::hooks::Stage| {
            format!(
                "{:.1} ({:.1} to {:.1}), {:.0} calls",
                stage.median, stage.p10, stage.p90, stage.calls
            )
        };
        let cells: Vec<String> = hooks.stages.iter().map(cell).collect();
        let _ = writeln!(text, "| {} | {} |", hooks.name, cells.join(" | "));
    }
    text.push('\n');
    text
}

/// System calls on the cluster.
pub(super) fn calls(results: &Results) -> String {
    let mut text = "## System calls of a step\n\nCounted by strace on the cluster. The column *added* has the calls that the plugin \
         adds in the task's process,\nbetween fork and `execve`. The columns *slurmstepd* and *srun* have the \
         numbers of all calls in their main threads,\nwithout and with the plugin (medians). In the rows of a hit \
         and a miss, `write` is slurmstepd's own log.\n\n\
         | task | added | slurmstepd | srun |\n\
         | --- | --- | --- | --- |\n"
        .to_owned();
    for added in &results.calls {
        let one = |(name, count): (&String, &i64)| format!("{count} {name}");
        let total: i64 = added.in_task.values().sum();
        let names: Vec<String> = added.in_task.iter().map(one).collect();
        let names = if names.is_empty() {
            "nothing".to_owned()
        } else {
            format!("{total}: {}", names.join(", "))
        };
        let both = |(without, with): (f64, f64)| format!("{without:.0}, {with:.0}");
        let _ = writeln!(
            text,
            "| {} | {names} | {} | {} |",
            added.task,
            both(added.slurmstepd),
            both(added.srun),
        );
    }
    text.push('\n');
    text
}

/// The benchmarks within a process.
pub(super) fn in_process(results: &Results) -> String {
    let mut text = "## In a process\n\nMeasured by criterion with warm caches: medians and their 95 % confidence intervals. A decision \
         parses the command\nline and the reference, and looks up the image. With several roots, the image is in \
         the last one.\n\n\
         | | median | low | high |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for found in &results.in_process {
        let [median, low, high] = [found.median, found.low, found.high].map(|ns| time(ns / 1e9));
        let _ = writeln!(text, "| {} | {median} | {low} | {high} |", found.name.replace('/', ": "));
    }
    text.push('\n');
    text
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| match text.starts_with("srun") {
        true => first,
        false => first.to_ascii_uppercase(),
    });
    first.into_iter().chain(characters).collect()
}

/// Formats a time in a suitable unit, with three significant digits.
pub(crate) fn time(seconds: f64) -> String {
    let (value, unit) = match seconds.abs() {
        size if size >= 1.0 => (seconds, "s"),
        size if size >= 1e-3 => (seconds * 1e3, "ms"),
        size if size >= 1e-6 => (seconds * 1e6, "µs"),
        _ => (seconds * 1e9, "ns"),
    };
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0} {unit}"),
        size if size >= 10.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    }
}

/// The same with a plus sign.
pub(crate) fn signed(seconds: f64) -> String {
    if seconds > 0.0 { format!("+{}", time(seconds)) } else { time(seconds) }
}

#[cfg(test)]
mod tests {
    use super::{signed, time};

    #[test]
    fn times_have_three_digits() {
        for (seconds, text) in [
            (0.0345, "34.5 ms"),
            (12.34, "12.3 s"),
            (0.000_000_4, "400 ns"),
            (0.000_015, "15.0 µs"),
            (0.145, "145 ms"),
        ] {
            assert_eq!(time(seconds), text);
        }
        assert_eq!([signed(0.0012), signed(-0.0012)], ["+1.20 ms", "-1.20 ms"]);
    }
}
