//! Names that would lead out of the image root if they were used as paths.

use super::{REFERENCE, own_root, site};
use crate::kit::{IMAGE, OTHER, SHARED, Site, program};
use crate::trace::{sender, traced};
use std::collections::BTreeMap;
use std::fs;

/// A directory beside the image root with a valid image, which a launch would start if its name led
/// there.
const OUTSIDE: &str = "/shared/canary";

/// Each of these names leads to that directory, or to /etc/passwd, under some rules of
/// interpretation.
const NAMES: [&str; 30] = [
    "../canary/x",
    "../../etc/passwd",
    "o/../../canary/x",
    "o/../../canary/x:1",
    "/shared/canary/x",
    "//shared/canary/x",
    "o/./../../canary/x",
    "%2e%2e/canary/x",
    "..%2fcanary%2fx",
    "..\\canary\\x",
    "o:../../canary/x",
    "o/i:..",
    "o/i:1/../../../canary/x",
    "o/i@../../canary/x",
    "localhost:../canary/x",
    "\u{ff0e}\u{ff0e}/canary/x",
    "\u{2024}\u{2024}/canary/x",
    "..\u{200b}/canary/x",
    "../canary/x\n",
    "\n../canary/x",
    " ../canary/x",
    "o/i:1 /shared/canary/x",
    "~/x",
    "$(echo ../canary/x)",
    "-/../canary/x",
    ".sifcache/kept/x",
    ".",
    "..",
    "",
    "/",
];

/// [`NAMES`], two of them again with a digest, and one name that is too long.
fn names() -> Vec<String> {
    let digest = "0".repeat(64);
    let pinned = ["../canary/x", "o/../../canary/x"].map(|name| format!("{name}@sha256:{digest}"));
    let long = "a/".repeat(3000);
    NAMES.map(str::to_owned).into_iter().chain(pinned).chain([long]).collect()
}

fn prepare() -> Site {
    let site = site("");
    let _ = fs::remove_dir_all(site.at("ctl", OUTSIDE));
    site.store_at("ctl", OUTSIDE, OTHER, "x");
    site.store_at("ctl", OUTSIDE, OTHER, "x:1");
    // A file like those that the command keeps when it removes images.
    site.store(OTHER, ".sifcache/kept/x");
    site
}

/// The system calls of each process before it executed the runtime, and of the helper processes
/// that it started. Calls that start a program are left out.
fn before_the_runtime(trace: &str, runtime: &str) -> String {
    let start = format!("execve(\"{runtime}\"");
    let mut processes: BTreeMap<&str, (bool, Vec<&str>)> = BTreeMap::new();
    for line in trace.lines() {
        let process = line.split_whitespace().next().unwrap_or_default();
        let (became, calls) = processes.entry(process).or_default();
        *became |= line.contains(&start);
        if !*became && !line.contains("execve(") {
            calls.push(line);
        }
    }
    let became = |process: &str| processes.get(process).is_some_and(|(became, _)| *became);
    let is_ours = |process: &str| became(process) || sender(trace, process).is_some_and(became);
    let ours = processes.iter().filter(|(process, _)| is_ours(process));
    ours.flat_map(|(_, (_, calls))| calls).map(|line| format!("{line}\n")).collect()
}

/// Asserts that below /shared only the image roots were accessed, and that no path contains `..`.
#[track_caller]
fn stayed_inside(calls: &str) {
    let outside = |line: &&str| {
        let below = line.contains("/shared") && !line.contains("\"/shared\"");
        (below && !line.contains(SHARED))
            || line.contains("../")
            || line.contains("/..")
            || line.contains("canary")
    };
    let left: Vec<&str> = calls.lines().filter(outside).collect();
    assert!(left.is_empty(), "{left:#?}");
    assert!(calls.contains(&format!("\"{SHARED}\"")), "the trace contains lookups: {calls}");
}

/// The launches use a fake runtime that prints its image argument, because all lookups happen
/// before the runtime starts.
#[test]
#[ignore = "needs a testbed: make test"]
fn references_cannot_leave_the_image_root() {
    let site = prepare();
    let real = site.at("ctl", "/home/alice/real");
    let _ = fs::create_dir(&real);
    program(&real.join("apptainer"), "#!/bin/sh\nprintf '%s\\n' \"$2\"\n");
    let mut launches =
        String::from("PATH=$(dirname $(command -v apptainer)):/home/alice/real:$PATH\n");
    let mut expected = String::new();
    for name in names() {
        let image = format!("docker://{name}");
        let quoted = image.replace('\'', "'\\''");
        launches.push_str(&format!("apptainer exec '{quoted}' true\n"));
        expected.push_str(&format!("{image}\n"));
    }
    launches.push_str(&format!("apptainer exec {REFERENCE} true\n"));
    expected.push_str(&format!("{SHARED}/o/i:1\n"));
    fs::write(site.at("ctl", "/home/alice/escapes.sh"), launches).unwrap();
    let trace =
        "strace -f -s 4096 -e trace=%file,%process -o /tmp/escapes bash /home/alice/escapes.sh";
    let output = site.srun(&["-w", "n1", "bash", "-c", trace]);
    assert_eq!((output.status, output.stdout), (0, expected), "{}", output.stderr);
    site.logged("n1", "event=hit");
    assert_eq!(site.log("n1").matches("sifcache: event=").count(), 1, "{}", site.log("n1"));
    let trace = fs::read_to_string(site.at("n1", "/tmp/escapes")).unwrap();
    stayed_inside(&before_the_runtime(&trace, "/home/alice/real/apptainer"));
    fs::remove_dir_all(site.at("ctl", OUTSIDE)).unwrap();
}

/// The same for the command of a step: here, the lookup runs in slurmstepd's child process.
#[test]
#[ignore = "needs a testbed: make test"]
fn step_commands_cannot_leave_the_image_root() {
    let site = prepare();
    let launches: String =
        ["../canary/x", "o/../../canary/x", "%2e%2e/canary/x", "/shared/canary/x"]
            .map(|name| format!("srun -w n1 apptainer exec docker://{name} cat /etc/image-name; "))
            .concat();
    let hit = format!("srun -w n1 apptainer exec {REFERENCE} true");
    let trace = traced(&site, &format!("{{ {launches} }} >/home/alice/stdout 2>/dev/null; {hit}"));
    stayed_inside(&before_the_runtime(&trace.join("\n"), "/usr/bin/apptainer"));
    assert_eq!(fs::read_to_string(site.at("ctl", "/home/alice/stdout")).unwrap(), "");
    fs::remove_dir_all(site.at("ctl", OUTSIDE)).unwrap();
}

/// An image that alice may not read is a miss. The message reveals only that a file of this name
/// exists, which she could see anyway.
#[test]
#[ignore = "needs a testbed: make test"]
fn unreadable_images_are_not_revealed() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let site = Site::new("on_miss=fail");
    own_root(&site);
    let path = site.store(IMAGE, "o/i:1");
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    chown(&path, None, Some(1002)).unwrap();
    mode(&path, 0o640);
    assert_eq!(site.launch(&[], REFERENCE).status, 66);
    super::bob(&site, &[], REFERENCE).ran(IMAGE);
    // Tags are not revealed if she may pass through their directory but not list it, nor if the
    // directory is closed to her.
    site.store(IMAGE, "o/secret:tag");
    for closed in [0o711, 0o700] {
        mode(path.parent().unwrap(), closed);
        let output = site.launch(&[], "docker://o/secret:1");
        assert_eq!(output.status, 66, "{output:#?}");
        assert!(output.stderr.contains("no other tag of o/secret is in the cache"), "{output:#?}");
    }
    assert!(!site.log("n1").contains("secret:tag"), "{}", site.log("n1"));
}
