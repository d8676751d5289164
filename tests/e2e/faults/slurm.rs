//! Slurm's daemons and the plugin's file are replaced or restarted while a job runs.

use super::table::{Found, compare, ended};
use super::{NAME, WITHOUT, on_n1, ours, seen, settled, unharmed, with};
use crate::kit::{IMAGE, Output, SHARED, SLURMD, Site, built, plugin_directory, push};

/// A file that exists once the task runs. The node's own /tmp is also visible in the container.
const STARTED: &str = "/tmp/started";
/// A file that lets the task end.
const GO: &str = "/tmp/go";

/// Runs `command`, calls `change` while its task waits, and returns the output.
fn meanwhile(site: &Site, image: &str, change: &dyn Fn()) -> Output {
    on_n1(site, &format!("rm -f {STARTED} {GO}"));
    let script = format!(
        "touch {STARTED}; n=0; until [ -e {GO} ] || [ $n -gt 600 ]; do sleep 0.05; n=$((n+1)); done; \
         cat /etc/image-name; exit 3"
    );
    std::thread::scope(|scope| {
        let words = ["-w", "n1", "apptainer", "exec", image, "sh", "-c", &script];
        let job = scope.spawn(move || site.srun(&words));
        on_n1(site, &format!("timeout 60 sh -c 'until [ -e {STARTED} ]; do sleep 0.05; done'"));
        change();
        on_n1(site, &format!("touch {GO}"));
        job.join().unwrap()
    })
}

/// Asserts that a hit ends like a launch of the image by its path without the plugin, and that a
/// step that starts after the change also runs.
#[track_caller]
fn meets(site: &Site, fault: &str, change: &dyn Fn()) {
    install_plugin();
    site.plugstack(WITHOUT);
    let typed = meanwhile(site, &format!("{SHARED}/{NAME}"), change);
    install_plugin();
    let before = seen(site);
    site.plugstack(&with());
    let hit = meanwhile(site, &format!("docker://{NAME}"), change);
    assert_eq!((hit.status, &hit.stdout), (typed.status, &typed.stdout), "{hit:#?}");
    assert_eq!(hit.status, 3, "{hit:#?}");
    let log = settled(site, &before);
    assert!(log.contains("event=hit"), "{log}");
    let next = site.srun(&["-w", "n1", "echo", "runs"]);
    assert_eq!((next.status, next.stdout.as_str()), (0, "runs\n"), "{next:#?}");
    let found = Found {
        without: format!("launch by path: {}", ended(&typed)),
        with: "the same, and the next step runs".to_owned(),
        user: ours(&hit.stderr),
        admin: ours(&log),
    };
    compare(fault, &found);
    unharmed(site);
}

fn library() -> String {
    format!("{}/spank_sifcache.so", plugin_directory())
}

/// Replaces the file by renaming, like `make install`.
fn install_plugin() {
    push(&built("libspank_sifcache.so"), &library(), "755");
}

#[test]
#[ignore = "needs a testbed: make test"]
fn daemons() {
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let answers = "for n in $(seq 500); do scontrol show slurmd >/dev/null 2>&1 && exit; \
        sleep 0.02; done; exit 1";
    meets(&site, "slurmd is killed and restarted", &|| {
        let restart = format!(
            "pkill -KILL -x '{SLURMD}'; while pgrep -x '{SLURMD}'; do sleep 0.02; done; slurmd"
        );
        on_n1(&site, &format!("{restart}; {answers}"));
    });
    meets(&site, "`scontrol reconfigure`", &|| {
        on_n1(&site, &format!("scontrol reconfigure && {answers}"));
    });
    let restart = |signal: &str, before: &str| {
        let restart = format!(
            "{before}; pkill -{signal} -x slurmctld; while pgrep -x slurmctld; do sleep 0.02; done; \
             slurmctld; for n in $(seq 500); do scontrol ping | grep -q UP && exit; sleep 0.02; \
             done; exit 1"
        );
        let output = site.exec(&[], &["bash", "-c", &restart], "");
        assert_eq!(output.status, 0, "{output:#?}");
    };
    meets(&site, "slurmctld is restarted", &|| restart("TERM", "true"));
    // slurmctld loses the changes since it last saved its state, which happens some seconds after a
    // change.
    let saved = "touch /tmp/now; for n in $(seq 100); do \
        [ /var/spool/slurmctld/job_state -nt /tmp/now ] && break; sleep 0.1; done";
    meets(&site, "slurmctld is killed and restarted", &|| restart("KILL", saved));
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_library() {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            install_plugin();
        }
    }
    let site = Site::new("");
    site.store(IMAGE, NAME);
    let _back = Back;
    meets(&site, "the plugin is replaced by a rename", &install_plugin);
    let library = library();
    for (fault, change) in [
        ("the plugin is removed", format!("rm -f {library}")),
        ("the plugin is made unreadable", format!("chmod 000 {library}")),
    ] {
        meets(&site, fault, &|| {
            on_n1(&site, &change);
        });
    }
}
