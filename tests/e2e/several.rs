//! Clusters with several nodes: each node looks up the image itself, independently of the others.

mod configless;
mod dying;
mod unmounted;
mod upgrade;

use crate::kit::{IMAGE, LOCAL, NODES, OTHER, SHARED, Site, WHICH};

/// The lines of `srun -l`, sorted by task, without the label.
fn by_task(stdout: &str) -> Vec<&str> {
    let mut lines: Vec<(&str, &str)> =
        stdout.lines().filter_map(|line| line.split_once(": ")).collect();
    lines.sort_unstable();
    lines.into_iter().map(|(_, text)| text).collect()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_nodes_have_local_and_shared_file_systems() {
    let site = Site::new("");
    let output = site.srun(&["-N3", "-l", "stat", "--format=%d %d", "/", LOCAL, SHARED]);
    assert_eq!(output.stdout.lines().count(), 9, "{output:#?}");
    for node in NODES {
        let device = |path: &str| {
            let words = ["stat", "--format=%d", path];
            site.exec(&["--on", node], &words, "").stdout.trim_end().to_owned()
        };
        let devices = [device("/"), device(LOCAL), device(SHARED)];
        assert!(devices[0] != devices[1] && devices[1] != devices[2], "{node}: {devices:?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_step_hits_on_every_node() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let output = site.launch(&["-N3", "-l"], "docker://o/i:1");
    assert_eq!((output.status, by_task(&output.stdout)), (0, vec![IMAGE; 3]), "{output:#?}");
    for (number, node) in NODES.iter().enumerate() {
        site.logged(node, &format!(" node={number} tasks=1 uid=1001 reference=docker.io/o/i:1 "));
        site.logged(node, "image=/shared/sif/o/i:1");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_image_local_on_one_node_only() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    site.store_at("n2", LOCAL, OTHER, "o/i:1");
    let output = site.launch(&["-N3", "-l"], "docker://o/i:1");
    assert_eq!(by_task(&output.stdout), [IMAGE, OTHER, IMAGE], "{output:#?}");
    for (node, root) in [("n1", SHARED), ("n2", LOCAL), ("n3", SHARED)] {
        site.logged(node, "event=hit job=");
        site.logged(node, &format!(" reference=docker.io/o/i:1 image={root}/o/i:1"));
    }
}

/// If only one node has the image, in its own root, that node has a hit and the others have a miss.
#[test]
#[ignore = "needs a testbed: make test"]
fn an_image_on_a_single_node() {
    let site = Site::new("");
    site.store_at("n2", LOCAL, OTHER, "o/i:1");
    let output = site.launch(&["-N3", "-l", "--no-kill", "-K0"], "docker://o/i:1");
    assert_eq!(by_task(&output.stdout), [OTHER], "{output:#?}");
    site.logged("n1", "event=miss");
    site.logged("n2", "event=hit");
    site.logged("n3", "event=miss");
}

/// A script on one node that starts steps on all of them, with the shim and without.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_batch_script_that_reaches_all_nodes() {
    let site = Site::new("nested=path");
    site.store(IMAGE, "o/i:1");
    let launch = format!("apptainer exec docker://o/i:1 {} {}", WHICH[0], WHICH[1]);
    let script = format!("srun -l {launch}\nsrun -l bash -c '{launch}'\n{launch}\n");
    let output = site.sbatch(&["-N3"], &script);
    let hits = output.stdout.lines().filter(|line| line.ends_with(IMAGE)).count();
    assert_eq!((output.status, hits), (0, 7), "{output:#?}");
    for node in ["n2", "n3"] {
        site.logged(node, "via=shim");
        assert_eq!(site.log(node).matches("event=hit").count(), 2, "{}", site.log(node));
    }
}
