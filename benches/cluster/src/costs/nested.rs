//! The shim and the interposer, in a job step: whole programs, measured by `benches/host/programs.c`.

use super::install::{BARE_SHIM, FILE, IMAGE, IN_MEMORY, Installed};
use super::install::{NOTHING, PRELOAD, PROGRAMS, ROOT};
use super::part::{Bare, Cost, NO_DISK, Part};
use crate::site::{LAUNCHER, LINE};
use crate::statistics::{difference, summary};
use crate::testbed;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;

/// The output for one program.
#[derive(Deserialize)]
struct Ran {
    page_faults: f64,
    calls: f64,
    instructions: f64,
    us: Vec<f64>,
}

/// A program: variables, and its command line.
type Words = Vec<String>;

/// Measures `runs` runs of each program.
///
/// # Errors
/// A program fails.
pub(super) fn measure(runs: usize, builds: &[Installed]) -> Result<Vec<Part>> {
    fs::write(testbed::at("ctl", "/etc/slurm/plugstack.conf")?, LINE).context("plugstack.conf")?;
    let mut parts = Vec::new();
    for (name, root, words, helper) in [
        ("default settings", ROOT, "", ""),
        (NO_DISK, IN_MEMORY, "", "helper"),
        ("`lookup_timeout=off syslog=off`", ROOT, "lookup_timeout=off syslog=off", ""),
    ] {
        let settings = format!("image_root={root} {words}");
        let mut programs = vec![floor_of_shim(), bare_shim(&format!("{settings} {helper}"))];
        programs.extend(builds.iter().map(|build| shim(build, &settings)));
        let mut ran = run(runs, &programs)?;
        let bare = ran.remove(1);
        let floor = "a program that only executes the runtime";
        let mut part = part(&format!("the shim, {name}"), floor, &ran)?;
        let above = ran.first().map(|floor| difference(&bare.us, &floor.us));
        part.bare = Some(Bare {
            name: "the same system calls, in C".to_owned(),
            cost: Cost { more: above, ..cost(&bare) },
        });
        parts.push(part);
    }
    let loaded = |library: &str| vec![format!("LD_PRELOAD={library}"), "/usr/bin/true".to_owned()];
    let mut programs = vec![loaded(PRELOAD), vec!["/usr/bin/true".to_owned()]];
    programs.extend(builds.iter().map(|build| loaded(&build.interposer)));
    let mut ran = run(runs * 2, &programs)?;
    let without = ran.remove(1);
    parts.push(part("a program with `nested=preload`", "an empty library in LD_PRELOAD", &ran)?);
    ran.truncate(1);
    ran.insert(0, without);
    parts.push(part("a program with an empty library in LD_PRELOAD", "no LD_PRELOAD", &ran)?);
    Ok(parts)
}

/// The variables and the arguments of a launch.
fn launch(path: &str, program: &str, more: &[String]) -> Words {
    let variables = [format!("PATH={path}:/opt/nothing:/usr/bin:/bin")];
    let words = [program, "exec", IMAGE, "true"].map(str::to_owned);
    [&variables, more, &words].concat()
}

fn floor_of_shim() -> Words {
    launch("/opt", LAUNCHER, &[format!("REAL_RUNTIME={NOTHING}")])
}

fn bare_shim(settings: &str) -> Words {
    let words = format!("BARE={settings} image={FILE}");
    launch("/opt", BARE_SHIM, &[format!("REAL_RUNTIME={NOTHING}"), words])
}

fn shim(build: &Installed, settings: &str) -> Words {
    let variable = format!("SINGULARITY_SIFCACHE={}", settings.trim_end());
    launch(&build.shims, &format!("{}/apptainer", build.shims), &[variable])
}

/// Runs the programs in turn, in a job step of user alice on n1.
fn run(runs: usize, programs: &[Words]) -> Result<Vec<Ran>> {
    let mut words = vec!["srun", "--quiet", "-w", "n1", "env", "-u", "LD_PRELOAD", PROGRAMS];
    let runs = runs.to_string();
    words.extend(["--runs", &runs]);
    for program in programs {
        words.push("--");
        words.extend(program.iter().map(String::as_str));
    }
    let said = testbed::by_user("alice", &words)?;
    serde_json::from_str(&said).with_context(|| said.clone())
}

/// A part from the floor, the present build and the older one.
fn part(name: &str, floor_name: &str, ran: &[Ran]) -> Result<Part> {
    let floor = ran.first().context("no floor")?;
    let above = |ran: &Ran| Cost { more: Some(difference(&ran.us, &floor.us)), ..cost(ran) };
    Ok(Part {
        name: name.to_owned(),
        floor_name: floor_name.to_owned(),
        floor: cost(floor),
        bare: None,
        present: above(ran.get(1).context("no program")?),
        older: ran.get(2).map(above),
    })
}

fn cost(ran: &Ran) -> Cost {
    Cost {
        us: summary(&ran.us).median,
        faults: ran.page_faults,
        instructions: ran.instructions,
        calls: ran.calls,
        names: BTreeMap::new(),
        more: None,
    }
}
