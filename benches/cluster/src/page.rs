//! Generates docs/evidence/benchmarks.md and the table in the README.

mod readme;
mod tables;

pub(crate) use tables::{signed, time};

use crate::budgets;
use crate::chart;
use crate::results::Results;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Writes everything that is generated from results, below the project's directory.
pub(crate) fn write(results: &Results, project: &Path) -> Result<()> {
    let put = |name: &str, text: &str| {
        let path = project.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    };
    let readme = project.join("README.md");
    let old = fs::read_to_string(&readme).with_context(|| readme.display().to_string())?;
    put("docs/evidence/benchmarks.md", &page(results)?)?;
    put("docs/evidence/benchmarks.svg", &chart::draw(results)?)?;
    put("README.md", &readme::renewed(&old, results)?)
}

const TITLE: &str = "# Benchmarks

`make bench` measured all figures on this page in one run, whose results are in `docs/evidence/benchmarks.json`. The
variants in a table took turns, because the load of a machine changes. Compare figures only within a table, not between
machines.

";

/// The paragraph about the order of the variants.
const SHUFFLED: &str =
    "On the cluster and in the hooks without Slurm, the order of the variants is shuffled in each round, because the cleanup
after one step can slow down the next one. The seed is fixed, so all runs have the same orders.

";

/// The same for results of older benchmarks.
const ROTATED: &str =
    "Each round had the same order of variants and began with another one, so a variant always followed the same other one.
The cleanup after a step slows down the next one: for a difference below a millisecond, see [costs.md](costs.md), where
the order is shuffled.

";

const TERMS: &str = "Times are medians, with the 10th and the 90th percentile. The column *more* has the difference from the first line of
the table: the median over all rounds, and its 95 % confidence interval. The terms *hit*, *miss*, *pass*, *shim* and
*interposer* are in the [glossary](../architecture.md#glossary).

![Start times of containers with and without sifcache](benchmarks.svg)

";

const REPEAT: &str = "## Repeat the measurements

    make bench                       # everything, about 20 minutes on an idle machine
    make bench QUICK=1               # two rounds of each, only to test the benchmarks
    make bench PLUGIN='/usr/lib/x86_64-linux-gnu/slurm-wlm/other.so its=arguments'   # also another plugin

The results are written to `target/bench/results.json`. `make bench-page` generates this page, the chart and the table
in the README from `docs/evidence/benchmarks.json`. `benches/cluster` measures on the testbed, `benches/host` loads a
plugin as Slurm does, and `benches/cluster/benches/decide.rs` has the benchmarks that criterion runs.
";

fn page(results: &Results) -> Result<String> {
    let parts = [
        TITLE.to_owned(),
        if results.shuffled { SHUFFLED } else { ROTATED }.to_owned(),
        TERMS.to_owned(),
        summary(results)?,
        tables::machine(results),
        tables::budgets(results)?,
        tables::groups(results),
        tables::hooks(results),
        tables::calls(results),
        tables::in_process(results),
        REPEAT.to_owned(),
    ];
    Ok(parts.concat())
}

/// The table of the README, and how many budgets are kept.
fn summary(results: &Results) -> Result<String> {
    let budgets = budgets::all(results)?;
    let kept = budgets.iter().filter(|budget| budget.kept).count();
    let table = readme::table(results)?;
    Ok(format!(
        "## Summary

{table}
Without sifcache, the first start of an image downloads and converts it. With sifcache, the task starts from the site's
SIF file. For the cost for job steps that start no container, see [costs.md](costs.md).

This run meets {kept} of {all} [budgets](#budgets). The sections on the cluster show each experiment with the
commands that it compares; the other sections measure the plugin without Slurm, and the parts of a decision.
[Repeat the measurements](#repeat-the-measurements) shows how to measure another machine.

",
        all = budgets.len(),
    ))
}

#[cfg(test)]
mod tests {
    use super::{readme, write};
    use crate::results::Results;
    use crate::testbed::project;
    use std::fs;

    /// The text in docs/ and the README is exactly what the results yield.
    #[test]
    fn generated_files_match_the_results() {
        let copy = std::env::temp_dir().join(format!("benchmarks-{}", std::process::id()));
        fs::create_dir_all(copy.join("docs/evidence")).unwrap();
        fs::copy(project().join("README.md"), copy.join("README.md")).unwrap();
        let results = Results::read(&project().join("docs/evidence/benchmarks.json")).unwrap();
        write(&results, &copy).unwrap();
        for name in ["README.md", "docs/evidence/benchmarks.md", "docs/evidence/benchmarks.svg"] {
            let read =
                |directory: &std::path::Path| fs::read_to_string(directory.join(name)).unwrap();
            assert!(
                read(&copy) == read(&project()),
                "{name} differs from the output of `make bench-page`"
            );
        }
        fs::remove_dir_all(copy).unwrap();
    }

    /// In a fixed order, a small difference shows mostly which variant came before.
    #[test]
    fn small_differences_are_shown_only_if_the_order_was_shuffled() {
        let results = Results::read(&project().join("docs/evidence/benchmarks.json")).unwrap();
        for shuffled in [false, true] {
            let table = readme::table(&Results { shuffled, ..results.clone() }).unwrap();
            assert_eq!(table.contains("| `srun` of any other command |"), shuffled, "{table}");
        }
    }
}
