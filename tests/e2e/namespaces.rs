//! Jobs in namespaces that Slurm creates; `docs/namespaces.md` gives the results.

mod node;

use crate::kit::{
    IMAGE, LOCAL, OTHER, SHARED, Site, plugin_directory, program, push, slurm_release,
};
use node::{LINUX, Node, TMPFS, tmpfs};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The log file of the test plugin `hooks.so`.
const HOOKS: &str = "/var/log/slurm/hooks.log";
/// An image root that is private in a job, like all of /tmp.
const PRIVATE: &str = "/tmp/sif";
const NAME: &str = "docker://o/i:1";

/// A way to configure namespaces: its name on the page, and its settings.
struct Way {
    name: &'static str,
    slurm_conf: String,
    file: &'static str,
    text: String,
}

fn of_tmpfs(name: &'static str, slurm_conf: &str, setting: &str) -> Way {
    let text = format!("AutoBasePath=true\nBasePath=/var/ns {setting}\n");
    Way { name, slurm_conf: format!("{}\n{slurm_conf}", tmpfs()), file: TMPFS, text }
}

fn of_linux(name: &'static str, slurm_conf: &str, settings: &str) -> Way {
    let text = format!("defaults:\n  auto_base_path: true\n  base_path: \"/var/ns\"\n{settings}\n");
    let slurm_conf = format!("NamespaceType=namespace/linux\n{slurm_conf}");
    Way { name, slurm_conf, file: LINUX, text }
}

/// All ways that this release supports.
fn ways() -> Vec<Way> {
    const CONTAIN: &str = "SlurmdParameters=config_overrides,contain_spank";
    let release = slurm_release();
    let mut ways = vec![of_tmpfs("tmpfs", "", "")];
    if release >= (24, 5) {
        ways.push(of_tmpfs("tmpfs, `contain_spank`", CONTAIN, ""));
    }
    if release >= (24, 11) {
        ways.push(of_tmpfs("tmpfs, `EntireStepInNS`", "", "EntireStepInNS=true"));
    }
    if release >= (25, 11) {
        let both = "  clone_ns_flags: [\"CLONE_NEWPID\", \"CLONE_NEWUSER\"]";
        ways.push(of_linux("linux", "", ""));
        ways.push(of_linux("linux, `CLONE_NEWPID`, `CLONE_NEWUSER`", "", both));
        ways.push(of_linux(
            "linux, `CLONE_NEWPID`, `CLONE_NEWUSER`, `contain_spank`",
            CONTAIN,
            both,
        ));
    }
    ways
}

/// Compiles `hooks.so` and copies it to all hosts.
fn install_probe() {
    let (major, minor) = slurm_release();
    let version = format!("-DVERSION={}", u32::from(major) << 16 | u32::from(minor) << 8);
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("hooks.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/namespaces/hooks.c");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", &version, "-o"]).arg(&library);
    assert!(cc.arg(source).status().unwrap().success());
    push(&library, &format!("{}/hooks.so", plugin_directory()), "0755");
}

/// The log file of `hooks.so` on n1, removed when this is dropped.
struct Written<'a>(&'a Site);

impl<'a> Written<'a> {
    fn new(site: &'a Site) -> Self {
        let written = Self(site);
        written.clear();
        written
    }

    /// The file is writable for everybody, because the hooks of a task run as the user.
    fn clear(&self) {
        let script = format!("rm -f {HOOKS}; touch {HOOKS} && chmod 666 {HOOKS}");
        let output = self.0.exec(&["--on", "n1"], &["sh", "-c", &script], "");
        assert_eq!(output.status, 0, "{output:#?}");
    }

    /// For each hook, whether it was called in the namespaces of the job: `job` or `node`, as on
    /// the page. Only step 0 counts; `inside` names the namespaces of the task of this step.
    fn cells(&self, inside: &str) -> Vec<&'static str> {
        let text = fs::read_to_string(self.0.at("n1", HOOKS)).unwrap();
        let mut found: BTreeMap<&str, &'static str> = BTreeMap::new();
        for line in text.lines() {
            let (step, rest) = line.split_once(' ').unwrap();
            let (hook, namespaces) = rest.split_once(' ').unwrap();
            if step == "0" {
                let cell = if namespaces == inside { "job" } else { "node" };
                assert!(found.insert(hook, cell).is_none_or(|before| before == cell), "{text}");
            }
        }
        HOOK_NAMES.map(|hook| *found.get(hook).unwrap_or_else(|| panic!("{hook}: {text}"))).into()
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.at("n1", HOOKS));
        let _ = fs::remove_dir_all(self.0.at("n1", PRIVATE));
    }
}

/// The hooks, in the order of the table's columns.
const HOOK_NAMES: [&str; 7] = [
    "init",
    "user_init",
    "task_init_privileged",
    "task_init",
    "task_post_fork",
    "task_exit",
    "exit",
];

/// Prints the namespaces of a process in the format that `hooks.so` writes.
const NAMESPACES: &str =
    "for kind in mnt user pid; do readlink /proc/self/ns/$kind; done | paste -sd' '";

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/namespaces.md");
    fs::read_to_string(page).unwrap()
}

/// Asserts that the page has this row.
#[track_caller]
fn compare(way: &str, cells: &[&str]) {
    let (major, minor) = slurm_release();
    let row = format!("| {major}.{minor:02} | {way} | {} |", cells.join(" | "));
    assert!(page().lines().any(|line| line == row), "docs/namespaces.md lacks the row\n{row}");
}

/// Asserts that the page has exactly `count` rows for this release.
#[track_caller]
fn every_row_was_seen(count: usize) {
    let (major, minor) = slurm_release();
    let start = format!("| {major}.{minor:02} |");
    let rows = page().lines().filter(|line| line.starts_with(&start)).count();
    assert_eq!(rows, count, "rows of {start}");
}

/// The lines of plugstack.conf. The first image root is one that jobs cannot see, the second is the
/// shared one.
fn plugstack(nested: &str) -> String {
    format!(
        "required hooks.so {HOOKS}\n\
         required spank_sifcache.so image_root={PRIVATE}:{SHARED} nested={nested}\n"
    )
}

/// A step of `sifcache stage` also runs in a job, so a copy in a private directory would vanish
/// with the job.
#[track_caller]
fn stage_refuses(site: &Site) {
    let words = ["sifcache", "stage", "--nodes", "n1", "--into", PRIVATE, "o/i:1"];
    let output = site.exec(&[], &words, "");
    let expected = "n1: image root /tmp/sif: does not exist";
    assert!(output.status != 0 && output.stderr.contains(expected), "{output:#?}");
}

/// An image root that is itself a private directory exists in the job, but is empty and not
/// readable for others.
#[track_caller]
fn a_root_that_is_private(site: &Site, node: &Node<'_>) {
    site.plugstack(&format!("required spank_sifcache.so image_root={LOCAL}:{SHARED}\n"));
    site.store_at("n1", LOCAL, OTHER, "o/i:1");
    let way = of_tmpfs("", "", "Dirs=/tmp,/local/sif");
    node.configure(&way.slurm_conf, way.file, &way.text);
    site.launch(&[], NAME).ran(IMAGE);
    let words = ["sifcache", "stage", "--nodes", "n1", "--into", LOCAL, "o/i:1"];
    let output = site.exec(&[], &words, "");
    let expected = "n1: image root /local/sif: users may not read /local/sif, so no job would find";
    assert!(output.status == 78 && output.stderr.contains(expected), "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn every_way_to_configure_namespaces() {
    let site = Site::with_line(&plugstack("path"));
    install_probe();
    let written = Written::new(&site);
    site.store(IMAGE, "o/i:1");
    site.store_at("n1", PRIVATE, OTHER, "o/i:1");
    // Without namespaces, the image is found in the first root.
    site.launch(&[], NAME).ran(OTHER);
    let node = Node::new(&site);
    for way in ways() {
        node.configure(&way.slurm_conf, way.file, &way.text);
        written.clear();
        let inside = site.srun(&["-w", "n1", "sh", "-c", NAMESPACES]).stdout;
        let outside = site.exec(&["--on", "n1"], &["sh", "-c", NAMESPACES], "").stdout;
        assert_ne!(inside, outside, "{}: there are no namespaces", way.name);
        // Slurm calls the last hook after srun has ended.
        site.idle("n1");
        compare(way.name, &written.cells(inside.trim_end()));

        // The task's own command, then a command inside a script, through PATH and through the
        // interposer.
        let output = site.launch(&[], NAME);
        output.ran(IMAGE);
        assert!(!output.stderr.contains("sifcache"), "{}: {output:#?}", way.name);
        for (nested, runtime) in [("path", "apptainer"), ("preload", "/usr/bin/apptainer")] {
            site.plugstack(&plugstack(nested));
            let script = format!("{runtime} exec {NAME} cat /etc/image-name; true");
            site.srun(&["-w", "n1", "sh", "-c", &script]).ran(IMAGE);
        }
        site.plugstack(&plugstack("path"));
    }
    every_row_was_seen(ways().len());
    let hits = 3 * ways().len();
    let reached = || site.log("n1").matches("event=hit").count();
    site.logged("n1", "via=shim reference=docker.io/o/i:1 image=/shared/sif/o/i:1");
    assert_eq!(reached(), hits + 1, "syslog: {}", site.log("n1"));
    stage_refuses(&site);
    // The private root is reported as missing, like a root that is not mounted.
    site.launch(&[], "docker://o/none:1").tried_the_registry();
    site.logged("n1", "reference=docker.io/o/none:1 refused=/tmp/sif why=no-root");
    // Before 23.02, Slurm makes only /tmp and /dev/shm private.
    if slurm_release() >= (23, 2) {
        a_root_that_is_private(&site, &node);
    }
}

/// Stores an image owned by this user in the shared root. The directories on its path still belong
/// to root.
fn of_user(site: &Site, name: &str, uid: u32) {
    let path = site.store(IMAGE, name);
    std::os::unix::fs::chown(path, Some(uid), Some(uid)).unwrap();
}

/// A script of the site, removed when this is dropped.
struct Script<'a>(&'a Site, &'static str);

impl<'a> Script<'a> {
    fn new(site: &'a Site, path: &'static str, text: &str) -> Self {
        program(&site.at("ctl", path), &format!("#!/bin/sh\n{text}\n"));
        Self(site, path)
    }
}

impl Drop for Script<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.at("ctl", self.1));
    }
}

/// In a user namespace that maps only root and alice, all other owners appear as nobody.
#[test]
#[ignore = "needs a testbed: make test"]
fn owners_without_an_id() {
    let site = Site::new("");
    if slurm_release() < (25, 11) {
        eprintln!("skipped: this Slurm makes no user namespaces");
        return;
    }
    let map = "printf '0 0 1\\n1001 1001 1\\n' >/proc/$SLURM_NS_PID/uid_map &&
        printf '0 0 1\\n1001 1001 1\\n' >/proc/$SLURM_NS_PID/gid_map";
    let _script = Script::new(&site, "/etc/slurm/user_ns", map);
    for (name, uid) in [("o/root:1", 0), ("o/system:1", 33), ("o/bob:1", 1002)] {
        of_user(&site, name, uid);
    }
    let settings = "  clone_ns_flags: [\"CLONE_NEWUSER\"]\n  user_ns_script: /etc/slurm/user_ns";
    let way = of_linux("", "", settings);

    site.launch(&[], "docker://o/system:1").ran(IMAGE);
    site.launch(&[], "docker://o/bob:1").tried_the_registry();
    site.logged("n1", "/shared/sif/o/bob:1 belongs to the ordinary user 1002");

    let node = Node::new(&site);
    node.configure(&way.slurm_conf, way.file, &way.text);
    let seen = site.srun(&["-w", "n1", "stat", "-c", "%u", "/shared/sif/o/system:1"]);
    assert_eq!(seen.stdout, "65534\n", "{seen:#?}");
    site.launch(&[], "docker://o/root:1").ran(IMAGE);
    let script = "apptainer exec docker://o/root:1 cat /etc/image-name";
    site.sbatch(&[], script).ran(IMAGE);
    for name in ["o/system:1", "o/bob:1"] {
        site.launch(&[], &format!("docker://{name}")).tried_the_registry();
        site.logged("n1", &format!(
            "/shared/sif/{name} is refused: not trusted: /shared/sif/{name} belongs to 65534, the \
             ID of owners that this user namespace does not map"
        ));
        // The shim does not use the image either.
        let script = format!("apptainer exec docker://{name} true");
        assert_ne!(site.sbatch(&[], &script).status, 0);
        site.logged(
            "n1",
            &format!(
                "via=shim reference=docker.io/{name} refused=/shared/sif/{name} why=untrusted"
            ),
        );
    }
    // With `untrusted=accept`, the owner does not matter.
    site.plugstack("optional spank_sifcache.so image_root=/shared/sif untrusted=accept\n");
    site.launch(&[], "docker://o/bob:1").ran(IMAGE);
}

/// If a job cannot reach syslog, only the log line is lost.
#[test]
#[ignore = "needs a testbed: make test"]
fn syslog_out_of_reach() {
    let site = Site::new("on_miss=warn");
    if slurm_release() < (25, 11) {
        eprintln!("skipped: this Slurm runs no script in the namespaces that it has made");
        return;
    }
    let hide = "nsenter --mount=\"$SLURM_NS\" mount --bind /dev/null /dev/log";
    let _script = Script::new(&site, "/etc/slurm/hide_syslog", hide);
    for name in ["o/unheard:1", "o/heard:1"] {
        site.store(IMAGE, name);
    }
    let node = Node::new(&site);
    let way = of_linux("", "", "  clone_ns_script: /etc/slurm/hide_syslog");
    node.configure(&way.slurm_conf, way.file, &way.text);
    let output = site.launch(&[], "docker://o/unheard:1");
    output.ran(IMAGE);
    assert!(!output.stderr.contains("sifcache"), "{output:#?}");
    site.sbatch(&[], "apptainer exec docker://o/unheard:1 cat /etc/image-name").ran(IMAGE);
    // The user still gets the message about a miss.
    let output = site.launch(&[], "docker://o/none:1");
    assert!(output.stderr.contains("docker.io/o/none:1 is not in the image cache"), "{output:#?}");

    let way = of_linux("", "", "");
    node.configure(&way.slurm_conf, way.file, &way.text);
    site.launch(&[], "docker://o/heard:1").ran(IMAGE);
    site.logged("n1", "event=hit");
    let log = site.log("n1");
    assert!(log.contains("reference=docker.io/o/heard:1"), "{log}");
    assert!(!log.contains("reference=docker.io/o/unheard:1"), "{log}");
    // slurmd's log contains the line.
    assert!(
        log.contains("sifcache: docker://o/unheard:1 is replaced by /shared/sif/o/unheard:1"),
        "{log}"
    );
}
