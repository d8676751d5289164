//! Upgrades and `scontrol reconfigure` while jobs run.

use crate::kit::{IMAGE, NODES, Site, built, plugin_directory, push};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// A part of the message about a miss in plugin and shim, and a text of the same length for the
/// newer build.
const SAID: &str = " is not in the image cache";
const NEWER: &str = " is not in the IMAGE CACHE";

/// A build that differs from the one under test only in this text.
fn newer(file: &str) -> tempfile::NamedTempFile {
    let mut bytes = fs::read(built(file)).unwrap();
    let places: Vec<usize> = (0..bytes.len() - SAID.len())
        .filter(|at| bytes[*at..].starts_with(SAID.as_bytes()))
        .collect();
    assert!(!places.is_empty(), "{file}");
    for at in places {
        bytes[at..at + SAID.len()].copy_from_slice(NEWER.as_bytes());
    }
    let new = tempfile::NamedTempFile::new().unwrap();
    fs::write(&new, bytes).unwrap();
    new
}

/// Installs the newer build of everything that runs on nodes, until this is dropped. `testbed push`
/// renames each file into place, as dpkg, rpm and install(1) do.
struct Upgrade;

impl Upgrade {
    const FILES: [(&'static str, &'static str); 3] = [
        ("libspank_sifcache.so", "PLUGINS/spank_sifcache.so"),
        ("sifcache-shim", "/usr/libexec/sifcache/sifcache-shim"),
        // The shim that jobs get if `singularity` is a link to `apptainer`.
        ("sifcache-shim", "/usr/libexec/sifcache/bin-linked/apptainer"),
    ];

    fn put(file: &Path, place: &str) {
        let mut bytes = fs::read(file).unwrap();
        if place.ends_with("/apptainer") {
            bytes.extend(sifcache_core::nested::shims::label("apptainer"));
        }
        let runtime_in_label = tempfile::NamedTempFile::new().unwrap();
        fs::write(&runtime_in_label, bytes).unwrap();
        push(runtime_in_label.path(), &place.replace("PLUGINS", &plugin_directory()), "0755");
    }

    fn make() -> Self {
        for (file, place) in Self::FILES {
            Self::put(newer(file).path(), place);
        }
        Self
    }
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        for (file, place) in Self::FILES {
            Self::put(&built(file), place);
        }
    }
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < limit, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Makes slurmctld and every slurmd read their configuration again.
fn reconfigure(site: &Site) {
    let output = site.exec(&[], &["scontrol", "reconfigure"], "");
    assert_eq!(output.status, 0, "{output:#?}");
}

/// Runs a job during which `between` is called. Its running programs keep the old version, and
/// later steps and launches use the new one. Returns the output.
fn job_goes_on(site: &Site, between: impl FnOnce()) -> String {
    let home = site.at("ctl", "/home/alice");
    let [ready, go] = ["ready", "go"].map(|name| home.join(name));
    let _ = (fs::remove_file(&ready), fs::remove_file(&go));
    let inside =
        "touch ready-$SLURM_PROCID; until [ -e go ]; do sleep 0.1; done; cat /etc/image-name";
    let launch = "apptainer exec docker://o/i:1";
    let miss = "apptainer exec docker://o/missing:1 true";
    let script = format!(
        "rm -f ready-*
         {launch} sh -c 'touch ready-script; until [ -e go ]; do sleep 0.1; done; cat /etc/image-name' &
         srun -N3 --overlap {launch} sh -c '{inside}'
         wait
         echo after
         srun -N3 {launch} cat /etc/image-name
         {launch} cat /etc/image-name
         srun -N3 {miss}
         {miss}
         echo end"
    );
    std::thread::scope(|scope| {
        let job = scope.spawn(|| site.sbatch(&["-N3"], &script));
        let names = ["script", "0", "1", "2"];
        until("all launches run", || {
            names.iter().all(|n| home.join(format!("ready-{n}")).exists())
        });
        between();
        fs::write(&go, "").unwrap();
        let output = job.join().unwrap();
        let images = output.stdout.lines().filter(|line| *line == IMAGE).count();
        assert_eq!((output.status, images), (0, 8), "{output:#?}");
        assert!(output.stdout.ends_with("end\n"), "{output:#?}");
        output.stdout
    })
}

fn log(site: &Site) -> String {
    NODES.map(|node| site.log(node)).concat()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn reconfigure_under_a_running_job() {
    let site = Site::new("nested=path");
    site.store(IMAGE, "o/i:1");
    job_goes_on(&site, || reconfigure(&site));
    site.logged("n3", SAID);
    // A change of plugstack.conf takes effect for the next step, without a reconfigure.
    site.plugstack("optional spank_sifcache.so image_root=/nowhere\n");
    site.launch(&[], "docker://o/i:1").tried_the_registry();
    site.plugstack("optional spank_sifcache.so image_root=/shared/sif\n");
    reconfigure(&site);
    site.launch(&[], "docker://o/i:1").ran(IMAGE);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn an_upgrade_under_a_running_job() {
    let site = Site::new("nested=path");
    site.store(IMAGE, "o/i:1");
    let mut upgrade = None;
    job_goes_on(&site, || {
        assert!(!log(&site).contains(NEWER));
        upgrade = Some(Upgrade::make());
    });
    // Later steps used only the new build, on each node.
    for node in NODES {
        site.logged(node, NEWER);
    }
    assert!(!log(&site).contains(SAID), "{}", log(&site));
    // The same for the downgrade.
    job_goes_on(&site, || drop(upgrade.take()));
    for node in NODES {
        site.logged(node, SAID);
    }
}
