//! Invalid settings: the message names the setting and the valid values, and jobs run as without
//! the plugin.

use crate::kit::{IMAGE, Site};

/// Every key and each kind of value, with one spelling mistake.
const WRONG: [(&str, &str, &str); 20] = [
    ("imageroot=/shared/sif", "unknown key 'imageroot'", "image_root"),
    ("image_rot=/shared/sif", "unknown key 'image_rot'", "image_root"),
    ("singularity_image_rot=/s", "unknown key 'singularity_image_rot'", "singularity_image_root"),
    ("apptainer_imageroot=/s", "unknown key 'apptainer_imageroot'", "apptainer_image_root"),
    ("image_root=/shared/sif on_mis=fail", "unknown key 'on_mis'", "on_miss"),
    ("image_root=/shared/sif on_miss=fial", "invalid value 'fial' for on_miss", "pull, warn, fail"),
    ("image_root=/shared/sif nestd=off", "unknown key 'nestd'", "nested"),
    ("image_root=/shared/sif nested=of", "invalid value 'of' for nested", "path, preload, off"),
    ("image_root=/shared/sif runtime=x", "unknown key 'runtime'", "runtimes"),
    ("image_root=/shared/sif untrusted=ok", "invalid value 'ok' for untrusted", "refuse, accept"),
    (
        "image_root=/shared/sif lookup_timeout=0",
        "invalid value '0' for lookup_timeout",
        "from 1 to 86400, off",
    ),
    (
        "image_root=/shared/sif compression=zstd:20",
        "invalid value 'zstd:20' for compression",
        "zstd:1 to zstd:19",
    ),
    ("image_root=/shared/sif compresion=gzip", "unknown key 'compresion'", "compression"),
    ("image_root=/shared/sif fillr=ctl", "unknown key 'fillr'", "filler"),
    ("image_root=/shared/sif filler=ctl:0", "invalid value 'ctl:0' for filler", "HOST:PORT"),
    ("image_root=/shared/sif patient=9", "unknown key 'patient'", "lookup_timeout"),
    ("image_root=/shared/sif trusted=x", "unknown key 'trusted'", "untrusted"),
    ("image_root=/shared/sif syslg=off", "unknown key 'syslg'", "syslog"),
    (
        "image_root=/shared/sif syslog=local9",
        "invalid value 'local9' for syslog",
        "local0 to local7",
    ),
    ("on_miss=fail", "the required image_root=DIR[:DIR...] is missing", "image_root"),
];

#[test]
#[ignore = "needs a testbed: make test"]
fn each_mistake_is_reported_and_jobs_run_unchanged() {
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
            // Slurm may also report that the job waits for the previous one.
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

/// Slurm leaves the carriage return at the end of the last word.
#[test]
#[ignore = "needs a testbed: make test"]
fn line_ends_of_windows() {
    let line = "optional spank_sifcache.so image_root=/shared/sif on_miss=fail\r\n";
    let site = Site::with_line(&format!("# cache\r\n{line}"));
    site.store(IMAGE, "o/i:1");
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    let output = site.launch(&[], "docker://o/i:2");
    assert_eq!(output.status, 66, "{output:#?}");
    let script = "apptainer exec docker://o/i:1 cat /etc/image-name";
    let output = site.srun(&["sh", "-c", script]);
    assert_eq!(output.status, 0, "{output:#?}");
    let output = site.exec(&[], &["sifcache", "verify"], "");
    assert_eq!(output.status, 0, "{output:#?}");
    // Slurm finds no file of this name; the command reports the reason.
    site.plugstack("optional /usr/lib/spank_sifcache.so\r\n");
    assert_eq!(site.srun(&["true"]).status, 0);
    let output = site.exec(&[], &["sifcache", "verify"], "");
    assert!(output.stderr.contains("Windows line ends"), "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_root_with_a_colon_in_its_path() {
    let line = "optional spank_sifcache.so image_root=/local/sif:/shared/a\\:b\n";
    let site = Site::with_line(line);
    site.store_at("ctl", "/shared/a:b", IMAGE, "o/i:1");
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
    let script = "apptainer exec docker://o/i:1 cat /etc/image-name";
    let output = site.srun(&["sh", "-c", script]);
    assert_eq!(output.status, 0, "{output:#?}");
    let output = site.exec(&[], &["sifcache", "verify", "--all"], "");
    assert!(output.stdout.contains("/shared/a:b/o/i:1: an image"), "{output:#?}");
    let root = ["--root", "/shared/a:b"];
    let output = site.exec(&[], &[&["sifcache", "list"], &root[..]].concat(), "");
    std::fs::remove_dir_all(site.at("ctl", "/shared/a:b")).unwrap();
    assert!(output.stdout.contains("o/i:1"), "{output:#?}");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_option_is_there_even_with_wrong_settings() {
    let site = Site::with_line("optional spank_sifcache.so image_rot=/x\n");
    assert_eq!(site.srun(&["--sif-cache=off", "true"]).status, 0);
    // If the user requires the cache and it is unavailable, the runtime must not pull.
    let output = site.launch(&["--sif-cache=require"], "docker://o/i:1");
    assert_eq!(output.status, 66, "{output:#?}");
    assert!(output.stderr.contains("there are no valid settings"), "{output:#?}");
}
