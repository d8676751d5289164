//! Steps in an OCI container (`--container=BUNDLE`), with a script instead of an OCI runtime.
//!
//! The tests compare the command and environment that the bundle receives with those that it
//! receives without the plugin.

use crate::kit::{IMAGE, Output, Site, WHICH, plugin_directory, push, slurm_release};
use std::fs;
use std::process::Command;

const BUNDLE: &str = "/shared/bundle";
const CONF: &str = "/etc/slurm/oci.conf";
const CACHED: &str = "docker://o/i:1";
const ABSENT: &str = "docker://o/i:2";

/// A site whose Slurm runs OCI containers, until this is dropped.
struct Oci<'a>(&'a Site);

impl<'a> Oci<'a> {
    fn new(site: &'a Site) -> Self {
        push(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/containers/runtime").as_ref(),
            "/usr/local/libexec/oci-runtime",
            "0755",
        );
        let bundle = site.at("ctl", BUNDLE);
        fs::create_dir_all(bundle.join("rootfs")).unwrap();
        let config = r#"{"ociVersion":"1.0.0","process":{"user":{"uid":0,"gid":0},"args":["sh"],
            "env":["PATH=/bin"],"cwd":"/"},"root":{"path":"rootfs"},"mounts":[],
            "linux":{"namespaces":[]}}"#;
        fs::write(bundle.join("config.json"), config).unwrap();
        fs::write(
            site.at("ctl", CONF),
            "RunTimeQuery=\"/bin/true\"\n\
             RunTimeRun=\"/usr/local/libexec/oci-runtime %b\"\nRunTimeKill=\"/bin/true\"\n\
             RunTimeDelete=\"/bin/true\"\n",
        )
        .unwrap();
        Self(site)
    }
}

impl Drop for Oci<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.at("ctl", CONF));
    }
}

fn with(settings: &str) -> String {
    format!("optional spank_sifcache.so image_root=/local/sif:/shared/sif {settings}\n")
}

/// The command and environment that the bundle received, without the variables that differ between
/// any two steps.
fn bundle_input(output: &Output) -> Vec<String> {
    let differs =
        ["JOBID", "JOB_ID", "SLUID", "TASK_PID", "PORT", "_TIME", "SIF_CACHE", "JOB_NAME"];
    let stays = |line: &&str| {
        let name = line.split('=').next().unwrap_or_default();
        // The output of a batch job also contains Slurm's own messages, which have a timestamp.
        let printed = ["executes ", "with "].iter().any(|start| line.starts_with(start));
        printed && !differs.iter().any(|end| name.ends_with(end))
    };
    output.stdout.lines().filter(stays).map(str::to_owned).collect()
}

/// Every way to request a container, with the commands that run in it.
fn ways() -> Vec<(&'static str, Vec<String>)> {
    let launch = format!("singularity exec {CACHED} true");
    let inside = |step: &str| {
        let script = format!("#!/bin/sh\\n{step}\\n");
        format!(
            "printf '{script}' >oci.sh; rm -f oci.out; sbatch -W -w n1 --output=oci.out oci.sh \
             >/dev/null; cat oci.out"
        )
    };
    let option = format!("srun -w n1 --container={BUNDLE}");
    let texts = [
        ("a launch", format!("{option} {launch}")),
        ("the option in two words", format!("srun -w n1 --container {BUNDLE} {launch}")),
        ("the variable", format!("SRUN_CONTAINER={BUNDLE} srun -w n1 {launch}")),
        ("both runtimes", format!("{option} /usr/bin/apptainer run {CACHED}")),
        ("another program", format!("{option} bash -c 'apptainer run {CACHED}'")),
        ("no environment", format!("{option} --export=NONE {launch}")),
        ("a short environment", format!("{option} --export=A=B {launch}")),
        ("a lying variable", format!("SLURM_CONTAINER= {option} {launch}")),
        ("a container with a name", format!("{option} --container-id=x {launch}")),
        ("a terminal", format!("{option} --pty {launch}")),
        (
            "several programs",
            format!("printf '0 {launch}' >oci.conf; {option} -n1 --multi-prog oci.conf"),
        ),
        ("in a covered job", inside(&format!("{option} {launch}"))),
        ("a program in a covered job", inside(&format!("{option} bash -c true"))),
        (
            "a batch script",
            format!(
                "printf '#!/bin/sh\\n{launch}\\n' >oci.sh; rm -f oci.out; sbatch -W -w n1 \
             --container={BUNDLE} --output=oci.out oci.sh >/dev/null; cat oci.out"
            ),
        ),
        (
            "a batch script without an environment",
            format!(
                "printf '#!/bin/sh\\n{launch}\\n' >oci.sh; rm -f oci.out; sbatch -W -w n1 --export=NIL \
             --container={BUNDLE} --output=oci.out oci.sh >/dev/null; cat oci.out"
            ),
        ),
        ("an allocation's shell", format!("salloc -w n1 --container={BUNDLE} </dev/null")),
    ];
    let (major, minor) = slurm_release();
    let known = |name: &str| match name {
        "the option in two words" | "a container with a name" => (major, minor) >= (23, 2),
        "a batch script without an environment" => (major, minor) >= (23, 11),
        _ => true,
    };
    let shell = |text: String| ["sh", "-c", &text].map(str::to_owned).to_vec();
    texts.into_iter().filter(|(name, _)| known(name)).map(|(name, t)| (name, shell(t))).collect()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_bundle_is_the_same_without_the_plugin() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _oci = Oci::new(&site);
    for (name, words) in ways() {
        site.plugstack("");
        let without = site.alice(&words);
        assert!(without.stdout.contains("executes "), "{name}: {without:#?}");
        for nested in ["nested=path", "nested=preload", "nested=off"] {
            site.plugstack(&with(nested));
            let output = site.alice(&words);
            assert_eq!(output.status, without.status, "{name}, {nested}: {output:#?}");
            assert_eq!(bundle_input(&output), bundle_input(&without), "{name}, {nested}");
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn several_tasks() {
    // Before 23.02, Slurm runs only one task in a container.
    if slurm_release() < (23, 2) {
        return;
    }
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _oci = Oci::new(&site);
    let container = format!("--container={BUNDLE}");
    let words = ["-N2", "-n4", &container, "apptainer", "exec", CACHED, "true"];
    let output = site.srun(&words);
    assert_eq!(output.status, 0, "{output:#?}");
    let line = format!("apptainer exec {CACHED} true");
    let executed =
        output.stdout.lines().filter(|l| l.starts_with("executes ") && l.ends_with(&line));
    assert_eq!(executed.count(), 4, "{output:#?}");
}

/// Slurm 22.05 does not show the command of a container to plugins, so nothing can be refused
/// there.
#[test]
#[ignore = "needs a testbed: make test"]
fn require_in_a_container_is_reported() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _oci = Oci::new(&site);
    let container = format!("--container={BUNDLE}");
    let step = |flags: &[&str], image: &str| {
        let launch = ["singularity", "exec", image, "true"];
        site.srun(&[flags, &["-w", "n1", &container], &launch].concat())
    };
    let sees_command = slurm_release() >= (23, 2);
    for image in [CACHED, ABSENT] {
        let output = step(&["--sif-cache=require"], image);
        if sees_command {
            assert_eq!((output.status, output.stdout.as_str()), (66, ""), "{output:#?}");
        }
        let message = "the step runs in a container (--container)";
        assert!(output.stderr.contains(message), "{output:#?}");
        assert!(output.stderr.contains("--sif-cache=require"), "{output:#?}");
    }
    let output = site.srun(&["--sif-cache=require", "-w", "n1", &container, "bash", "-c", "true"]);
    assert_eq!(output.status, 0, "{output:#?}");
    assert!(output.stderr.contains("require (or SIF_CACHE=require) has no effect"), "{output:#?}");
    if sees_command {
        let output = step(&["-v"], CACHED);
        assert_eq!(output.status, 0, "{output:#?}");
        assert!(
            output.stderr.contains("sifcache: the command is left unchanged: the step runs in a")
        );
        site.plugstack(&with("on_miss=fail"));
        let output = step(&[], ABSENT);
        assert_eq!(output.status, 66, "{output:#?}");
        assert!(output.stderr.contains("on_miss=fail in plugstack.conf"), "{output:#?}");
    }
    let output = step(&["--sif-cache=off"], ABSENT);
    // srun may also say that the job waits for the end of the one before.
    assert!(output.status == 0 && !output.stderr.contains("sifcache"), "{output:#?}");
}

/// A user can set these variables. They have no effect if slurmstepd reports that the step has no
/// container.
#[test]
#[ignore = "needs a testbed: make test"]
fn made_up_variables_are_no_container() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _oci = Oci::new(&site);
    for variable in ["SLURM_CONTAINER=/none", "SLURM_CONTAINER_ID=x", "oci_conf=/none"] {
        let words = ["env", variable, "srun", "-w", "n1", "apptainer", "exec", CACHED];
        site.alice(&[&words[..], &WHICH].concat()).ran(IMAGE);
    }
}

/// If the node has no oci.conf, Slurm executes the command as if no container had been requested.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_node_without_oci_conf_has_no_containers() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    drop(Oci::new(&site));
    let container = format!("--container={BUNDLE}");
    site.launch(&["-w", "n1", &container], CACHED).ran(IMAGE);
}

/// Slurm can free the argv entry that a hit replaces, in every kind of step.
#[test]
#[ignore = "needs a testbed: make test"]
fn slurm_can_free_the_command_after_a_hit() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("free.so");
    let (major, minor) = slurm_release();
    let version = format!("-DVERSION={}", u32::from(major) << 16 | u32::from(minor) << 8);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/containers/argv_owner.c");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", &version, "-o"]);
    assert!(cc.arg(&library).arg(source).status().unwrap().success());
    push(&library, &format!("{}/free.so", plugin_directory()), "0755");
    site.plugstack(&format!("{}required free.so\n", with("")));
    site.launch(&[], CACHED).ran(IMAGE);
    site.launch(&["--pty"], CACHED);
    site.logged("n1", "event=hit");
}
