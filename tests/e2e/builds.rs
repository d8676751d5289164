//! Builds from an image in the cache.
//!
//! Generated command lines run through the real runtime with a registry, and through the shim
//! without one. Exit status, messages except those about the source, and the resulting files must
//! be the same.

use crate::kit::generated::{Random, assert_same, run};
use crate::kit::{IMAGE, OTHER, SHARED, Site, WHICH, thorough, with_hub};
use std::collections::BTreeSet;

const RUNTIME: &str = "/usr/bin/apptainer";
const SHIM: &str = "/usr/libexec/sifcache/bin/apptainer";
/// The message of a build from the image `o/i:1` of the site.
const VERIFYING: &str = "INFO:    Verifying bootstrap image /shared/sif/o/i:1\n";

/// The number of generated command lines. Each one costs a second of processor time.
fn number_of_lines() -> usize {
    if thorough() { 40 } else { 16 }
}

const ENVIRONMENT: [&str; 7] = [
    "",
    "",
    "",
    "APPTAINER_SANDBOX=1",
    "SINGULARITY_SANDBOX=0",
    "APPTAINER_FORCE=1",
    "SINGULARITY_TMPDIR=/var/tmp",
];
const GLOBAL: [&str; 5] = ["", "", "-q", "--silent", "--nocolor"];
const OPTIONS: [&str; 12] = [
    "",
    "",
    "-F",
    "--force --tmpdir /tmp",
    "--sandbox",
    "-s",
    "-sF",
    "--force --sandbox --",
    "--notest -T --section none",
    "--mksquashfs-args -no-xattrs",
    "--bind /opt --nv --library x",
    "--sandbox=false --userns",
];
const TARGET: [&str; 16] = [
    "new.sif",
    "./new",
    "directory/new",
    "directory/../new",
    "$PWD/new",
    "new:1",
    "new,1",
    "file",
    "link",
    "dangling",
    "directory",
    "full",
    "to-directory",
    "nowhere/new",
    "locked/new",
    "file/new",
];
const UMASK: [&str; 3] = ["022", "077", "002"];

/// Reads lines `UMASK COMMAND`, and runs each in a directory of its own that has files of several
/// kinds. Prints the result of each, after a line `== NUMBER`. The files in which the runtime
/// records the source are not compared.
const RUN: &str = r#"
    cd && chmod -R u+rwX builds 2>/dev/null; rm -rf builds && mkdir builds && cd builds || exit
    recorded='[.]singularity[.]d/\(Singularity\|labels.json\|bootstrap_history\)'
    number=0
    while read -r mask command; do
        mkdir there && cd there || exit
        echo old >file && mkdir directory full locked && echo x >full/x && chmod 555 locked
        ln -s file link && ln -s nowhere dangling && ln -s directory to-directory
        echo "== $number"
        (umask $mask && eval "$command") >../out 2>../err </dev/null
        echo "status $?"
        sed 's/^/out: /' ../out
        grep -v '^INFO: *\(Fetching\|Extracting\|Inserting\|Verifying\)' ../err |
            sed 's/\(build-temp-\)[0-9]*/\1N/g; s/^/err: /'
        find . ! -name . -printf '%P %y %m %U:%G %l\n' | grep -v "$recorded" | sort
        find . -type f ! -name labels.json ! -name Singularity ! -path '*/bootstrap_history/*' \
            -print0 | while IFS= read -r -d '' file; do
            if [ "$(head -c 15 "$file" | tr -d '\0')" = '#!/usr/bin/env ' ]; then
                apptainer sif list "$file" | sed 's/|[0-9]*-[0-9]* *|/|/'
                apptainer sif dump 3 "$file"
                offset=$(apptainer sif list "$file" | sed -n 's/.*|\([0-9]*\)-.*Squash.*/\1/p')
                unsquashfs -lln -o "$offset" "$file" | grep -v "$recorded" |
                    sed 's/ [0-9-]* [0-9]*:[0-9]* / /; s/^d\(.*\) [0-9]* squashfs/d\1 squashfs/'
            else
                sha256sum "$file"
            fi
        done | sort
        chmod 755 locked && cd .. && chmod -R u+rwX there && rm -rf there
        number=$((number + 1))
    done
"#;

/// Different command lines, with PROGRAM in place of the program.
fn lines() -> Vec<String> {
    let mut random = Random(20_261_130);
    let mut lines = BTreeSet::new();
    let images = [format!("docker://{IMAGE}"), format!("docker://docker.io/{IMAGE}")];
    let images = images.each_ref().map(String::as_str);
    while lines.len() < number_of_lines() {
        let words = [
            random.one_of(&UMASK),
            random.one_of(&ENVIRONMENT),
            "PROGRAM",
            random.one_of(&GLOBAL),
            "build",
            random.one_of(&OPTIONS),
            random.one_of(&TARGET),
            random.one_of(&images),
        ];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        lines.insert(words.join(" "));
    }
    lines.into_iter().collect()
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_result_is_that_of_the_registry() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    let lines = lines();
    let expected = with_hub(|| run(&site, RUN, &lines, RUNTIME));
    let built = run(&site, RUN, &lines, SHIM);
    assert_same(&lines, &expected, &built);
    let with = |text: &str| built.iter().filter(|result| result.contains(text)).count();
    let counts = [with("status 0"), with("already exists"), with("etc/image-name"), with("Squash")];
    let all = lines.len();
    assert!(counts.iter().all(|count| *count > all / 20) && counts[0] > all / 3, "{counts:?}");
}

/// Starts what was built, on n1.
fn starts(site: &Site, path: &str) {
    let words = ["-w", "n1", "apptainer", "exec", path];
    site.srun(&[&words[..], &WHICH].concat()).ran(IMAGE);
}

#[test]
#[ignore = "needs a testbed: make test"]
fn the_tasks_own_command() {
    for nested in ["path", "preload", "off"] {
        let site = Site::new(&format!("nested={nested}"));
        site.store(IMAGE, "o/i:1");
        for program in ["apptainer", RUNTIME] {
            let build = |more: &[&str], words: &[&str]| {
                let first = ["-w", "n1", "--chdir=/tmp"];
                site.srun(&[&first[..], more, &[program, "build", "-F"], words].concat())
            };
            for words in [&["built"][..], &["--sandbox", "built"]] {
                let output = build(&[], &[words, &["docker://o/i:1"]].concat());
                assert_eq!((output.status, output.stdout.as_str()), (0, ""), "{output:#?}");
                assert!(output.stderr.contains(VERIFYING), "{output:#?}");
                assert!(output.stderr.ends_with("Build complete: built\n"), "{output:#?}");
                starts(&site, "/tmp/built");
            }
            let miss = ["x", "docker://o/i:2"];
            build(&[], &miss).tried_the_registry();
            let required = build(&["--sif-cache=require"], &miss);
            assert_eq!(required.status, 66, "{required:#?}");
            build(&["--sif-cache=off"], &["x", "docker://o/i:1"]).tried_the_registry();
            let line = "node=0 tasks=1 uid=1001 via=build reference=docker.io/o/i:";
            site.logged("n1", &format!("{line}1 image=/shared/sif/o/i:1"));
            site.logged("n1", &format!("{line}2"));
        }
    }
}

#[test]
#[ignore = "needs a testbed: make test"]
fn builds_inside_a_script() {
    for (nested, programs) in
        [("path", &["apptainer"] as &[&str]), ("preload", &["apptainer", RUNTIME])]
    {
        let site = Site::new(&format!("nested={nested}"));
        site.store(IMAGE, "o/i:1");
        for program in programs {
            let script = format!(
                "cd && rm -rf built tree && {program} build built docker://o/i:1 && \
                 {program} -q build --sandbox tree docker://o/i:1 && for image in built tree; do \
                 [ \"$({program} exec $image cat /etc/image-name)\" = {IMAGE} ] || exit 3; done"
            );
            let output = site.sbatch(&[], &script);
            assert_eq!(output.status, 0, "{output:#?}");
            assert!(output.stdout.contains(VERIFYING), "{output:#?}");
            assert!(output.stdout.ends_with("Build complete: built\n"), "{output:#?}");
            site.logged("n1", "step=batch node=0 uid=1001 via=build reference=docker.io/o/i:1");
        }
        // A miss is built from the registry, and the runtime executes itself by its full path.
        let script = format!("cd && {} build -F built docker://{OTHER}", programs[0]);
        let output = with_hub(|| site.sbatch(&[], &script));
        assert_eq!(output.status, 0, "{output:#?}");
        let words = ["-w", "n1", "apptainer", "exec", "built"];
        site.srun(&[&words[..], &WHICH].concat()).ran(OTHER);
        site.logged("n1", "event=miss");
    }
}

/// The runtime cannot unpack a SIF file in a directory whose path has a separator of binds.
#[test]
#[ignore = "needs a testbed: make test"]
fn a_directory_that_cannot_be_bound() {
    let site = Site::new("");
    site.store(IMAGE, IMAGE);
    let (uri, file) = (format!("docker://{IMAGE}"), format!("{SHARED}/{IMAGE}"));
    let build = |program: &str, image: &str| {
        let script = format!(
            "rm -rf ~/a:b && mkdir ~/a:b && cd ~/a:b && {program} build --sandbox x {image}"
        );
        site.alice(&["bash", "-c", &script])
    };
    let built = with_hub(|| build(SHIM, &uri));
    assert!(built.status == 0 && built.stderr.contains("Fetching OCI image"), "{built:#?}");
    let failed = build(RUNTIME, &file);
    assert!(failed.status == 255 && failed.stderr.contains("bind"), "{failed:#?}");
}
