//! A hit: the task starts the SIF file, with the registry stopped.

use crate::kit::{IMAGE, LOCAL, OTHER, SHARED, Site, WHICH, stable_variables};

#[test]
#[ignore = "needs a testbed: make test"]
fn every_subcommand() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    let image = format!("docker://{IMAGE}");
    site.srun(&["apptainer", "run", &image, WHICH[0], WHICH[1]]).ran(IMAGE);
    site.srun(&["apptainer", "exec", &image, WHICH[0], WHICH[1]]).ran(IMAGE);
    let shell = ["srun", "apptainer", "shell", &image];
    site.exec(&["--user", "alice"], &shell, "cat /etc/image-name\n").ran(IMAGE);
    // `test` runs the image's own test script, which is empty in an image made from docker://.
    assert_eq!(site.srun(&["apptainer", "test", &image]).status, 0);
    // The test does not check whether an instance outlives its step. That depends on Slurm and the
    // runtime.
    let name = |what: &str| format!("{what}-{}", std::process::id());
    let start = site.srun(&["apptainer", "instance", "start", &image, &name("start")]);
    assert_eq!(start.status, 0, "{start:#?}");
    let run = site.srun(&["apptainer", "instance", "run", &image, &name("run"), "true"]);
    assert_eq!(run.status, 0, "{run:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn both_runtimes_by_name_and_by_path() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    let image = format!("docker://{IMAGE}");
    for runtime in ["apptainer", "singularity", "/usr/bin/apptainer", "/usr/bin/singularity"] {
        site.srun(&[runtime, "exec", &image, WHICH[0], WHICH[1]]).ran(IMAGE);
        site.srun(&[runtime, "-s", "exec", "--bind", "/tmp", "-e", &image, WHICH[0], WHICH[1]])
            .ran(IMAGE);
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn different_users_get_the_same_image() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    for user in ["alice", "bob"] {
        let image = format!("docker://{IMAGE}");
        let words = [&["srun", "apptainer", "exec", &image], WHICH.as_slice()].concat();
        site.exec(&["--user", user], &words, "").ran(IMAGE);
    }
}

/// Every name that a reference may be stored under.
#[test]
#[ignore = "needs a testbed: make test"]
fn every_candidate() {
    let site = Site::new("");
    let digest = format!("sha256:{}", "ab".repeat(32));
    let pinned = |name: &str| format!("{name}@{digest}");
    let cases: &[(&str, &[&str])] = &[
        ("ubuntu", &["ubuntu", "ubuntu:latest", "docker.io/library/ubuntu:latest"]),
        ("ubuntu:22.04", &["ubuntu:22.04", "docker.io/library/ubuntu:22.04"]),
        ("library/ubuntu:22.04", &["library/ubuntu:22.04", "ubuntu:22.04"]),
        ("docker.io/o/i", &["docker.io/o/i", "o/i:latest", "docker.io/o/i:latest"]),
        ("host.example:5000/o/i:1", &["host.example:5000/o/i:1"]),
        (&pinned("o/i:1"), &[&pinned("o/i"), &pinned("docker.io/o/i")]),
        (&pinned("host.example/o/i"), &[&pinned("o/i"), &pinned("host.example/o/i")]),
    ];
    for (reference, names) in cases {
        for name in *names {
            for suffix in ["", ".sif"] {
                let path = site.store(IMAGE, &format!("{name}{suffix}"));
                let output = site.launch(&["-v"], &format!("docker://{reference}"));
                output.ran(IMAGE);
                let line = format!(
                    "sifcache: docker://{reference} is replaced by {SHARED}/{name}{suffix}\n"
                );
                assert!(output.stderr.contains(&line), "{output:#?}");
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_digest_reference_never_uses_a_tag_name() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.store(IMAGE, "o/i");
    let digest = format!("docker://o/i:1@sha256:{}", "ab".repeat(32));
    assert_ne!(site.launch(&[], &digest).status, 0);
    site.logged("n1", "event=miss");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_first_root_wins_on_each_node() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.store_at("n2", LOCAL, OTHER, "o/i:1");
    let on = |node: &str| site.launch(&["-w", node], "docker://o/i:1");
    on("n1").ran(IMAGE);
    on("n2").ran(OTHER);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn several_tasks_on_several_nodes() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    let flags = ["-N2", "--ntasks-per-node=3", "-v"];
    let output = site.launch(&flags, &format!("docker://{IMAGE}"));
    assert_eq!(output.status, 0, "{output:#?}");
    assert_eq!(output.stdout.lines().filter(|line| *line == IMAGE).count(), 6, "{output:#?}");
    // One line for the step, not one per task or node. With -vv there is one line per node.
    let verbose_lines = |output: &crate::kit::Output| {
        output.stderr.lines().filter(|line| line.starts_with("sifcache: ")).count()
    };
    assert_eq!(verbose_lines(&output), 1, "{output:#?}");
    for node in ["n1", "n2"] {
        site.logged(node, "event=hit");
        site.logged(node, " tasks=3 uid=1001 ");
        assert_eq!(site.log(node).matches("event=hit").count(), 1, "{}", site.log(node));
    }
    let output = site.launch(&["-N2", "--ntasks-per-node=3", "-vv"], &format!("docker://{IMAGE}"));
    assert_eq!(verbose_lines(&output), 2, "{output:#?}");
    assert!(output.stderr.contains(&format!("sifcache: n2: docker://{IMAGE} is ")), "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn arguments_after_the_image_stay_unchanged() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    let image = format!("docker://{IMAGE}");
    let words = ["apptainer", "exec", &image, "echo", &image, "--bind", "--", "docker://x"];
    let output = site.srun(&words);
    assert_eq!(output.stdout, format!("{image} --bind -- docker://x\n"), "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_hit_is_silent_without_v() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    let output = site.launch(&[], &format!("docker://{IMAGE}"));
    output.ran(IMAGE);
    assert_eq!(output.stderr, "");
    site.logged("n1", &format!("reference=docker.io/{IMAGE} image={SHARED}/{IMAGE}"));
}

/// The program in the container cannot detect the plugin: its environment is the same as for a
/// launch of the SIF by its path.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_environment_in_the_container_is_the_same() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    let environment = |image: &str| {
        let output = site.srun(&["-w", "n1", "apptainer", "exec", image, "env"]);
        assert_eq!(output.status, 0, "{output:#?}");
        stable_variables(&output.stdout)
    };
    assert_eq!(
        environment(&format!("docker://{IMAGE}")),
        environment(&format!("{SHARED}/{IMAGE}"))
    );
}
