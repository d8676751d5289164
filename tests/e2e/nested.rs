//! Launches inside a script: the log line, the effect of a miss, and which tasks go through the
//! shim.

use crate::kit::{IMAGE, Output, Site};
use std::fs;

const BOTH: [&str; 2] = ["nested=path", "nested=preload"];
const CACHED: &str = "apptainer exec docker://o/i:1 cat /etc/image-name";
const ABSENT: &str = "apptainer exec docker://o/i:2 cat /etc/image-name";

#[test]
#[ignore = "needs a testbed: make test"]
fn every_launch_is_one_line_in_syslog() {
    for nested in BOTH {
        let site = Site::new(nested);
        site.store(IMAGE, "o/i:1");
        site.sbatch(&[], &format!("{CACHED}; srun bash -c '{CACHED}'; srun {CACHED}; {ABSENT}"));
        for line in [
            "step=batch node=0 uid=1001 via=shim reference=docker.io/o/i:1 image=/shared/sif/o/i:1",
            "step=0 node=0 uid=1001 via=shim reference=docker.io/o/i:1",
            "step=1 node=0 tasks=1 uid=1001 reference=docker.io/o/i:1",
            "step=batch node=0 uid=1001 via=shim reference=docker.io/o/i:2",
        ] {
            site.logged("n1", line);
        }
        let log = site.log("n1");
        assert_eq!((log.matches("event=hit").count(), log.matches("event=miss").count()), (3, 1));
    }
}

/// Makes the shim non-executable until this is dropped, so that every command that needs it fails.
struct Locked<'a>(&'a Site);

impl<'a> Locked<'a> {
    fn new(site: &'a Site) -> Self {
        Self::mode(site, "000");
        Self(site)
    }

    fn mode(site: &Site, mode: &str) {
        let programs = "find /usr/libexec/sifcache -type f ! -name '*.so' -exec chmod";
        let words = ["sh", "-c", &format!("{programs} {mode} {{}} +")];
        assert_eq!(site.exec(&["--on", "n1"], &words, "").status, 0);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        Self::mode(self.0, "755");
    }
}

/// A step whose own command the plugin has already handled starts the runtime directly, even if a
/// script passes the shim's environment to the step.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_steps_own_command_does_not_use_the_shim() {
    for nested in BOTH {
        let site = Site::new(nested);
        site.store(IMAGE, "o/i:1");
        // The script locks the shim after it has started, so that its own environment still refers
        // to the shim.
        let script = |launch: &str| {
            let job = format!("until test -e go; do sleep 0.05; done; {launch}");
            let go = site.at("ctl", "/home/alice/go");
            let _ = fs::remove_file(&go);
            std::thread::scope(|scope| {
                let job = scope.spawn(|| site.sbatch(&["-w", "n1"], &job));
                site.logged("n1", "task 0 (");
                let _locked = Locked::new(&site);
                fs::write(&go, "").unwrap();
                job.join().unwrap()
            })
        };
        script(&format!("srun {CACHED}")).ran(IMAGE);
    }
    // Checks that the lock works: a script cannot use the shim, and does not get the cached image.
    let site = Site::new("nested=path");
    site.store(IMAGE, "o/i:1");
    let _locked = Locked::new(&site);
    site.srun(&["-w", "n1", "bash", "-c", CACHED]).tried_the_registry();
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_miss_ends_the_launch_with_fail_or_require() {
    let missing = |output: &Output, why: &str| {
        assert_eq!(output.status, 66, "{output:#?}");
        for part in ["docker.io/o/i:2 is not in the image cache", "in the cache: 1\n", why] {
            assert!(output.stdout.contains(part), "{part}: {output:#?}");
        }
    };
    for nested in BOTH {
        let site = Site::new(&format!("{nested} on_miss=fail"));
        site.store(IMAGE, "o/i:1");
        missing(
            &site.sbatch(&[], ABSENT),
            "the launch fails because of on_miss=fail in plugstack.conf",
        );
        let own = site.sbatch(&["--sif-cache=off"], ABSENT);
        assert!(own.stdout.contains("connection refused"), "{own:#?}");
        site.plugstack(&format!("optional spank_sifcache.so image_root=/shared/sif {nested}\n"));
        missing(&site.sbatch(&["--sif-cache=require"], ABSENT), "--sif-cache=require");
        missing(&site.sbatch(&[], &format!("export SIF_CACHE=require\n{ABSENT}")), "SIF_CACHE");
        let off = site.sbatch(&[], &format!("export SIF_CACHE=off\n{CACHED}"));
        assert!(off.stdout.contains("connection refused"), "{off:#?}");
        let misspelt = site.sbatch(&[], &format!("export SIF_CACHE=of\n{CACHED}"));
        assert!(misspelt.stdout.contains("SIF_CACHE=of is ignored"), "{misspelt:#?}");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn srun_v_shows_a_launch_inside_a_script() {
    for nested in BOTH {
        let site = Site::new(nested);
        site.store(IMAGE, "o/i:1");
        let output = site.srun(&["-v", "-n2", "bash", "-c", CACHED]);
        let line = "sifcache: docker://o/i:1 is replaced by /shared/sif/o/i:1\n";
        assert_eq!(output.stderr.matches(line).count(), 1, "{output:#?}");
        assert_eq!(site.srun(&["bash", "-c", CACHED]).stderr, "", "no message is printed");
    }
}

/// Outside of a job, the shim reads plugstack.conf.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_shim_on_a_login_node() {
    let site = Site::new("nested=off");
    site.store(IMAGE, "o/i:1");
    let shim = "/usr/libexec/sifcache/bin/apptainer";
    let words = [shim, "exec", "docker://o/i:1", "cat", "/etc/image-name"];
    site.exec(&["--user", "alice", "--on", "n1"], &words, "").ran(IMAGE);
    let nowhere = |shim: &str| {
        site.exec(&["--user", "alice"], &["env", "PATH=/nowhere", shim, "version"], "")
    };
    assert_eq!(nowhere(shim).status, 0, "{:#?}", nowhere(shim));
    let other = "/usr/libexec/sifcache/bin-other/other";
    let label = format!(
        "mkdir ${{0%/*}} && cat /usr/libexec/sifcache/sifcache-shim >$0 && chmod 755 $0 && {}",
        "printf '\\nsifcache-shim for other\\n' >>$0"
    );
    assert_eq!(site.exec(&[], &["sh", "-c", &label, other], "").status, 0);
    let nobody = nowhere(other);
    site.exec(&[], &["rm", "-r", "/usr/libexec/sifcache/bin-other"], "");
    assert_eq!(nobody.status, 127, "{nobody:#?}");
    assert!(nobody.stderr.starts_with("sifcache: other: not found in PATH"), "{nobody:#?}");
    let help = site.alice(&["/usr/libexec/sifcache/sifcache-shim", "--help"]);
    assert!(help.status == 0 && help.stdout.contains("sifcache explain"), "{help:#?}");
}

/// For a program that cannot be executed, the shim behaves like slurmstepd.
#[test]
#[ignore = "needs a testbed: make test"]
fn programs_of_multi_prog_that_fail() {
    let site = Site::with_line("# nothing\n");
    site.store(IMAGE, "o/i:1");
    let statuses = || {
        ["no-such-program", "/etc/passwd", "/bin/false", "./bin", "bash -c 'exit 7'", "true"].map(
            |program| {
                let file = site.at("ctl", "/home/alice/programs");
                fs::write(file, format!("0 {program}\n")).unwrap();
                site.srun(&["-n1", "--multi-prog", "/home/alice/programs"]).status
            },
        )
    };
    let without = statuses();
    site.plugstack("optional spank_sifcache.so image_root=/shared/sif\n");
    assert_eq!(statuses(), without);
    fs::write(site.at("ctl", "/home/alice/programs"), format!("0 {ABSENT}\n")).unwrap();
    let words = ["-n1", "--sif-cache=require", "--multi-prog", "/home/alice/programs"];
    assert_eq!(site.srun(&words).status, 66);
}

/// The snippets for login shells, each in its own shell.
#[test]
#[ignore = "needs a testbed: make test"]
fn snippets_for_login_shells() {
    let site = Site::new("");
    let shims = "/usr/libexec/sifcache/bin";
    let path = |shell: &str, file: &str, settings: Option<&str>, before: &str| {
        let source = format!(". /etc/profile.d/zz-sifcache.{file} && printenv PATH");
        let source = if file == "csh" { source.replacen('.', "source", 1) } else { source };
        let settings = settings.map(|settings| format!("SINGULARITY_SIFCACHE={settings}"));
        let path = format!("PATH={before}");
        let mut words = vec!["env", &path];
        words.extend(settings.as_deref());
        words.extend([shell, "-c", &source]);
        let output = site.alice(&words);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{shell} {output:#?}");
        output.stdout.trim_end().to_owned()
    };
    let bin = "/usr/bin:/bin";
    let behind = format!("/usr/bin:{shims}-apptainer");
    for (shell, file) in [("/bin/sh", "sh"), ("/bin/bash", "sh"), ("/bin/tcsh", "csh")] {
        // csh cannot test whether two names refer to the same file.
        let linked = if file == "csh" { "" } else { "-linked" };
        let in_front = format!("{shims}{linked}:/usr/bin:/bin");
        assert_eq!(path(shell, file, None, bin), bin, "{shell}");
        assert_eq!(path(shell, file, Some("image_root=/s"), bin), in_front, "{shell}");
        let preload = Some("image_root=/s nested=preload");
        assert_eq!(path(shell, file, preload, bin), bin, "{shell}");
        assert_eq!(path(shell, file, Some("image_root=/s"), &behind), behind, "{shell}");
    }
}

/// Simulates a Slurm before 23.11. In the library, the name of the function that the plugin looks
/// up is changed to a name that this Slurm does not have.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_slurm_that_cannot_prepend() {
    let site = Site::with_line("# nothing\n");
    site.store(IMAGE, "o/i:1");
    let mut library = fs::read(crate::kit::built("libspank_sifcache.so")).unwrap();
    let name = b"spank_prepend_task_argv\0";
    let place = library.windows(name.len()).position(|window| window == name).unwrap();
    library[place] = b'S';
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, library).unwrap();
    let plugin = format!("{}/sifcache_old.so", crate::kit::plugin_directory());
    crate::kit::push(file.path(), &plugin, "0755");
    let run = |nested: &str, program: &str| {
        site.plugstack(&format!("optional sifcache_old.so image_root=/shared/sif {nested}\n"));
        fs::write(site.at("ctl", "/home/alice/programs"), format!("0 {program}\n")).unwrap();
        site.srun(&["-w", "n1", "-n1", "--multi-prog", "/home/alice/programs"])
    };
    // What `nested=` covers on such a release.
    run("nested=path", CACHED).ran(IMAGE);
    run("nested=path", &format!("bash -c '{CACHED}'")).ran(IMAGE);
    run("nested=preload", &format!("env A=B /usr/bin/{CACHED}")).ran(IMAGE);
    run("nested=path", &format!("/usr/bin/{CACHED}")).tried_the_registry();
    site.logged("n1", "the commands of --multi-prog are not covered: this Slurm release");
}
