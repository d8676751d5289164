//! A miss: the command is left unchanged, or the task ends, as the site or the user has configured.

use crate::kit::{IMAGE, OTHER, Site, hub, inside, with_hub};
use std::fs;

const ABSENT: &str = "docker://determinedai/environments:cuda-11.3-pytorch-1.10-tf-2.8-gpu-0000000";

#[test]
#[ignore = "needs a testbed: make test"]
fn the_runtime_pulls_it() {
    let site = Site::new("");
    let output = with_hub(|| site.launch(&[], &format!("docker://{IMAGE}")));
    output.ran(IMAGE);
    assert!(!output.stderr.contains("sifcache"), "{output:#?}");
    site.logged("n1", "event=miss job=");
    site.logged("n1", &format!("reference=docker.io/{IMAGE}\n"));
    hub("stop");
    site.launch(&[], &format!("docker://{IMAGE}")).tried_the_registry();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn warn_reports_the_miss_and_the_runtime_pulls() {
    let site = Site::new("on_miss=warn");
    let output = with_hub(|| site.launch(&[], &format!("docker://{IMAGE}")));
    output.ran(IMAGE);
    assert!(
        output.stderr.contains(&format!("sifcache: docker.io/{IMAGE} is not in")),
        "{output:#?}"
    );
}

/// A miss ends the task both with `optional` and with `required`, and both with the setting and
/// with the option.
#[test]
#[ignore = "needs a testbed: make test"]
fn fail_ends_the_task_with_one_message() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    site.store(OTHER, &format!("{OTHER}.sif"));
    site.write("determinedai/environments:broken", b"not a SIF file");
    for (kind, setting, flags, why) in [
        ("optional", "on_miss=fail", [].as_slice(), "because of on_miss=fail in plugstack.conf"),
        ("required", "on_miss=fail", &[], "because of on_miss=fail in plugstack.conf"),
        ("optional", "", &["--sif-cache=require"], "because of --sif-cache=require"),
        ("required", "on_miss=pull", &["--sif-cache=require"], "because of --sif-cache=require"),
    ] {
        let line =
            format!("{kind} spank_sifcache.so image_root=/local/sif:/shared/sif {setting}\n");
        site.plugstack(&line);
        let output = site.launch(flags, ABSENT);
        assert_eq!((output.status, output.stdout.as_str()), (66, ""), "{output:#?}");
        let lines: Vec<&str> =
            output.stderr.lines().filter(|line| line.starts_with("sifcache: ")).collect();
        let tags =
            "cuda-11.3-pytorch-1.10-tf-2.8-gpu-69f397f, rocm-4.2-pytorch-1.9-tf-2.5-rocm-9119094";
        assert_eq!(lines.len(), 4, "{output:#?}");
        assert!(
            lines[0].contains("environments:cuda-11.3-pytorch-1.10-tf-2.8-gpu-0000000 is not in")
        );
        assert_eq!(lines[1], "sifcache: searched: /local/sif, /shared/sif");
        assert_eq!(
            lines[2],
            format!("sifcache: tags of determinedai/environments in the cache: {tags}")
        );
        assert!(lines[3].contains(why), "{output:#?}");
        assert!(
            !output.stderr.contains("spank"),
            "Slurm prints no message about the plugin: {output:#?}"
        );
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn fail_prints_one_message_for_many_tasks() {
    let site = Site::new("on_miss=fail");
    let output = site.launch(&["-N2", "--ntasks-per-node=4"], ABSENT);
    assert_eq!(output.status, 66, "{output:#?}");
    let count = |text: &str| output.stderr.matches(text).count();
    assert_eq!(count("searched: "), 1, "{output:#?}");
    assert_eq!(count("sifcache: n2: "), 1, "{output:#?}");
    assert_eq!(output.stderr.lines().filter(|l| l.starts_with("sifcache: ")).count(), 5);
    for node in ["n1", "n2"] {
        site.logged(node, "event=miss");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn fail_affects_only_misses() {
    let site = Site::new("on_miss=fail");
    site.store(IMAGE, IMAGE);
    site.launch(&[], &format!("docker://{IMAGE}")).ran(IMAGE);
    site.launch(&[], &inside(OTHER)).ran(OTHER);
    assert_eq!(site.srun(&["echo", ABSENT]).stdout, format!("{ABSENT}\n"));
    site.launch(&["--sif-cache=off"], ABSENT).tried_the_registry();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_image_is_visible_as_soon_as_it_is_complete() {
    let site = Site::new("on_miss=fail");
    let run = || site.launch(&[], "docker://o/i:1");
    assert_eq!(run().status, 66);
    let path = site.store(IMAGE, "o/i:1");
    run().ran(IMAGE);
    fs::remove_file(path).unwrap();
    assert_eq!(run().status, 66);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn srun_v_shows_a_miss() {
    let site = Site::new("");
    let output = site.launch(&["-v"], ABSENT);
    let line = format!("sifcache: {ABSENT} is not in the image cache\n");
    assert!(output.stderr.contains(&line), "{output:#?}");
}
