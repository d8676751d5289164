//! Generates docs/evidence/costs.md.

use super::part::Part;
use super::plugin::INHERITED;
use super::row::{Row, Shown, Value};
use super::{Costs, profile};
use std::fmt::Write;

const TITLE: &str = "# Costs above a floor

`make bench` writes this page. Some costs are those of any plugin, of any library in `LD_PRELOAD` or of any program
before the runtime. Each row compares sifcache with such a floor, which was measured in the same run; the variants took
turns. The column *at least* has, above the floor, the cost of a plugin or program that decides nothing: it makes the
system calls or sets the variables of its row, in C, or only catches panics, in Rust. Values are medians. For a
difference of whole programs, the 95 % confidence interval is in parentheses. After they were installed, the kernel read
all files again, as after a boot.

";

const REPEAT: &str = "## Repeat the measurements

    make bench-costs BASELINE=v0.2.0    # also builds this older commit, and measures it in the same run
    make bench-scale                    # only the rows of the command
    make profile                        # prints only the parts of a launch, in three minutes

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
        "| what | floor | at least |{} today above the floor | target |\n| --- | --- | --- |{} --- | --- |",
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
        let bare = row.bare.map_or(String::new(), |value| row.cell(value));
        let (what, target) = (&row.what, row.target_cell());
        let _ = writeln!(text, "| {what} | {floor} | {bare} |{before} {today} | {target} |");
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
const TARGETS: [(&str, f64); 9] = [
    ("loading the library", 25.0),
    ("`task_init`, no launch", 15.0),
    (INHERITED, 15.0),
    ("`task_init`, a hit, default settings", 120.0),
    ("`task_init`, a hit, default settings, image root not on a local disk", 120.0),
    ("`task_init`, a hit, `lookup_timeout=off syslog=off`", 40.0),
    ("the shim, default settings", 200.0),
    ("the shim, default settings, image root not on a local disk", 200.0),
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
        bare: part.bare.as_ref().map(|bare| value(&bare.cost)),
        older: part.older.as_ref().map(value),
        present: value(&part.present),
        target: Some(target / 1e6),
        shown: Shown::Above,
        floor_cpu: None,
    })
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::costs::part::{Bare, Cost, Part};
    use crate::costs::row::{Row, Shown};
    use crate::costs::{Costs, Measured, Parts, Rows};

    fn measured(older: Option<&str>) -> Measured {
        Measured {
            date: "2026-11-29".to_owned(),
            present: "new".to_owned(),
            older: older.map(str::to_owned),
            rounds: "3 rounds".to_owned(),
        }
    }

    fn cost(us: f64) -> Cost {
        let names = [("read".to_owned(), 2)].into();
        Cost { us, faults: 7.0, instructions: 99.0, calls: 2.0, names, more: None }
    }

    fn costs(older: Option<&str>) -> Costs {
        let part = Part {
            name: "`task_init`, no launch".to_owned(),
            floor_name: "an empty plugin".to_owned(),
            floor: cost(10.0),
            bare: Some(Bare { name: "bare".to_owned(), cost: cost(22.0) }),
            present: cost(24.0),
            older: older.map(|_| cost(70.0)),
        };
        let srun = Row::new("srun", "a floor", &[1.0, 2.0, 3.0], &[1.5, 2.5, 3.5], None, Some(0.1));
        let list =
            Row { what: "list".to_owned(), shown: Shown::Times, target: Some(2.0), ..srun.clone() };
        Costs {
            parts: Some(Parts {
                measured: measured(older),
                parts: vec![part],
                libraries: String::new(),
            }),
            srun: Some(Rows { measured: measured(None), rows: vec![srun] }),
            scale: Some(Rows { measured: measured(None), rows: vec![list] }),
        }
    }

    #[test]
    fn rows_have_a_floor_and_a_target() {
        let text = page(&costs(None));
        for line in [
            "| what | floor | at least | today above the floor | target |",
            "| `task_init`, no launch | an empty plugin, 10.0 µs | +12.0 µs | +14.0 µs | +15.0 µs: met |",
            "| srun | a floor, 2.00 s |  | +500 ms (+500 ms to +500 ms) | +100 ms: **missed** |",
            "| list | a floor, 2.00 s |  | 2.50 s, 1.25 times | 2 times: met |",
            "| `task_init`, no launch | an empty plugin | 10.0 |  | 7 | 99 | 2 |",
            "|  | bare | 22.0 | +12.0 | 7 | 99 | 2 |",
            "|  | today | 24.0 | +14.0 | 7 | 99 | 2 |",
            "| `task_init`, no launch | 2 read |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    /// Rows that were measured without the older commit have an empty cell.
    #[test]
    fn an_older_commit_has_a_column() {
        let text = page(&costs(Some("old of 2026-11-01")));
        for line in [
            "| what | floor | at least | older commit above the floor | today above the floor | target |",
            "| `task_init`, no launch | an empty plugin, 10.0 µs | +12.0 µs | +60.0 µs | +14.0 µs | +15.0 µs: met |",
            "| srun | a floor, 2.00 s |  |  | +500 ms (+500 ms to +500 ms) | +100 ms: **missed** |",
            "|  | old of 2026-11-01 | 70.0 | +60.0 | 7 | 99 | 2 |",
            "| parts of a launch | 2026-11-29 | new | old of 2026-11-01 | 3 rounds |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
