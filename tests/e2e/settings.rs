//! Settings that are wrong: named, with what is valid, and jobs run as without us.

use crate::kit::{IMAGE, Site};

/// Every key, and each of the values, spelt wrong in one place.
const WRONG: [(&str, &str, &str); 16] = [
    ("imageroot=/shared/sif", "unknown key 'imageroot'", "image_root"),
    ("image_rot=/shared/sif", "unknown key 'image_rot'", "image_root"),
    ("singularity_image_rot=/s", "unknown key 'singularity_image_rot'", "singularity_image_root"),
    ("apptainer_imageroot=/s", "unknown key 'apptainer_imageroot'", "apptainer_image_root"),
    ("image_root=/shared/sif on_mis=fail", "unknown key 'on_mis'", "on_miss"),
    ("image_root=/shared/sif on_miss=fial", "bad value 'fial' for on_miss", "pull, warn, fail"),
    ("image_root=/shared/sif nestd=off", "unknown key 'nestd'", "nested"),
    ("image_root=/shared/sif nested=of", "bad value 'of' for nested", "path, preload, off"),
    ("image_root=/shared/sif runtime=x", "unknown key 'runtime'", "runtimes"),
    ("image_root=/shared/sif untrusted=ok", "bad value 'ok' for untrusted", "refuse, accept"),
    ("image_root=/shared/sif patience=0", "bad value '0' for patience", "from 1 to 86400, off"),
    ("image_root=/shared/sif patient=9", "unknown key 'patient'", "patience"),
    ("image_root=/shared/sif trusted=x", "unknown key 'trusted'", "untrusted"),
    ("image_root=/shared/sif syslg=off", "unknown key 'syslg'", "syslog"),
    ("image_root=/shared/sif syslog=local9", "bad value 'local9' for syslog", "local0 to local7"),
    ("on_miss=fail", "image_root=DIR[:DIR...] is required", "image_root"),
];

#[test]
#[ignore = "needs a testbed: make test"]
fn each_mistake_is_named_and_leaves_jobs_alone() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    for kind in ["optional", "required"] {
        for (settings, message, valid) in WRONG {
            site.plugstack(&format!("{kind} spank_sifcache.so {settings}\n"));
            let output = site.srun(&["-w", "n1", "echo", "fine"]);
            assert_eq!((output.status, output.stdout.as_str()), (0, "fine\n"), "{output:#?}");
            let line = format!("srun: error: sifcache: inactive: plugstack.conf: {message}");
            assert!(output.stderr.contains(&line), "{output:#?}");
            assert!(output.stderr.contains(valid), "{output:#?}");
            // Slurm may say that the job waits for the one before.
            let ours = output.stderr.lines().filter(|line| !line.starts_with("srun: job "));
            assert_eq!(ours.count(), 1, "{output:#?}");
            site.logged("n1", &format!("sifcache: inactive: plugstack.conf: {message}"));
        }
        site.launch(&[], "docker://o/i:1").tried_the_registry();
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn other_names_of_the_root_and_syslog_off() {
    let site = Site::with_line("");
    site.store(IMAGE, "o/i:1");
    for key in ["singularity_image_root", "apptainer_image_root"] {
        site.plugstack(&format!("optional spank_sifcache.so {key}=/shared/sif syslog=off\n"));
        site.launch(&[], "docker://o/i:1").ran(IMAGE);
    }
    assert!(!site.log("n1").contains("event=hit"));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_option_is_there_even_with_wrong_settings() {
    let site = Site::with_line("optional spank_sifcache.so image_rot=/x\n");
    assert_eq!(site.srun(&["--sif-cache=off", "true"]).status, 0);
    // Who asks for the cache and cannot have it must not get a pull.
    let output = site.launch(&["--sif-cache=require"], "docker://o/i:1");
    assert_eq!(output.status, 66, "{output:#?}");
    assert!(output.stderr.contains("there are no valid settings"), "{output:#?}");
}
