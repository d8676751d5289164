//! alice's attacks on the site's settings, through her environment, options and programs.

use super::{ALICE, BOB, NAME, REFERENCE, bob, events, own_root, script, site};
use crate::kit::{IMAGE, OTHER, Output, SHARED, SLURMD, Site, WHICH, program};
use std::fs;

const LAUNCH: &str = "apptainer exec docker://o/i:1 cat /etc/image-name";

/// Every variable name that could be taken for settings.
fn forged(root: &str) -> Vec<String> {
    let line = format!("image_root={root} untrusted=accept");
    let values = [
        ("SIFCACHE", &line),
        ("SIFCACHE_SETTINGS", &line),
        ("SIFCACHE_IMAGE_ROOT", &root.to_owned()),
        ("SIF_CACHE_IMAGE_ROOT", &root.to_owned()),
        ("IMAGE_ROOT", &root.to_owned()),
        ("SINGULARITY_IMAGE_ROOT", &root.to_owned()),
        ("APPTAINER_IMAGE_ROOT", &root.to_owned()),
        ("SINGULARITY_SIFCACHE", &line),
        ("APPTAINER_SIFCACHE", &line),
        ("SLURM_SIFCACHE", &line),
        ("SLURM_SPANK_SIFCACHE", &line),
        ("SPANK_SIFCACHE", &line),
        ("SPANK_SINGULARITY_SIFCACHE", &line),
        ("_SLURM_SPANK_OPTION_sifcache_image_root", &root.to_owned()),
        ("SLURM_SPANK__SLURM_SPANK_OPTION_sifcache_image_root", &root.to_owned()),
    ];
    values.map(|(name, value)| format!("{name}={value}")).into()
}

/// alice sets all variables of [`forged`] in her environment, and her job passes them on.
#[test]
#[ignore = "needs a testbed: make test"]
fn another_image_root_by_the_environment() {
    for nested in ["nested=path", "nested=preload", "nested=off"] {
        let site = site(nested);
        let variables = forged(own_root(&site));
        let with = |words: &[&str]| {
            let variables = variables.iter().map(String::as_str);
            let words: Vec<&str> =
                ["env"].into_iter().chain(variables).chain(words.iter().copied()).collect();
            site.alice(&words)
        };
        let launch: Vec<&str> = LAUNCH.split(' ').collect();
        with(&[&["srun", "-w", "n1"], &launch[..]].concat()).ran(IMAGE);
        with(&[&["srun", "-w", "n1", "--export=ALL"], &launch[..]].concat()).ran(IMAGE);
        if nested != "nested=off" {
            with(&["srun", "-w", "n1", "bash", "-c", LAUNCH]).ran(IMAGE);
            let export = format!("--export=ALL,{}", variables[7]);
            site.sbatch(&[&export], LAUNCH).ran(IMAGE);
        }
        assert_eq!(events(&site, "miss", ALICE), 0);
    }
}

/// In a script she can change the variables that the plugin has set. This affects only her own
/// launches, as if she had typed the path of the image.
#[test]
#[ignore = "needs a testbed: make test"]
fn forged_settings_affect_only_own_launches() {
    let site = site("");
    let own = own_root(&site);
    let forge = format!("export SINGULARITY_SIFCACHE='image_root={own} untrusted=accept'");
    site.sbatch(&[], &format!("{forge}\n{LAUNCH}")).ran(OTHER);
    bob(&site, &[], REFERENCE).ran(IMAGE);
    let words = ["srun", "-w", "n1", "bash", "-c", LAUNCH];
    site.exec(&["--user", "bob"], &words, "").ran(IMAGE);
    site.logged(
        "n1",
        &format!("uid={ALICE} via=shim reference=docker.io/o/i:1 image={own}/{NAME}"),
    );
    // Usage is recorded only for images of the site.
    fs::write(site.at("ctl", "/home/n1.log"), site.log("n1")).unwrap();
    let hits = site.exec(&[], &["sifcache", "hits", "--log", "/home/n1.log"], "");
    assert_eq!(hits.status, 0, "{hits:#?}");
    let served =
        fs::read_to_string(site.at("ctl", SHARED).join(".sifcache/last_used.json")).unwrap();
    assert!(served.contains("\"o/i:1\"") && !served.contains("alice"), "{served}");
}

/// A job that removes the plugin's variables, or uses `--export=NONE`.
#[test]
#[ignore = "needs a testbed: make test"]
fn users_can_override_on_miss_only_for_themselves() {
    let site = site("on_miss=fail");
    fs::remove_file(site.at("ctl", SHARED).join(NAME)).unwrap();
    // docs/security.md: on_miss is a service for users, not an access control.
    let unset = site.sbatch(&[], &format!("unset SINGULARITY_SIFCACHE; SIF_CACHE=off {LAUNCH}"));
    assert!(unset.stdout.contains("connection refused"), "{unset:#?}");
    assert_eq!(bob(&site, &[], REFERENCE).status, 66);
}

#[track_caller]
fn is_well(site: &Site) {
    bob(site, &[], REFERENCE).ran(IMAGE);
    site.idle("n1");
    // For a moment, a child that slurmd forks has the same process name.
    let one = format!(
        "for n in $(seq 100); do [ \"$(pgrep -cx '{SLURMD}')\" = 1 ] && exit; sleep 0.05; done; exit 1"
    );
    let alive = site.exec(&["--on", "n1"], &["bash", "-c", &one], "");
    assert_eq!(alive.status, 0, "{alive:#?}");
}

/// Slurm passes options on in the environment, so the option's callback in slurmstepd can receive
/// values that srun would have refused.
#[test]
#[ignore = "needs a testbed: make test"]
fn repeated_huge_and_forged_options() {
    let site = site("");
    let launch: Vec<&str> = LAUNCH.split(' ').collect();
    let srun = |flags: &[&str]| site.srun(&[&["-w", "n1"], flags, &launch[..]].concat());
    srun(&["--sif-cache=off", "--sif-cache=auto"]).ran(IMAGE);
    srun(&["--sif-cache=auto", "--sif-cache=off"]).tried_the_registry();
    let huge = format!("--sif-cache={}", "x".repeat(100_000));
    for value in [huge.as_str(), "--sif-cache=auto\nevent=hit", "--sif-cache=\u{1b}[2J"] {
        let output = srun(&[value]);
        assert_ne!(output.status, 0);
        // Slurm itself also prints a line on her terminal.
        let ours = output.stderr.lines().filter(|line| line.contains("sifcache: "));
        assert!(
            ours.clone().count() == 1 && !ours.clone().any(|l| l.contains('\u{1b}')),
            "{output:#?}"
        );
    }
    let values = ["x".repeat(100_000), "off".into(), "\u{1b}[2Jx\nevent=hit".into(), String::new()];
    for value in values {
        for name in [
            "_SLURM_SPANK_OPTION_sifcache_sif_cache",
            "SLURM_SPANK__SLURM_SPANK_OPTION_sifcache_sif_cache",
        ] {
            let variable = format!("{name}={value}");
            site.alice(&[&["env", &variable, "srun", "-w", "n1"], &launch[..]].concat());
        }
    }
    assert!(!site.log("n1").contains('\u{1b}'), "{}", site.log("n1"));
    is_well(&site);
}

fn put(site: &Site, path: &str) {
    let path = site.at("ctl", path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    program(&path, "#!/bin/sh\necho \"mine: $(id -un) $*\"\n");
}

/// alice's own programs that have the name of a runtime, or a similar name.
#[test]
#[ignore = "needs a testbed: make test"]
fn runtimes_of_strange_names() {
    let site = site("");
    let names = [
        "apptainer",
        "singularity\n",
        "apptainer ",
        " singularity",
        "APPTAINER",
        "singularity\u{1b}[2J",
    ];
    for name in names {
        put(&site, &format!("/home/alice/bin/{name}"));
    }
    let run = |words: &[&str]| -> Output { site.srun(&[&["-w", "n1"], words].concat()) };
    // Her own program gets the path of the site's image, which she may read anyway.
    let stdout = run(&["/home/alice/bin/apptainer", "run", REFERENCE]).stdout;
    assert_eq!(stdout, format!("mine: alice run {SHARED}/{NAME}\n"));
    for name in &names[1..] {
        let stdout = run(&[&format!("/home/alice/bin/{name}"), "run", REFERENCE]).stdout;
        assert_eq!(stdout, format!("mine: alice run {REFERENCE}\n"), "{name:?}");
    }
    let path = "PATH=/home/alice/bin:$PATH";
    let stdout = site.sbatch(&[], &format!("{path} apptainer run {REFERENCE}")).stdout;
    assert_eq!(stdout, format!("mine: alice run {REFERENCE}\n"), "before the shims");
    bob(&site, &[], REFERENCE).ran(IMAGE);
    // A path is not a valid runtime name, and only the site's line can set the names.
    site.plugstack(&format!("optional spank_sifcache.so image_root={SHARED} runtimes=../../x\n"));
    let output = site.srun(&["-w", "n1", "true"]);
    assert!(output.stderr.contains("invalid value '../../x' for runtimes"), "{output:#?}");
}

/// With `nested=preload`, the values that she puts into `LD_PRELOAD` affect only her own jobs.
#[test]
#[ignore = "needs a testbed: make test"]
fn libraries_of_the_user() {
    let site = site("nested=preload");
    let long = "/nowhere/".repeat(14_000);
    for before in ["", " ", ":::", "/no such.so /nowhere.so", &long] {
        let job = format!("export LD_PRELOAD='{before}'; {}", "srun -w n1 --export=ALL true");
        script(&site, "alice", &format!("{{ {job}; }} 2>/dev/null || :"));
        let words = ["srun", "-w", "n1", "bash", "-c", LAUNCH];
        site.exec(&["--user", "bob"], &words, "").ran(IMAGE);
    }
    assert_eq!(events(&site, "miss", BOB), 0);
    let words = [&["srun", "-w", "n1", "apptainer", "exec", REFERENCE], &WHICH[..]].concat();
    site.alice(&words).ran(IMAGE);
    is_well(&site);
}
