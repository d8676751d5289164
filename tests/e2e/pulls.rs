//! Pulls that the shim answers.
//!
//! Generated command lines run through the real runtime with a registry, and through the shim
//! without one. Exit status, messages and the resulting files must be the same.

use crate::kit::generated::{Random, assert_same, run};
use crate::kit::registry::{digest, disk};
use crate::kit::tree::sha256;
use crate::kit::{IMAGE, Output, SHARED, Site, plugins_can_prepend, with_hub};
use std::collections::BTreeSet;
use std::fs;

const RUNTIME: &str = "/usr/bin/apptainer";
const SHIM: &str = "/usr/libexec/sifcache/bin/apptainer";

/// The number of generated command lines.
const LINES: usize = 110;

const ENVIRONMENT: [&str; 10] = [
    "",
    "",
    "",
    "SINGULARITY_PULLFOLDER=",
    "SINGULARITY_PULLFOLDER=directory SINGULARITY_FORCE=0",
    "SINGULARITY_TMPDIR=/tmp SINGULARITY_CACHEDIR=$HOME/.apptainer",
    "APPTAINER_PULLFOLDER=directory",
    "APPTAINER_PULL_NAME=by-variable",
    "APPTAINER_FORCE=1",
    "APPTAINER_QUIET=1",
];
const GLOBAL: [&str; 9] = ["", "", "", "-q", "-s", "--quiet", "--silent", "--nocolor", "-sq"];
const FORCE: [&str; 7] =
    ["", "", "-F", "--force", "--force=false", "-F --tmpdir /tmp", "--force --force"];
const DIRECTORY: [&str; 14] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "--dir directory",
    "--dir=./directory//",
    "--dir to-directory",
    "--dir .",
    "--dir nowhere",
    "--dir file",
];
const NAME: [&str; 18] = [
    "",
    "",
    "new.sif",
    "./new",
    "directory/new",
    "../there/new",
    "directory/../new",
    "$PWD/new",
    "file",
    "readonly",
    "link",
    "dangling",
    "directory",
    "directory",
    "to-directory",
    "nowhere/new",
    "file/new",
    "locked/new",
];
const UMASK: [&str; 3] = ["022", "077", "002"];

/// Reads lines `UMASK COMMAND`, and runs each in a directory of its own that has files of several
/// kinds. Prints the result of each, after a line `== NUMBER`.
pub(crate) const RUN: &str = r#"
    cd && rm -rf pulls && mkdir pulls && cd pulls || exit
    number=0
    while read -r mask command; do
        mkdir there && cd there || exit
        echo old >file && echo old >readonly && chmod 444 readonly
        mkdir directory locked && chmod 555 locked
        ln -s file link && ln -s nowhere dangling && ln -s directory to-directory
        echo "== $number"
        (umask $mask && eval "$command") >../out 2>../err </dev/null
        echo "status $?"
        sed 's/^/out: /' ../out
        sed 's/tmp-copy-[0-9]*/tmp-copy-N/g; s/^/err: /' ../err
        find . ! -name . -printf '%p %y %m %U:%G %l\n' | sort
        find . -type f -exec sha256sum {} + | sort -k 2
        chmod 755 locked && cd .. && rm -rf there
        number=$((number + 1))
    done
"#;

/// Different command lines, with PROGRAM in place of the program.
fn lines(images: &[&str]) -> Vec<String> {
    let mut random = Random(20_261_129);
    let mut lines = BTreeSet::new();
    while lines.len() < LINES {
        let name =
            match (random.one_of(&["--name ", "--name=", "", "", "both"]), random.one_of(&NAME)) {
                (_, "") => String::new(),
                ("both", name) => format!("--name {name} ignored"),
                (option, name) => format!("{option}{name}"),
            };
        let words = [
            random.one_of(&UMASK),
            random.one_of(&ENVIRONMENT),
            "PROGRAM",
            random.one_of(&GLOBAL),
            "pull",
            random.one_of(&FORCE),
            random.one_of(&DIRECTORY),
            &name,
            random.one_of(images),
        ];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        lines.insert(words.join(" "));
    }
    lines.into_iter().collect()
}

/// The image in the cache of the site is the one in alice's own cache. Otherwise the runtime would
/// convert it again, to a file with other times in its header.
#[test]
#[ignore = "needs a testbed: make test"]
fn the_result_is_that_of_the_runtime() {
    let site = Site::new("");
    let repository = IMAGE.split(':').next().unwrap();
    let (lines, expected) = with_hub(|| {
        let digest = digest(IMAGE);
        let uri = format!("docker://{IMAGE}");
        let made = site.alice(&[RUNTIME, "pull", "--force", "/home/alice/made.sif", &uri]);
        assert_eq!(made.status, 0, "{made:#?}");
        for name in [IMAGE, &format!("{repository}@{digest}")] {
            let path = site.at("ctl", SHARED).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::copy(site.at("ctl", "/home/alice/made.sif"), path).unwrap();
        }
        let full = format!("docker://docker.io/{IMAGE}");
        let pinned = format!("docker://{repository}@{digest}");
        let lines = lines(&[&uri, &full, &pinned]);
        let expected = run(&site, RUN, &lines, RUNTIME);
        (lines, expected)
    });
    let answered = run(&site, RUN, &lines, SHIM);
    assert_same(&lines, &expected, &answered);
    let with = |text: &str| answered.iter().filter(|result| result.contains(text)).count();
    let counts = [with("status 0"), with("already exists"), with("could not open"), with("rename")];
    assert!(counts.iter().all(|count| *count > 1) && counts[0] > LINES / 3, "{counts:?}");
}

/// Runs one pull on n1, and returns its result and the digest of the file, if there is one.
fn on_n1(site: &Site, words: &[&str]) -> (Output, Option<String>) {
    let file = site.at("n1", "/tmp/pulled.sif");
    let _ = fs::remove_file(&file);
    let output = site.srun(&[&["-w", "n1", "--chdir=/tmp"], words].concat());
    let digest = file.is_file().then(|| sha256(&file));
    let _ = fs::remove_file(&file);
    (output, digest)
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_tasks_own_command() {
    for nested in ["path", "preload", "off"] {
        let site = Site::new(&format!("nested={nested}"));
        let image = sha256(&site.store(IMAGE, "o/i:1"));
        for program in ["apptainer", RUNTIME] {
            let pull = |image| [program, "pull", "pulled.sif", image];
            let (output, digest) = on_n1(&site, &pull("docker://o/i:1"));
            let answered = plugins_can_prepend() || (nested, program) == ("path", "apptainer");
            if !answered {
                output.tried_the_registry();
                assert_eq!(digest, None);
                continue;
            }
            assert_eq!((output.status, output.stdout.as_str()), (0, ""), "{output:#?}");
            // srun itself may write that the job had to wait.
            assert!(output.stderr.ends_with("INFO:    Using cached SIF image\n"), "{output:#?}");
            assert_eq!(digest.as_ref(), Some(&image), "{nested} {program}");
            let (output, digest) = on_n1(&site, &pull("docker://o/i:2"));
            output.tried_the_registry();
            assert_eq!(digest, None);
            let required = [&["--sif-cache=require"], &pull("docker://o/i:2")[..]].concat();
            let (output, _) = on_n1(&site, &required);
            assert_eq!(output.status, 66, "{output:#?}");
            let off = [&["--sif-cache=off"], &pull("docker://o/i:1")[..]].concat();
            on_n1(&site, &off).0.tried_the_registry();
            site.logged(
                "n1",
                "uid=1001 via=pull reference=docker.io/o/i:1 image=/shared/sif/o/i:1",
            );
            site.logged("n1", "uid=1001 via=pull reference=docker.io/o/i:2");
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn pulls_inside_a_script() {
    for (nested, programs) in
        [("path", &["apptainer"] as &[&str]), ("preload", &["apptainer", RUNTIME])]
    {
        let site = Site::new(&format!("nested={nested}"));
        let image = sha256(&site.store(IMAGE, "o/i:1"));
        for program in programs {
            let script = format!(
                "cd && rm -f x && {program} pull --name x docker://o/i:1 >/dev/null && stat -c '%a %U' x"
            );
            let output = site.sbatch(&[], &script);
            let expected = "INFO:    Using cached SIF image\n755 alice\n";
            assert_eq!((output.status, output.stdout.as_str()), (0, expected), "{output:#?}");
            assert_eq!(sha256(&site.at("ctl", "/home/alice/x")), image);
            site.logged("n1", "step=batch node=0 uid=1001 via=pull reference=docker.io/o/i:1");
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn a_full_disk() {
    let site = Site::new("");
    site.store(IMAGE, "o/i:1");
    let _disk = disk("/small", 64);
    assert_eq!(site.exec(&[], &["chmod", "777", "/small"], "").status, 0);
    let output = site.alice(&[SHIM, "pull", "/small/x", "docker://o/i:1"]);
    assert_eq!(output.status, 255, "{output:#?}");
    let start = "INFO:    Using cached SIF image\nFATAL:   While making image from oci registry: \
                 error copying image out of cache: could not copy file: write /small/tmp-copy-";
    assert!(output.stderr.starts_with(start), "{output:#?}");
    assert!(output.stderr.ends_with(": no space left on device\n"), "{output:#?}");
    assert_eq!(site.alice(&["ls", "-A", "/small"]).stdout, "");
}
