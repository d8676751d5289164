//! Generates docs/evidence/costs.md.

use super::part::Part;
use super::row::{Row, Shown, Value};
use super::{Costs, profile};
use std::fmt::Write;

const TITLE: &str = "# Costs above a floor

`make bench` writes this page. Some costs are those of any plugin, of any library in `LD_PRELOAD` or of any program
before the runtime. Each row compares sifcache with such a floor, which was measured in the same run; the variants took
turns. Values are medians. For a difference of whole programs, the 95 % confidence interval is in parentheses.

";

const REPEAT: &str = "## Repeat the measurements

    make bench-costs BASELINE=v0.2.0    # also builds this older commit, and measures it in the same run
    make bench-scale                    # only the rows of the command
    make profile                        # prints only the parts of a launch, in a minute

`SRUN_ROUNDS`, `RUNS`, `IMAGES`, `LINES` and `SCALE_ROUNDS` change the numbers.
";

/// The whole page. Parts that were not measured are left out.
pub(super) fn page(costs: &Costs) -> String {
    let mut text = TITLE.to_owned();
    text.push_str(&result(costs));
    if let Some(parts) = &costs.parts {
        text.push_str("## Parts of a launch\n\n\
            Page faults, instructions in user mode and system calls do not depend on the load of the machine.\n\n");
        text.push_str(&profile::table(&parts.parts, &parts.measured.older_name()));
        text.push_str(&parts.libraries);
        text.push('\n');
    }
    text + REPEAT
}

fn result(costs: &Costs) -> String {
    let mut text = String::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut measured = Vec::new();
    if let Some(parts) = &costs.parts {
        rows.extend(parts.parts.iter().filter_map(of_part));
        measured.push(("parts of a launch", &parts.measured));
    }
    for (name, group) in [("`srun true`", &costs.srun), ("the command", &costs.scale)] {
        if let Some(group) = group {
            rows.extend(group.rows.iter().cloned());
            measured.push((name, &group.measured));
        }
    }
    let older = measured.iter().any(|(_, measured)| measured.older.is_some());
    let _ = writeln!(
        text,
        "| what | floor |{} today above the floor | target |\n| --- | --- |{} --- | --- |",
        if older { " older commit above the floor |" } else { "" },
        if older { " --- |" } else { "" }
    );
    for row in &rows {
        let before = match (older, row.older) {
            (false, _) => String::new(),
            (true, None) => "  |".to_owned(),
            (true, Some(value)) => format!(" {} |", row.cell(value)),
        };
        let (floor, today) = (row.floor_cell(), row.cell(row.present));
        let _ =
            writeln!(text, "| {} | {floor} |{before} {today} | {} |", row.what, row.target_cell());
    }
    text.push_str(
        "\n| measured | on | today | older commit | how often |\n| --- | --- | --- | --- | --- |\n",
    );
    for (name, on) in measured {
        let (present, older) = (&on.present, on.older_name());
        let _ = writeln!(text, "| {name} | {} | {present} | {older} | {} |", on.date, on.rounds);
    }
    text.push('\n');
    text
}

/// The parts with a row in the result, and their targets in microseconds.
const TARGETS: [(&str, f64); 6] = [
    ("loading the library", 25.0),
    ("`task_init`, no launch", 15.0),
    ("`task_init`, a hit, default settings", 120.0),
    ("`task_init`, a hit, `lookup_timeout=off syslog=off`", 40.0),
    ("the shim, default settings", 200.0),
    ("a program with `nested=preload`", 20.0),
];

fn of_part(part: &Part) -> Option<Row> {
    let (_, target) = TARGETS.iter().find(|(name, _)| *name == part.name)?;
    let value = |cost: &super::part::Cost| Value {
        median: cost.us / 1e6,
        above: cost.above(&part.floor) / 1e6,
        interval: cost.more.map(|more| (more.low / 1e6, more.high / 1e6)),
        cpu: None,
    };
    Some(Row {
        what: part.name.clone(),
        floor_name: part.floor_name.clone(),
        floor: Some(part.floor.us / 1e6),
        older: part.older.as_ref().map(value),
        present: value(&part.present),
        target: Some(target / 1e6),
        shown: Shown::Above,
        floor_cpu: None,
    })
}
