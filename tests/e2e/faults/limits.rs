//! Tasks whose limits allow no more memory, files or processes.
//!
//! Slurm sets a user's limits right before the `execve`, after the plugins. The plugin itself is
//! therefore subject only to limits that another plugin, or PAM, has set before.

use super::second_plugin::{self, PROGRAM, RUNTIME};
use super::table::{Found, compare};
use super::{NAME, WITHOUT, meets_each, ours, seen, settled, unharmed, with};
use crate::kit::quiet::Quiet;
use crate::kit::{IMAGE, Output, SHARED, Site};

/// plugstack.conf without the plugin and with it, after a plugin that lowers `limit`.
fn after(limit: &str) -> [String; 2] {
    [second_plugin::then(limit, WITHOUT), second_plugin::then(limit, &with())]
}

/// A launch with two tasks, because Slurm does more work in the first task of a node.
fn launch(site: &Site, _: &String) -> Output {
    second_plugin::launch(site, &["-n2"])
}

/// Two tasks that are not launches, so that the plugin adds the shim to their environment.
fn program(site: &Site, _: &String) -> Output {
    site.srun(&["-w", "n1", "-n2", PROGRAM])
}

fn site() -> Site {
    let site = Site::new("");
    second_plugin::install();
    site.store(IMAGE, NAME);
    site
}

/// The same program with a `PATH` that is too long for the plugin's own memory.
fn long_path(site: &Site, _: &String) -> Output {
    let script = format!("PATH=$PATH:/$(printf %0100000d 0); exec srun -w n1 -n2 {PROGRAM}");
    site.alice(&["sh", "-c", &script])
}

/// With such low limits for address space or data, malloc has only the memory that it already
/// holds. Another plugin takes all of this memory except for a piece of the given number of bytes.
/// Slurm needs 256 KiB of it for the first task of a node, and a few bytes for each task. The exact
/// threshold shifts by some hundred bytes depending on what is loaded before, because this shifts
/// the gaps in the heap. The limit for data includes what slurmstepd already uses, so it is large.
#[test]
#[ignore = "needs a testbed: make test"]
fn no_memory() {
    let site = site();
    let left = [0, 2000, 8000, 261_000, 265_000, 270_000, 1 << 20, 2 << 20];
    let limits = ["as=2000000", "data=400000000"]
        .map(|limit| left.map(|left| format!("{limit} left={left}")))
        .concat();
    meets_each(&site, "no memory: a launch", &limits, |limit| after(limit), launch);
    meets_each(&site, "no memory: a program", &limits, |limit| after(limit), program);
    let fault = "no memory: a program with a `PATH` of 100 KB";
    meets_each(&site, fault, &limits, |limit| after(limit), long_path);
}

/// The exact threshold for the program itself is between these values.
#[test]
#[ignore = "needs a testbed: make test"]
fn little_address_space() {
    let site = site();
    let sizes = [800, 1000, 1100, 1500, 4000, 20_000, 100_000];
    let limits = sizes.map(|size| format!("as={}", size << 10));
    meets_each(&site, "little address space: a launch", &limits, |limit| after(limit), launch);
    meets_each(&site, "little address space: a program", &limits, |limit| after(limit), program);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn no_descriptors_or_processes() {
    let site = site();
    let limits = [0, 3, 5, 10, 15].map(|most| format!("nofile={most}"));
    meets_each(&site, "few file descriptors", &limits, |limit| after(limit), launch);
    let limits = [0, 1].map(|most| format!("nproc={most}"));
    meets_each(&site, "no new processes", &limits, |limit| after(limit), launch);
    let limits = [64, 256, 1024].map(|size| format!("stack={}", size << 10));
    meets_each(&site, "little stack", &limits, |limit| after(limit), launch);
}

/// A process that writes beyond the limit is ended by a signal. This also applies to Slurm's own
/// log messages, so the log level is lowered until a task writes nothing without the plugin.
#[test]
#[ignore = "needs a testbed: make test"]
fn no_files() {
    let site = site();
    let Some(_quiet) = Quiet::new(&site) else { return };
    let path = site.store(IMAGE, "o/cut:1");
    std::fs::write(path, "no image").unwrap();
    let limits = [0, 1 << 30].map(|size| format!("fsize={size}"));
    meets_each(&site, "file size limit: a hit", &limits, |limit| after(limit), launch);
    let refused = |site: &Site, _: &String| {
        site.srun(&["-w", "n1", "-n2", RUNTIME, "exec", "docker://o/cut:1", "true"])
    };
    meets_each(&site, "file size limit: a refused image", &limits, |limit| after(limit), refused);
}

/// Limits of the submitting shell, which the task gets at its `execve`. The runtime runs as the
/// task itself, on a terminal, and as one of several programs.
#[test]
#[ignore = "needs a testbed: make test"]
fn propagated() {
    let site = site();
    let file = "/home/alice/several.conf";
    let several = format!("0 {RUNTIME} exec docker://{NAME} true\n");
    std::fs::write(site.at("ctl", file), several).unwrap();
    let task = format!("{RUNTIME} exec docker://{NAME} true");
    let mut cases = Vec::new();
    for limit in ["-n 24", "-f 0", "-s 100", "-v 2000000", "-d 500000", "-u 2000"] {
        for step in [&task, &format!("--pty {task}"), &format!("--multi-prog {file}")] {
            cases.push(format!("ulimit -S {limit}; exec srun -w n1 -n1 --propagate=ALL {step}"));
        }
    }
    let lines = |_: &String| [WITHOUT.to_owned(), with()];
    let fault = "low limits in the submitting shell, `--propagate`";
    meets_each(&site, fault, &cases, lines, |site, case| site.alice(&["sh", "-c", case]));
}

/// The same with a limit that a script sets; here the shim is subject to the limit. The result is
/// compared with a launch by path, because a pull would need more resources.
#[test]
#[ignore = "needs a testbed: make test"]
fn in_a_script() {
    let site = site();
    // Far above or far below what is needed: the number of threads that the runtime starts varies,
    // and each reserves 128 MiB of address space.
    let limits = ["-v 200000", "-v 20000000", "-n 5", "-n 64", "-u 0", "-u 2000"];
    for (nested, fault) in [
        ("path", "low limits in a script, `nested=path`"),
        ("preload", "low limits in a script, `nested=preload`"),
    ] {
        let launch = |site: &Site, limit: &str, image: &str| {
            let start = if nested == "path" { "" } else { "/usr/bin/" };
            let script = format!("ulimit {limit} && exec {start}apptainer exec {image} echo ran");
            site.srun(&["-w", "n1", "sh", "-c", &script])
        };
        let before = seen(&site);
        let mut ran = 0;
        for limit in limits {
            site.plugstack(WITHOUT);
            let without = launch(&site, limit, &format!("{SHARED}/{NAME}"));
            site.plugstack(&format!("{} nested={nested}\n", with().trim_end()));
            let with = launch(&site, limit, &format!("docker://{NAME}"));
            // The error messages of a runtime that lacks resources differ each time.
            let ran_alike = (with.status == 0, &with.stdout);
            assert_eq!(ran_alike, (without.status == 0, &without.stdout), "{limit}: {with:#?}");
            ran += usize::from(with.status == 0);
        }
        let found = Found {
            without: format!("launch by path: {ran} of {} run", limits.len()),
            with: format!("the same {ran} run"),
            user: String::new(),
            admin: ours(&settled(&site, &before)),
        };
        compare(fault, &found);
    }
    unharmed(&site);
}
