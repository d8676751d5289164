//! The environment of a task: no /proc, environment variables or a command of the maximum size, and
//! an unusual plugstack.conf.

use super::second_plugin::{self, PROGRAM, RUNTIME};
use super::table::{Found, compare};
use super::{NAME, WITHOUT, as_asked, launch, meets, meets_each, unharmed, with, with_registry};
use crate::kit::{IMAGE, Output, SHARED, Site};
use std::fs;

/// A launch as a task, and launches in a script that gives the absolute path of the runtime.
#[test]
#[ignore = "needs a testbed: make test"]
fn no_proc() {
    let site = Site::new("");
    second_plugin::install();
    site.store(IMAGE, NAME);
    let start = format!("{RUNTIME} exec docker://{NAME} true");
    let script = format!("[ -e /proc/self ] || echo hidden; {start}; {start}");
    let lines = ["", " nested=path", " nested=preload"].map(|nested| {
        let with = format!("{}{nested}\n", with().trim_end());
        [WITHOUT, with.as_str()].map(|line| second_plugin::then("hide=/proc", line))
    });
    meets_each(&site, "`/proc` is not mounted", &lines, Clone::clone, |site, _| {
        let output = site.srun(&["-w", "n1", "sh", "-c", &script]);
        let ran = format!("ran exec docker://{NAME} true\n");
        assert_eq!(as_asked(&output), (0, format!("hidden\n{ran}{ran}")), "{output:#?}");
        second_plugin::launch(site, &[])
    });
}

/// Runs `srun STEP` as alice, with `bytes` additional bytes in its environment.
fn padded(site: &Site, bytes: usize, step: &str) -> Output {
    // The kernel allows 128 KiB for each variable.
    let pad = "import os, sys
bytes, step = int(sys.argv[1]), sys.argv[2]
for n in range(bytes // 100000): os.environ['X%d' % n] = 'x' * 100000
os.environ['X'] = 'x' * (bytes % 100000)
os.execvp('srun', ['srun', '-w', 'n1'] + step.split())";
    site.alice(&["python3", "-c", pad, &bytes.to_string(), step])
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_environment_of_1_mb() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let step = format!("apptainer exec docker://{NAME} cat /etc/image-name");
    with_registry(|| {
        meets(&site, "an environment of 1 MB", &with(), |site| {
            let output = padded(site, 1_000_000, &step);
            output.ran(IMAGE);
            output
        });
    });
}

/// The kernel and Slurm accept a word of 128 KiB, including its null byte.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_word_of_128_kib() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let word = "x".repeat((128 << 10) - 1);
    let words = ["apptainer", "exec", &format!("docker://{NAME}"), "sh", "-c", "echo ${#0}"];
    with_registry(|| {
        meets(&site, "an argument of 128 KiB, the kernel's limit", &with(), |site| {
            let task = site.srun(&[&["-w", "n1"], &words[..], &[&word]].concat());
            assert_eq!(task.stdout, "131071\n", "{task:#?}");
            let script = "\"$@\"; true";
            site.srun(&[&["-w", "n1", "sh", "-c", script, "sh"], &words[..], &[&word]].concat())
        });
    });
}

/// First finds the largest environment with which a step starts without the plugin. The environment
/// contains the job ID, so the last bytes are left out.
#[test]
#[ignore = "needs a testbed: make test"]
fn as_long_as_the_kernel_allows() {
    const SLACK: usize = 8;
    let site = Site::new("");
    second_plugin::install();
    site.store(IMAGE, NAME);
    let several = format!("0 {RUNTIME} exec docker://{NAME} true\n");
    fs::write(site.at("ctl", "/home/alice/several.conf"), several).unwrap();
    let launch = format!("{RUNTIME} exec docker://{NAME} true");
    let mut cases = Vec::new();
    site.plugstack(WITHOUT);
    for step in [&launch, PROGRAM, "-n1 --multi-prog several.conf"] {
        let (mut runs, mut fails) = (2_090_000, 2_097_152);
        while fails - runs > 1 {
            let middle = usize::midpoint(runs, fails);
            match padded(&site, middle, step).status {
                0 => runs = middle,
                _ => fails = middle,
            }
        }
        cases.extend([(runs - SLACK, step), (fails + SLACK, step)]);
    }
    let lines = |_: &(usize, &str)| [WITHOUT.to_owned(), with()];
    let fault = "an environment at the kernel's limit, and slightly above it";
    meets_each(&site, fault, &cases, lines, |site, (bytes, step)| padded(site, *bytes, step));
}

/// The variables that lead a script to the shim are part of its environment, and also count towards
/// the kernel's limit.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_last_bytes_in_a_script() {
    let site = Site::new("");
    second_plugin::install();
    let search = format!(
        "
import subprocess
runs, fails = 2090000, 2097152
while fails - runs > 1:
    middle = (runs + fails) // 2
    words = ['x' * 100000] * (middle // 100000) + ['x' * (middle % 100000)]
    try: subprocess.run(['{PROGRAM}'] + words, check=True, stdout=subprocess.DEVNULL); runs = middle
    except OSError: fails = middle
print(runs)"
    );
    let most = |line: &str| -> usize {
        site.plugstack(line);
        let output = site.srun(&["-w", "n1", "python3", "-c", &search]);
        output.stdout.trim_end().parse().unwrap_or_else(|_| panic!("{output:#?}"))
    };
    let without = most(WITHOUT);
    let less = ["path", "preload"]
        .map(|nested| without - most(&format!("{} nested={nested}\n", with().trim_end())));
    let found = Found {
        without: "run".to_owned(),
        with: format!(
            "`Argument list too long` for the last {} bytes of 2 MB; for the last {} with \
             `nested=preload`",
            less[0], less[1]
        ),
        user: String::new(),
        admin: String::new(),
    };
    compare("arguments at the kernel's limit, in a script", &found);
    unharmed(&site);
}

/// Slurm reads lines of up to 4095 bytes. It treats the rest of a longer line as separate lines,
/// and reports them.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_line_of_100_kb() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let line = |count: usize| {
        let roots: Vec<_> = (0..count).map(|n| format!("/nowhere/{n:05}")).collect();
        format!("optional spank_sifcache.so image_root={SHARED}:{}\n", roots.join(":"))
    };
    with_registry(|| {
        meets(&site, "265 image roots, as many as Slurm reads from a line", &line(265), launch);
        meets(&site, "10,000 image roots in a line of 150 KB", &line(10_000), launch);
        let last = line(265).replace(&format!("={SHARED}:"), "=").replace("/nowhere/00264", SHARED);
        meets(&site, "the last of 265 image roots has the image", &last, launch);
    });
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_odd_plugstack() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let (line, mut junk) = (with(), String::new());
    // Every character from 1 to 255 except newline and `#`, so that Slurm's parser (strtok_r) finds
    // no word that it recognizes.
    junk.extend((1..=255).map(char::from).filter(|byte| !matches!(byte, '\n' | '#')));
    with_registry(|| {
        meets(&site, "plugstack.conf does not end with a newline", line.trim_end(), launch);
        meets(&site, "plugstack.conf has Windows line ends", &line.replace('\n', "\r\n"), launch);
        let fault = "plugstack.conf has binary data before the line";
        meets(&site, fault, &format!("{junk}\n\0\0\n{line}"), launch);
        let fault = "plugstack.conf has binary data in the line";
        meets(&site, fault, &line.replace('\n', &format!(" {junk}\n")), launch);
    });
}
