//! Runtimes that a job copies to the nodes before it starts them: `srun --bcast`, `sbcast`.

use crate::kit::{IMAGE, Output, Site, WHICH};

const THERE: &str = "docker://o/i:1";
const ABSENT: &str = "docker://o/i:2";

fn with(settings: &str) -> String {
    format!("optional spank_sifcache.so image_root=/local/sif:/shared/sif {settings}\n")
}

/// The ways to request `--bcast`. Each is the start of a shell command; the program and its
/// arguments follow.
const WAYS: [&str; 6] = [
    "srun -w n1 --bcast=/tmp/copy",
    "srun -w n1 --bcast=/tmp/",
    "cd /tmp && srun -w n1 --bcast",
    "SLURM_BCAST=/tmp/copy srun -w n1",
    "srun -w n1 --bcast=/tmp/copy --export=NONE",
    "srun -w n1 --bcast=/tmp/copy --export=A=B",
];

#[derive(Clone, Copy, Debug)]
enum Place {
    LoginNode,
    /// Inside a job whose commands go through the shims.
    Job,
}

const PLACES: [Place; 2] = [Place::LoginNode, Place::Job];

fn run(site: &Site, place: Place, command: &str) -> Output {
    match place {
        Place::LoginNode => shell(site, command),
        Place::Job => site.sbatch(&[], command),
    }
}

fn shell(site: &Site, command: &str) -> Output {
    site.alice(&["bash", "-c", command])
}

/// The lines of standard output, without srun's messages about a step that has to wait.
fn printed(output: &Output) -> Vec<&str> {
    output.stdout.lines().filter(|line| !line.starts_with("srun: ")).collect()
}

/// Both streams. A batch job writes both to one file.
fn both_streams(output: &Output) -> String {
    [output.stdout.as_str(), &output.stderr].concat()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn every_way_runs_as_without_us() {
    let site = Site::new("");
    // The copy is identical to the runtime.
    let same = "srun -w n1 -n1 bash -c 'test ! -e /tmp/copy || cmp /tmp/copy $(readlink -f \
                /usr/bin/singularity); rm -f /tmp/copy /tmp/slurm_bcast_*'";
    for way in WAYS {
        let command = format!("{way} singularity --version; {same}");
        for place in PLACES {
            site.plugstack("");
            let without = run(&site, place, &command);
            assert!(without.stdout.contains(" version "), "{place:?}, {way}: {without:#?}");
            for nested in ["nested=path", "nested=preload"] {
                site.plugstack(&with(nested));
                let output = run(&site, place, &command);
                assert_eq!(printed(&output), printed(&without), "{place:?}, {way}, {nested}");
                assert_eq!(output.status, without.status, "{place:?}, {way}, {nested}");
            }
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_copied_runtime_starts_the_image() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let which = WHICH.join(" ");
    for way in WAYS {
        for runtime in ["apptainer", "/usr/bin/singularity"] {
            for place in PLACES {
                let command = format!("{way} {runtime} exec {THERE} {which}");
                run(&site, place, &command).ran(IMAGE);
            }
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn require_and_on_miss_fail_prevent_a_pull() {
    let site = Site::new("");
    for (settings, option, because) in [
        ("", "--sif-cache=require", "because of --sif-cache=require"),
        ("on_miss=fail", "", "is not in the image cache of this cluster"),
    ] {
        site.plugstack(&with(settings));
        for way in WAYS {
            let way = way.replace("-w n1", &format!("-w n1 {option}"));
            for place in PLACES {
                let command = format!("{way} singularity exec {ABSENT} true");
                let output = run(&site, place, &command);
                assert_eq!(output.status, 66, "{place:?}, {way}: {output:#?}");
                assert!(both_streams(&output).contains(because), "{place:?}, {way}: {output:#?}");
            }
        }
    }
}

/// The original name of a copy made by another program (sbcast) is unknown.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_copy_with_an_unknown_name_is_reported() {
    let site = Site::new("");
    // Neither the size nor the content is that of the node's runtime.
    let other = "/home/alice/other-release";
    let made = shell(&site, &format!("(cat /usr/bin/apptainer; echo) >{other}; chmod 755 {other}"));
    assert_eq!(made.status, 0, "{made:#?}");
    let message = "sifcache: /tmp/copied does not have the name of a container runtime (singularity, apptainer)";
    for (settings, option, program, is_reported) in [
        ("", "--sif-cache=require", "/usr/bin/apptainer", true),
        ("on_miss=fail", "", "/usr/bin/apptainer", true),
        ("on_miss=fail nested=off", "", "/usr/bin/apptainer", true),
        ("on_miss=fail", "--export=PATH=/nowhere", "/usr/bin/apptainer", true),
        ("on_miss=fail", "--sif-cache=off", "/usr/bin/apptainer", false),
        ("on_miss=fail", "", other, true),
        ("on_miss=fail", "", "/usr/bin/which", false),
        ("", "", "/usr/bin/apptainer", false),
    ] {
        site.plugstack(&with(settings));
        let text = format!(
            "sbcast -f {program} /tmp/copied\n\
             srun -n1 {option} /tmp/copied exec {ABSENT} true; rm /tmp/copied"
        );
        let output = site.sbatch(&[], &text);
        let reported = both_streams(&output).contains(message);
        assert_eq!(reported, is_reported, "{settings} {option} {program}: {output:#?}");
    }
}

/// The components of a heterogeneous step share one environment.
#[test]
#[ignore = "needs a testbed: make test"]
fn heterogeneous_steps() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let which = WHICH.join(" ");
    let step = |settings: &str, option: &str, first: &str, second: &str| {
        site.plugstack(settings);
        let command = format!(
            "srun {option} -w n1 --bcast=/tmp/copy {first} : -w n2 --bcast=/tmp/other {second}"
        );
        let output = shell(&site, &command);
        let remove = "rm -f /tmp/copy /tmp/other";
        for node in ["n1", "n2"] {
            site.exec(&["--on", node], &["sh", "-c", remove], "");
        }
        output
    };
    let sorted = |output: &Output| {
        let mut lines: Vec<_> = printed(output).into_iter().map(str::to_owned).collect();
        lines.sort();
        (output.status, lines)
    };
    for (first, second) in
        [("apptainer --version", "singularity --version"), ("hostname", "apptainer --version")]
    {
        let without = step("", "", first, second);
        assert_eq!((without.status, printed(&without).len()), (0, 2), "{without:#?}");
        let with = step(&with(""), "", first, second);
        assert_eq!(sorted(&with), sorted(&without), "{first} : {second}");
    }
    let there = |runtime: &str| format!("{runtime} exec {THERE} {which}");
    for (first, second, hits) in [
        (there("apptainer"), there("/usr/bin/singularity"), 2),
        (format!("apptainer exec {THERE} sh -c '{which}'"), there("singularity"), 2),
        ("hostname".to_owned(), there("singularity"), 1),
        (there("singularity"), "hostname".to_owned(), 1),
    ] {
        let output = step(&with(""), "", &first, &second);
        let found = printed(&output).into_iter().filter(|line| *line == IMAGE).count();
        assert_eq!((output.status, found), (0, hits), "{first} : {second}: {output:#?}");
    }
    let absent = format!("singularity exec {ABSENT} true");
    for (settings, option) in [("", "--sif-cache=require"), ("on_miss=fail", "")] {
        for (first, second) in [(&*there("apptainer"), &*absent), (&absent, "hostname")] {
            let output = step(&with(settings), option, first, second);
            assert_eq!(output.status, 66, "{settings} {option} {first} : {second}: {output:#?}");
            assert!(both_streams(&output).contains("is not in the image cache of this cluster"));
        }
    }
    // The same arguments for a program that is not a runtime: no name is passed, and a message
    // reports this.
    let other = absent.replacen("singularity", "echo", 1);
    for (settings, option, is_reported) in [
        ("", "--sif-cache=require", true),
        ("on_miss=fail", "", true),
        ("", "", false),
        ("on_miss=fail", "--sif-cache=off", false),
    ] {
        for (first, second) in [(&absent, &other), (&other, &absent)] {
            let output = step(&with(settings), option, first, second);
            let text = both_streams(&output);
            assert!(text.contains(&format!("exec {ABSENT} true\n")), "echo runs: {text}");
            for copy in ["/tmp/copy", "/tmp/other"] {
                let line =
                    format!("sifcache: {copy} does not have the name of a container runtime (");
                assert_eq!(text.contains(&line), is_reported, "{settings} {option}: {text}");
            }
        }
    }
}

/// A cli_filter plugin of the site, active for commands that run with [`Filter::CONF`].
struct Filter<'a>(&'a Site);

impl<'a> Filter<'a> {
    const CONF: &'static str = "SLURM_CONF=/shared/filter/slurm.conf";

    fn new(site: &'a Site, defaults: &str) -> Self {
        let script = "rm -rf /shared/filter; mkdir /shared/filter; cd /shared/filter; \
            ln -s /etc/slurm/* .; rm slurm.conf; cat >cli_filter.lua; \
            (cat /etc/slurm/slurm.conf; echo CliFilterPlugins=cli_filter/lua) >slurm.conf";
        let lua = format!(
            "function slurm_cli_setup_defaults(options, early)\n\
             if options['type'] == 'srun' then {defaults} end\nreturn slurm.SUCCESS\nend\n\
             function slurm_cli_pre_submit() return slurm.SUCCESS end\n\
             function slurm_cli_post_submit() return slurm.SUCCESS end\n"
        );
        let output = site.exec(&[], &["sh", "-ec", script], &lua);
        assert_eq!(output.status, 0, "{output:#?}");
        Self(site)
    }
}

impl Drop for Filter<'_> {
    fn drop(&mut self) {
        self.0.exec(&[], &["rm", "-rf", "/shared/filter"], "");
        self.0.exec(&["--on", "n1"], &["rm", "-f", "/tmp/copy"], "");
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_cli_filter_that_adds_bcast() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _filter = Filter::new(&site, "options['bcast'] = '/tmp/copy'");
    let which = WHICH.join(" ");
    let srun = |settings: &str, command: &str| {
        site.plugstack(settings);
        shell(&site, &format!("{} srun -w n1 {command}", Filter::CONF))
    };
    assert_eq!(srun("", "bash -c 'echo $0'").stdout, "/tmp/copy\n", "the filter adds --bcast");
    let without = srun("", "singularity --version");
    assert!(without.stdout.contains(" version "), "{without:#?}");
    for nested in ["nested=path", "nested=preload"] {
        let output = srun(&with(nested), "singularity --version");
        assert_eq!(printed(&output), printed(&without), "{nested}");
        for runtime in ["apptainer", "/usr/bin/singularity"] {
            srun(&with(nested), &format!("{runtime} exec {THERE} {which}")).ran(IMAGE);
        }
        // Inside a job, srun does not see that --bcast will be added, and copies the shim.
        site.plugstack(&with(nested));
        let inside = |command: &str| {
            let step = format!("{} srun -w n1 {command}", Filter::CONF);
            site.sbatch(&["-w", "n1"], &step)
        };
        assert_eq!(printed(&inside("singularity --version")), printed(&without), "{nested}");
        for runtime in ["apptainer", "/usr/bin/singularity"] {
            inside(&format!("{runtime} exec {THERE} {which}")).ran(IMAGE);
        }
    }
    let absent = format!("singularity exec {ABSENT} true");
    for (settings, option) in [("", "--sif-cache=require"), ("on_miss=fail", "")] {
        let output = srun(&with(settings), &format!("{option} {absent}"));
        assert_eq!(output.status, 66, "{settings} {option}: {output:#?}");
        assert!(both_streams(&output).contains("is not in the image cache of this cluster"));
    }
}

/// A cli_filter can select the cache mode only through the environment of the step.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_cli_filter_that_sets_the_cache_mode() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _filter = Filter::new(&site, "options['export'] = 'ALL,SIF_CACHE=require'");
    let launch = |image: &str| {
        shell(
            &site,
            &format!("{} srun -w n1 apptainer exec {image} cat /etc/image-name", Filter::CONF),
        )
    };
    launch(THERE).ran(IMAGE);
    let output = launch(ABSENT);
    assert_eq!(output.status, 66, "{output:#?}");
}

/// Other copied programs, and programs that a copied runtime starts, do not see the variable
/// `SLURM_SIFCACHE_BROADCAST`.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_variable_does_not_reach_the_program() {
    let site = Site::new("nested=off");
    let output = shell(&site, "srun -w n1 --bcast=/tmp/copy env docker://x=1 env | grep SIFCACHE");
    assert_eq!(output.stdout, "", "{output:#?}");
    let forged = "SLURM_SIFCACHE_BROADCAST=0:apptainer srun -w n1 env | grep SIFCACHE";
    let output = shell(&site, forged);
    assert_eq!(output.stdout, "", "{output:#?}");
}
