//! The table in the README, between two markers.

use super::tables::{signed, time};
use crate::experiments::{images, users};
use crate::results::Results;
use anyhow::{Context, Result};
use std::fmt::Write;

const START: &str = "<!-- made by make bench-page -->\n";
const END: &str = "<!-- until here -->\n";

/// Returns the README with the table of these results.
pub(super) fn renewed(readme: &str, results: &Results) -> Result<String> {
    let (before, rest) = readme.split_once(START).context("README.md: no mark for the table")?;
    let (_, after) = rest.split_once(END).context("README.md: no end of the table")?;
    Ok(format!("{before}{START}{}{END}{after}", table(results)?))
}

/// The gains and the cost, as a table.
pub(super) fn table(results: &Results) -> Result<String> {
    let mut text = "|  | without | with sifcache |\n| --- | --- | --- |\n".to_owned();
    for size in images::SIZES.iter().skip(1) {
        if let Ok(group) = results.group(&format!("an image of {size} MB")) {
            let [first, with] =
                [group.line(0)?, group.line(2)?].map(|line| time(line.seconds.median));
            let _ = writeln!(text, "| first start of each user, {size} MB | {first} | {with} |");
        }
    }
    for count in users::COUNTS.iter().skip(1) {
        if let Ok(group) = results.group(&format!("{count} users at once")) {
            let cell = |at: usize| -> Result<String> {
                let line = group.line(at)?;
                let left = line.gauge.unwrap_or_default();
                Ok(format!("{}, {left:.0} MB left in their homes", time(line.seconds.median)))
            };
            let image = users::IMAGE;
            let _ = writeln!(
                text,
                "| {count} users start {image} MB at once | {} | {} |",
                cell(0)?,
                cell(1)?
            );
        }
    }
    text.push_str("| docker.io is unreachable | fails | runs |\n");
    // In a fixed order, the cleanup after a step changes the time of the next one by more than the plugin.
    if results.shuffled {
        let step = results.group("srun true")?;
        let more = step.line(2)?.more.context("no difference")?;
        let (without, more) = (time(step.line(0)?.seconds.median), signed(more.median));
        let _ = writeln!(text, "| `srun` of any other command | {without} | {more} |");
    }
    Ok(text)
}
